"""Every speed and quality figure of the documentation, as one command each: ``python -m benchmarks``."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project's root."""
