"""The model check in its quick form: small bounds, every wrong variant."""
