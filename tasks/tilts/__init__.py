"""Tilted models: walk-forward training, weights, prior tilts and stored fits."""
