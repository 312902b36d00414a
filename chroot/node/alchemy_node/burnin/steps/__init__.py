"""The steps of a burn-in: each module plans one kind of load, and judges what its programs say."""
