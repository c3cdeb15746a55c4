"""``make bench-core``: sampling, normalising and learning of energies, beside TorchEBM and ebmkit."""

from benchmarks import core_learning, core_quality, core_sampling

ROWS = {**core_sampling.ROWS, **core_learning.ROWS, **core_quality.ROWS}
