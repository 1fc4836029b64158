"""Tests of the payments domain and its edge that need no other process and no database."""
