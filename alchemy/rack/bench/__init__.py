"""Measures the rack service: simulated nodes, an operator, full records, and downloads of an image."""
