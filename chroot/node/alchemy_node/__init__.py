"""Alchemy's programs for the node: inventory, intake, burn-in. Python's standard library only."""
