"""``make bench-core``: sampling and normalising of energies in general, beside TorchEBM and ebmkit."""

from benchmarks import core_sampling

ROWS = {**core_sampling.ROWS}
