"""The payments service: the single owner of payment state."""
