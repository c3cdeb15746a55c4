"""How far a cascade or an article spreads."""
