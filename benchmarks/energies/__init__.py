"""``make bench-core``: sampling, normalising and learning of energies, beside TorchEBM and ebmkit."""

from benchmarks.energies import learning, quality, sampling

ROWS = {**sampling.ROWS, **learning.ROWS, **quality.ROWS}
