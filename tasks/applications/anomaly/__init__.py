"""Anomaly detection in tables."""
