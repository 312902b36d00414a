"""Collins as the rack service uses it."""
