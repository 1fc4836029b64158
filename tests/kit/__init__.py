"""What every process relies on: money, redaction, settings, tokens, gRPC and HTTP serving."""
