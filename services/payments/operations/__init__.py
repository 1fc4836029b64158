"""What the service does, one operation a module: written against ports, free of gRPC and SQL."""
