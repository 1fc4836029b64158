"""Kills, lost commits and repeated requests: a spread of what `python -m proofs.crash` does."""
