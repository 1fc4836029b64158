"""The local stack: its launcher, its supervisor and the files that describe a deployment."""
