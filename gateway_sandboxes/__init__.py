"""Stand-ins for the payment gateways; they import nothing of the product, only their contracts guide them."""
