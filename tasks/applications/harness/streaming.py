"""Training of an energy on a Parquet file that does not fit into memory, read a few row groups at a time."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebm_core.learning.objectives import Objective

CHUNK = 65536
"""Number of rows that are read at once."""


def batches(path: Path, size: int, part: int = 0, parts: int = 1) -> Iterator[Tensor]:
    """Yield the rows of a Parquet file of float columns in batches ``(size, columns)``, in file order.

    If ``parts`` processes share the file, this one reads the row groups whose number is ``part`` modulo
    ``parts``. The last rows, if they do not fill a batch, are left out. The rows of the file must be in
    random order.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    rest = torch.empty(0, file.metadata.num_columns)
    for group in range(part, file.num_row_groups, parts):  # one at a time, as pyarrow reads ahead
        for chunk in file.iter_batches(CHUNK, row_groups=[group], use_threads=False):
            table = torch.stack([torch.tensor(c.to_numpy(zero_copy_only=False)) for c in chunk.columns], 1)
            rows = torch.cat([rest, table.float()])
            whole = len(rows) - len(rows) % size
            yield from rows[:whole].view(-1, size, rows.shape[1])
            rest = rows[whole:].clone()  # a view would keep the whole chunk in memory


def fit_stream(
    energy: torch.nn.Module,
    stream: Iterator[Tensor],
    objective: Objective,
    *,
    learning_rate: float,
    generator: torch.Generator,
    steps: int | None = None,
) -> tuple[Any, int]:
    """Train a copy of ``energy`` by Adam in one pass over ``stream``; return it and the number of rows used.

    The pass ends after ``steps`` batches if ``steps`` is given. In a ``torch.distributed`` process group,
    gradients are averaged over the workers at every step. Each worker passes its own stream and the same
    ``energy``, and all end with the same weights. Raises ``ValueError`` if the stream is empty.
    """
    energy = copy.deepcopy(energy).train()
    weights = list(energy.parameters())
    optimiser = torch.optim.Adam(weights, lr=learning_rate, fused=True)
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    seen = 0
    for step, rows in enumerate(stream, 1):
        loss = objective.loss(energy, rows, generator)
        optimiser.zero_grad()
        loss.backward()
        if together:
            flat = torch.cat([w.grad.flatten() for w in weights if w.grad is not None])
            torch.distributed.all_reduce(flat)
            flat /= torch.distributed.get_world_size()
            parts = flat.split([w.numel() for w in weights])
            for weight, part in zip(weights, parts, strict=True):
                weight.grad = part.view_as(weight)
        optimiser.step()
        seen += len(rows)
        if step == steps:
            break
    if not seen:
        raise ValueError("stream: no batch; expected a file with at least one batch of rows")
    return energy.eval(), seen
