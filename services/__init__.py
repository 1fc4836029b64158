"""The product's own services: payments, and the BFF that fronts it."""
