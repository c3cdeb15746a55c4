"""Forecasters that are tilted or compared with, by what they forecast."""
