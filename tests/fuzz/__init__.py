"""Tests of the fuzzer and of the runner of other people's vectors."""
