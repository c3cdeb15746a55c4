"""Training of energies without a tractable normaliser: objectives, negative samples and the training loop."""
