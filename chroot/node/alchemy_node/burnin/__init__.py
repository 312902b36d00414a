"""The burn-in: load on every part, evidence from every counter, one record, one verdict."""
