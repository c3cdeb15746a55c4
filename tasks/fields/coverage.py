"""What a fit does with the gaps and the season of fields, in sentences."""

import numpy as np

from tasks.fields.reading import OFTEN, Fields, Grid
from tasks.runtime.errors import counted

MOST_MISSING = 0.1
"""A fit uses a month if at most this share of its cells is missing, with the seasonal mean in their place."""

SEASONAL = 0.3
"""Share of the variance in the seasonal means from which the fields are said to have a season."""


def coverage(fields: Fields, grid: Grid) -> list[str]:
    """Describe which cells and months a fit leaves out, which it fills, and the season of the values."""
    mask = grid.mask
    seen = np.zeros(mask.shape)
    sums, counts = np.zeros((12, int(mask.sum()))), np.zeros((12, int(mask.sum())))
    squares, part, most = 0.0, 0, 0
    for first, values in fields.blocks():
        seen += np.isfinite(values).sum(axis=0)
        cells = values[:, mask]
        finite = np.isfinite(cells)
        season = fields.months[first : first + len(cells)].astype(int) % 12
        np.add.at(sums, season, np.where(finite, cells, 0))
        np.add.at(counts, season, finite)
        missing = 1 - finite.mean(axis=1)
        part += int(((missing > 0) & (missing <= MOST_MISSING)).sum())
        most += int((missing > MOST_MISSING).sum())
    notes = _cells_left_out(seen, mask, len(fields.months))
    if part:
        notes.append(
            f"{counted(part, 'month')} with gaps in at most {MOST_MISSING:.0%} of the cells: filled with the "
            "seasonal mean of the cell in the fit"
        )
    if most:
        notes.append(f"{counted(most, 'month')} with gaps in more cells: left out of the fit")
    normals = sums / np.maximum(counts, 1)
    for first, values in fields.blocks():
        season = fields.months[first : first + len(values)].astype(int) % 12
        squares += float(np.nansum(np.square(values[:, mask] - normals[season])))
    of_season = float((counts * np.square(normals - sums.sum(axis=0) / counts.sum(axis=0))).sum())
    share = of_season / max(of_season + squares, 1e-300)
    if share > SEASONAL:
        units = f" in {fields.units}" if fields.units else ""
        notes.append(
            f"the season is {share:.0%} of the variance of a cell: the model describes departures from the "
            f"mean of each calendar month, and its results are {fields.name} itself{units}"
        )
    return notes


def _cells_left_out(seen: np.ndarray, mask: np.ndarray, months: int) -> list[str]:
    kinds = {
        "without values, such as land": seen == 0,
        f"with values in fewer than {OFTEN:.0%} of the months, such as sea ice in winter": (
            (seen > 0) & (seen < OFTEN * months)
        ),
        "with the same value in every month": ~mask & (seen >= OFTEN * months),
    }
    return [
        f"{counted(int(kind.sum()), 'cell')} {what}: left out" for what, kind in kinds.items() if kind.any()
    ]
