"""Benchmarks of the forecasts."""
