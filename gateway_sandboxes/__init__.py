"""Stand-ins for the payment gateways, written from the gateways' contracts alone."""
