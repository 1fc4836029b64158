"""Folds stored callbacks through today's code, on scratch copies of the tables."""
