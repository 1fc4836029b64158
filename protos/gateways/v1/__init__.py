"""Published interfaces, and the code generated from them."""
