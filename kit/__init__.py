"""What every process shares: time, money, errors, settings, logs, gRPC server and channel."""
