"""Audit of the values of fields: flags, impossible values and changes of unit."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tasks.checks.table.values import local_scale
from tasks.runtime.errors import BasinError

TAIL = 200
"""Number of distinct values kept at each end of the distribution."""

CENTRE = 2_000
"""Number of distinct values of a block that describe its distribution, evenly spaced by rank."""

FEW = 20
"""Number of distinct values below which only values that look like a flag are read as one."""

LOOKS = re.compile(r"-?(9+(\.9+)?|10{3,}|1e\+\d+|3276[78]|9\.96921e\+36)")
"""Regular expression of usual flags: −999, −99.99, 9999, −1000, 1e20, −32768, NetCDF's default fill value."""

JUMP = 25.0
"""Move of the median of a month, over its usual size, that is a change of unit."""


@dataclass
class Audit:
    """Summary of the values, filled a block of months at a time, so that memory does not grow with the file.

    Quantiles are over distinct values. A flag, even in most of the cells, then counts once.
    """

    low: Counter[float] = field(default_factory=Counter)
    high: Counter[float] = field(default_factory=Counter)
    centres: list[np.ndarray] = field(default_factory=list)

    def add(self, values: np.ndarray) -> None:
        """Add the values of a block of months, NaN where missing."""
        distinct, counts = np.unique(values[np.isfinite(values)], return_counts=True)
        if not distinct.size:
            return
        for tail, part in ((self.low, slice(None, TAIL)), (self.high, slice(-TAIL, None))):
            tail.update(dict(zip(distinct[part].tolist(), counts[part].tolist(), strict=True)))
        self.centres.append(distinct[:: max(1, distinct.size // CENTRE)])

    def limits(self) -> tuple[float, float, list[tuple[float, int]]]:
        """Return the range of possible values, and the values outside of it with the number of each."""
        centre = np.unique(np.concatenate(self.centres))
        low = np.array(sorted(self.low))[:TAIL]
        high = -np.array(sorted(self.high, reverse=True))[:TAIL]
        below = _outside(low, np.array([self.low[each] for each in low.tolist()]), centre)
        above = _outside(high, np.array([self.high[-each] for each in high.tolist()]), -centre[::-1])
        lowest = (low[below - 1] + low[below]) / 2 if below else -np.inf
        highest = -(high[above - 1] + high[above]) / 2 if above else np.inf
        outside = [(float(each), self.low[each]) for each in low[:below].tolist()]
        outside += [(-float(each), self.high[-each]) for each in high[:above].tolist()]
        return float(lowest), float(highest), outside


def _outside(tail: np.ndarray, counts: np.ndarray, centre: np.ndarray) -> int:
    """Return how many of the lowest distinct values, in ascending order, are flags or impossible.

    They lie beyond a gap. For flags, each repeated often, half of the range of the others is enough, or a
    twentieth if the value looks like a flag. For other values the gap is ten times that range.
    """
    for last in range(min(FEW, len(tail) - 1) - 1, -1, -1):
        others = centre[centre > tail[last]]
        if not others.size:
            continue
        inner, outer = np.quantile(others, [0.01, 0.99])
        width = float(outer - inner)
        within = others[(others >= inner) & (others <= outer)]
        step = float(np.diff(within).max(initial=0.0))
        gap = tail[last + 1] - tail[last]
        if gap <= 5 * step or gap <= 0.05 * width:
            continue
        many = others.size >= FEW
        repeated = last < 5 and bool((counts[: last + 1] >= 3).all())
        alike = all(_looks_like_a_flag(value) for value in tail[: last + 1])
        if alike and (repeated or gap > width / 2) and gap > 0:
            return last + 1
        if many and ((repeated and gap > width / 2) or gap > 10 * width):
            return last + 1
    return 0


def _looks_like_a_flag(value: float) -> bool:
    return LOOKS.fullmatch(f"{value:.6g}") is not None


def possible(blocks: Iterator[np.ndarray], name: str) -> tuple[float, float, list[str]]:
    """Return the range of possible values of a variable, outside of which they are read as missing.

    The third value is a list of sentences on values outside the range. ``blocks`` are fields
    ``(n, lat, lon)`` in order of time.
    """
    audit = Audit()
    for values in blocks:
        audit.add(values)
    if not audit.centres:
        return -np.inf, np.inf, []
    low, high, outside = audit.limits()
    notes = []
    if outside:
        found = ", ".join(f"{count:,} × {value:.6g}" for value, count in outside[:5])
        more = ", ..." if len(outside) > 5 else ""
        inside = [each for each in (*audit.low, *audit.high) if low < each < high]
        notes.append(
            f"{sum(count for _, count in outside):,} values of {name} are far outside the others, which are "
            f"{min(inside):.6g} to {max(inside):.6g}, and are read as missing: {found}{more}"
        )
    return low, high, notes


def check_medians(medians: np.ndarray, months: np.ndarray, name: str, label: str) -> None:
    """Raise ``BasinError`` if the median of the field moves from one month to the next as no field can.

    ``medians`` ``(n,)`` are NaN for months with few values.
    """
    known = np.flatnonzero(np.isfinite(medians))
    if len(known) < 24:
        return
    move = np.r_[np.nan, np.diff(medians[known])]
    size = np.abs(move) / local_scale(move)
    worst = int(np.nanargmax(size))
    if size[worst] > JUMP:
        before, after = known[worst - 1], known[worst]
        raise BasinError(
            f"{label}: the median of {name} moves from {medians[before]:.6g} in {months[before]} to "
            f"{medians[after]:.6g} in {months[after]}, {size[worst]:.0f} times its usual move; expected one "
            "unit and one kind of value in all months; correct the file"
        )
