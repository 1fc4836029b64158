"""The gRPC edge: parse, call, build. Errors leave through the interceptor."""
