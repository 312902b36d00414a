"""Serves a rack: what each machine boots and why, and what became of it."""
