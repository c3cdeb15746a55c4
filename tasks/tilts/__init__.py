"""The tilted model: walk-forward training, weights, the prior learned on many markets, stored fits."""
