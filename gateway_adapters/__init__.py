"""One folder per payment gateway, all behind the contract in `gateway.py` and served over gRPC."""
