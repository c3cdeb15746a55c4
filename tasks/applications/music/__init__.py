"""Recommendations from listening and sound."""
