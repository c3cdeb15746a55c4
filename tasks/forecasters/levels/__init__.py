"""Forecasters of levels with a seasonal cycle, such as temperatures, several steps ahead."""
