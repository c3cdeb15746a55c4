"""Training examples of the energy, standardised errors of the base and their context, in Parquet shards."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.fields.base import BEFORE, LEADS, Base, forecasts
from tasks.fields.reading import Fields, Grid

if TYPE_CHECKING:
    import pyarrow as pa

SHARD = 256
"""Number of examples in a shard."""

CONTEXT = 3
NUMBERS = 3
"""Number of scalar inputs: sine and cosine of the season, and the lead in years."""


@dataclass(frozen=True)
class Examples:
    """Examples of n forecasts of fields with d cells: errors of the base and the context they depend on.

    ``error`` ``(n, d)`` is y − m. ``context`` ``(n, 3, d)`` holds three anomalies: the mean forecast, the
    field at the origin and the field ``BEFORE`` months before. Both are in units of the spread. ``numbers``
    ``(n, 3)`` are the scalar inputs, and ``lead`` ``(n,)`` is the index of the lead in ``LEADS``.
    """

    error: np.ndarray
    context: np.ndarray
    numbers: np.ndarray
    lead: np.ndarray

    def __len__(self) -> int:
        return len(self.lead)

    def rows(self, chosen: np.ndarray) -> "Examples":
        return Examples(*(getattr(self, name)[chosen] for name in COLUMNS))


COLUMNS = tuple(Examples.__dataclass_fields__)


def examples(
    base: Base, now: np.ndarray, before: np.ndarray, season: np.ndarray, lead: int
) -> tuple[Examples, np.ndarray]:
    """Return examples of forecasts ``LEADS[lead]`` months ahead, with errors of zero, and their means (n, d).

    ``now`` and ``before`` are fields ``(n, d)`` in the units of the data. ``season`` ``(n,)`` is the calendar
    month of the forecast, 0 to 11. At lead 0 the forecast depends on the season alone.
    """
    ahead = LEADS[lead]
    origin = (season - ahead) % 12
    mean = base.mean(now, before, season, lead)
    seen = (now - base.normals[origin], before - base.normals[(origin - BEFORE) % 12])
    seen = seen if ahead else (np.zeros_like(now),) * 2
    context = [(mean - base.normals[season]) / base.spread[lead], *(field / base.spread[0] for field in seen)]
    angle = 2 * np.pi * season / 12
    found = Examples(
        np.zeros_like(now),
        np.stack(context, 1),
        np.column_stack([np.sin(angle), np.cos(angle), np.full(len(season), ahead / 12)]),
        np.full(len(season), lead),
    )
    return found, mean


def known_examples(base: Base, fields: Fields, grid: Grid, start: int = 0) -> Iterator[Examples]:
    """Yield blocks of examples with known errors, for every lead and gapless month from ``start`` on."""
    for lead, now, before, aims, season in forecasts(fields, grid, base.normals, start):
        found, mean = examples(base, now, before, season, lead)
        found.error[:] = (aims - mean) / base.spread[lead]
        yield found


def write_shards(found: Iterator[Examples], folder: Path) -> int:
    """Write examples to ``folder`` in shards of :data:`SHARD` and return the number of shards.

    The last shard may be shorter.
    """
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    kept: Examples | None = None
    shards = 0
    for block in found:
        kept = block if kept is None else _joined(kept, block)
        while len(kept) >= SHARD:
            pq.write_table(_table(kept.rows(np.arange(SHARD))), folder / f"{shards:06d}.parquet")
            kept, shards = kept.rows(np.arange(SHARD, len(kept))), shards + 1
    if kept is not None and len(kept):
        pq.write_table(_table(kept), folder / f"{shards:06d}.parquet")
        shards += 1
    return shards


def from_table(table: "pa.Table") -> Examples:
    """Return the examples of an Arrow table that :func:`write_shards` wrote, in float32."""

    def column(name: str) -> np.ndarray:
        rows = table.column(name).combine_chunks()
        return rows.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), -1)

    return Examples(
        column("error"),
        column("context").reshape(len(table), CONTEXT, -1),
        column("numbers"),
        table.column("lead").to_numpy(),
    )


def _joined(one: Examples, other: Examples) -> Examples:
    return Examples(*(np.concatenate([getattr(part, name) for part in (one, other)]) for name in COLUMNS))


def _table(found: Examples) -> "pa.Table":
    import pyarrow as pa

    columns = {}
    for name in COLUMNS[:-1]:
        values = getattr(found, name).reshape(len(found), -1).astype(np.float32)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    return pa.table({**columns, "lead": pa.array(found.lead.astype(np.int64))})
