"""Samplers, replay buffers, normalising constants and convergence diagnostics."""
