"""Configures and runs the servers of a rack: dnsmasq, nginx and the rack service."""
