"""Random and borrowed input for everything that reads what strangers write."""
