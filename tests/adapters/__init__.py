"""What the adapters must do, against real sockets and the sandboxes."""
