"""Objectives, negative samples and the training loop of energies without a tractable normaliser."""
