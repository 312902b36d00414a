"""The HTTP API of the rack service."""
