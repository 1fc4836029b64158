"""The HTTP surface of the BFF, one module per subject."""
