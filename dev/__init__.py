"""What developers run on their own machine: the local stack, the demonstration, code generation."""
