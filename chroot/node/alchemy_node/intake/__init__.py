"""Brings a machine into an infrastructure manager: Collins, Ironic, or the rack service."""
