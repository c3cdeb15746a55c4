"""Digits: classify by energy, refuse what is no digit."""
