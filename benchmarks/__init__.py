"""Benchmarks that measure the speed and quality figures of the documentation: ``python -m benchmarks``."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Root folder of the project."""
