"""The webhook receiver over real sockets, with a scripted payments service behind it."""
