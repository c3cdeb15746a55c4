"""Scores, forecast summaries and value at risk."""
