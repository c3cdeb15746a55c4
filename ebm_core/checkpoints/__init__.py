"""Checkpoints of fits: their files, and what tells one fit from another."""
