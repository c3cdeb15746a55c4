"""Levels with a season, such as temperatures: several steps ahead."""
