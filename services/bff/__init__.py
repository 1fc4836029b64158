"""The backend for the frontend: JSON over HTTP outside, gRPC to the payments service inside."""
