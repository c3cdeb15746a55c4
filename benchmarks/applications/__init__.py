"""Benchmarks of the applications."""
