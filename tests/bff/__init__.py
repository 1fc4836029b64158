"""The BFF over real sockets, with a scripted payments service behind it."""
