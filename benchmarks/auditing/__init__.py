"""Benchmarks of the audits."""
