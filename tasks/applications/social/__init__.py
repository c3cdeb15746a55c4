"""Forecast of how far a cascade of retweets or an article spreads."""
