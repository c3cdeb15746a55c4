"""Lone values that are far from the history of their cell and from their neighbours."""

from collections.abc import Iterator

import numpy as np

HISTORY = 240
"""Months before those of a block that its cells are compared with."""

FAR = 10.0
"""Distance in scaled median absolute deviations from which a value may be wrong."""

COMMON = 20
"""Rank of the distance whose square a wrong value exceeds. Heavy tails have many far values.

If distances have a power law, the square of the k-th largest of n is that expected of the largest of n²/k.
"""

FEWEST = 120
"""Months that the deviation of a cell is computed from."""


def lone_values(
    blocks: Iterator[tuple[int, np.ndarray]], months: np.ndarray, lat: np.ndarray, lon: np.ndarray, name: str
) -> list[str]:
    """Return a sentence that names values that stand alone, or none if there are no such values.

    ``blocks`` are pairs of the first row and fields ``(n, lat, lon)``, which may overlap. The distance of a
    value is the smaller of two: from the median of its cell and calendar month, and from the median anomaly
    of its neighbours in time and space.
    """
    far: dict[tuple[int, int, int], tuple[float, float]] = {}
    for first, values in blocks:
        if len(values) < FEWEST:
            continue
        distance, seen = _distances(values, months[first : first + len(values)])
        cells = np.argwhere(seen)
        farthest = np.argsort(distance, axis=None)[-COMMON:]
        for row, cell in zip(*np.unravel_index(farthest, distance.shape), strict=True):
            i, j = cells[cell].tolist()
            place = (first + int(row), i, j)
            found = (float(distance[row, cell]), float(values[row, i, j]))
            far[place] = max(found, far.get(place, found))
    order = sorted(far, key=lambda place: -far[place][0])
    if len(order) < COMMON:
        return []
    least = max(FAR, far[order[COMMON - 1]][0] ** 2)
    wrong = [place for place in order if far[place][0] > least]
    if not wrong:
        return []
    shown = ", ".join(
        f"{far[row, i, j][1]:.6g} in {months[row]} at lat {lat[i]:g}, lon {lon[j]:g}"
        for row, i, j in wrong[:3]
    )
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return [
        f"{name} has values far from the others of their cell and from their neighbours, which are kept: "
        f"{shown}{more}; write NaN in their place if they are wrong"
    ]


def _distances(values: np.ndarray, months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances ``(n, cells)``, 0 where missing, and which cells have enough values."""
    seen = np.isfinite(values).sum(axis=0) >= FEWEST
    own = values[:, seen]
    calendar = months.astype(int) % 12
    for month in np.unique(calendar):
        own[calendar == month] -= _median(own[calendar == month])
    number = np.pad(np.where(seen, np.cumsum(seen).reshape(seen.shape) - 1, -1), 1, constant_values=-1)
    beside = [np.roll(number, shift, axis)[1:-1, 1:-1][seen] for axis in (0, 1) for shift in (1, -1)]
    padded = np.pad(own, 1, constant_values=np.nan)[:, 1:]  # the last column is that of no neighbour
    around = [padded[:-2, :-1], padded[2:, :-1], *(padded[1:-1, cell] for cell in beside)]
    distance = np.fmin(_scaled(own), _scaled(own - _median(np.stack(around))))
    return np.nan_to_num(distance, nan=0.0), seen


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return sizes in scaled median absolute deviations of each cell, which are at least the usual one."""
    deviation = 1.4826 * _median(np.abs(values))
    usual = deviation[deviation > 0]
    if not usual.size:
        return np.zeros_like(values)
    found: np.ndarray = np.abs(values) / np.fmax(deviation, np.median(usual))
    return found


def _median(values: np.ndarray) -> np.ndarray:
    """Return medians over the first axis of the values that are known, NaN where there are none."""
    ordered = np.sort(values, axis=0)
    count = np.isfinite(values).sum(axis=0)
    low, high = ((count - 1) // 2).clip(0), (count // 2).clip(0, len(values) - 1)
    pair = [np.take_along_axis(ordered, at[None], 0)[0] for at in (low, high)]
    return (pair[0] + pair[1]) / 2
