"""The whole stack as real processes, seen from outside: gRPC, HTTP, SQL and kill -9."""
