"""Anomalies in tables."""
