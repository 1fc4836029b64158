"""The rules of payments. Pure: no gRPC, no SQL, no HTTP, no clock of its own."""
