"""The audit of any table: checks of a user's own file, or of one that a domain is about to learn from."""
