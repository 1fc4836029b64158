"""What developers run on their own machine: the local stack, the demonstration, code generation."""

import os

# Programs that speak gRPC and start other programs, as the launcher and the tests do: gRPC would
# restart its threads in the child between fork and exec, and sometimes abort it there.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
