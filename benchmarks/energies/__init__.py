"""Benchmarks of ``ebm_core`` against TorchEBM and ebmkit: sampling, normalisers and learning."""

from benchmarks.energies import learning, quality, sampling

ROWS = {**sampling.ROWS, **learning.ROWS, **quality.ROWS}
