"""Every figure that the README quotes, as one command each: ``python -m benchmarks [ROW ...]``."""
