"""The pages of the rack service: its records, for people."""
