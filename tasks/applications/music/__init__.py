"""Recommendation of music from listening histories and audio features."""
