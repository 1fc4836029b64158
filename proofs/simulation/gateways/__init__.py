"""Simulated gateways: small models whose books are the truth that everything is held against."""
