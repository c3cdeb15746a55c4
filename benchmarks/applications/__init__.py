"""Figures of the applications."""
