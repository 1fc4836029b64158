"""How often members may ask."""
