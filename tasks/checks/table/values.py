"""Check of the values of a table: limits, spikes, extreme moves, new units and contradictions."""

import numpy as np
import pandas as pd

from tasks.checks.check import Check, Outcome
from tasks.checks.table.evidence import NAMED, Series, TableEvidence
from tasks.checks.table.outcome import outcome
from tasks.runtime.frequencies import stamp

BLOCK = 60
"""Most rows of a block of values apart from those before and after it."""

MANY_ZEROS = 0.05
"""Share of zeros from which a level that is never negative, such as rain, has no usual size of moves."""


def impossible(e: TableEvidence) -> Outcome:
    """Check for values beyond limits, spikes, extreme moves, and columns that contradict each other."""
    faults, warned = [], []
    for column, (low, high) in e.spec.limits.items():
        values = e.numbers(column)
        bad = np.flatnonzero((values < low) | (values > high))
        faults += [
            f"row {e.rows[row]}: {column} is {values.iloc[row]:g}, the limits are {low:g} to {high:g}"
            for row in bad[:NAMED]
        ]
    text = e.frame[e.target]
    unread = np.flatnonzero(text.notna() & e.numbers(e.target).isna())
    faults += [f"row {e.rows[row]}: {text.iloc[row]!r} is not a number" for row in unread[:NAMED]]
    infinite = np.flatnonzero(np.isinf(e.numbers(e.target)))
    faults += [f"row {e.rows[row]}: an infinite value" for row in infinite[:NAMED]]
    largest = 0.0
    limit, most = e.threshold("impossible.z", 25), e.threshold("impossible.move", 0.5)
    for series in e.series:
        if e.kind == "level" and _has_many_zeros(series.value):
            continue
        if e.kind == "price":
            fallen = np.flatnonzero(series.value <= 0)
            warned += [f"row {series.rows[i]}: a price of {series.value[i]:g}" for i in fallen[:NAMED]]
        z = np.abs(series.move) / local_scale(series.move)
        largest = max(largest, float(np.nanmax(z, initial=0)))
        wild = z > limit
        if e.kind == "price":
            wild |= (np.abs(series.move) > most) & (z > limit / 3)
        blocks, alone = blocks_apart(series.move, np.flatnonzero(wild))
        faults += [_block(e, series, first, last) for first, last in blocks[:NAMED]]
        faults += [
            f"row {series.rows[i]}, {stamp(series.time[i])}: a move of {series.move[i]:+.3g}, "
            f"{z[i]:.0f} times the usual size"
            for i in alone[:NAMED]
        ]
        # A spike is a value far from both of its neighbours, which are close to each other.
        back = series.move[1:-1] + series.move[2:]
        spike = np.minimum(z[1:-1], z[2:]) > limit / 2.5
        spike &= np.abs(back) < 0.25 * np.abs(series.move[1:-1])
        known = {row for first, last in blocks for row in range(first, last + 1)}
        single = [i for i in np.flatnonzero(spike) + 1 if i not in known]
        faults += [_block(e, series, int(i), int(i)) for i in single[:NAMED]]
    faults += _new_units(e)
    faults += _contradictions(e)
    return outcome(
        {"largest move over its usual size": round(largest, 1)},
        {"move over its usual size": limit} | ({"Δlog of a price": most} if e.kind == "price" else {}),
        faults, warned, "values far from those around them, by error or by a true jump",
        "no value is beyond limits or a spike",
    )  # fmt: skip


def _has_many_zeros(value: np.ndarray) -> bool:
    known = value[np.isfinite(value)]
    return bool(len(known) and known.min() == 0 and (known == 0).mean() > MANY_ZEROS)


def blocks_apart(move: np.ndarray, wild: np.ndarray) -> tuple[list[tuple[int, int]], list[int]]:
    """Return blocks of rows between a wild move and one that takes it back, and the wild moves left over."""
    blocks, alone = [], []
    place = 0
    while place < len(wild):
        i = int(wild[place])
        after = int(wild[place + 1]) if place + 1 < len(wild) else len(move)
        if after - i <= BLOCK and abs(move[i] + move[min(after, len(move) - 1)]) < 0.25 * abs(move[i]):
            blocks.append((i, after - 1))
            place += 2
        else:
            alone.append(i)
            place += 1
    return blocks, alone


def _block(e: TableEvidence, series: Series, first: int, last: int) -> str:
    numbers = series.rows[first : last + 1]
    rows = f"row {numbers[0]}" if first == last else f"rows {', '.join(map(str, numbers[:4]))}"
    rows += f" to {numbers[-1]}" if last - first > 3 else ""
    before, value = series.value[max(first - 1, 0)], series.value[first]
    if e.kind == "price" and before > 0:
        return f"{rows}, {stamp(series.time[first])}: {value / before:.3g} times the value before and after"
    after = series.value[min(last + 1, len(series.value) - 1)]
    return f"{rows}, {stamp(series.time[first])}: {value:g} between {before:g} and {after:g}"


def local_scale(move: np.ndarray, width: int = 51) -> np.ndarray:
    """Return the usual size of a move: 1.4826 times the median absolute move of the rows around it.

    It is at least a fifth of the usual size over the whole record.
    """
    size = pd.Series(np.abs(move))
    around = size.rolling(width, center=True, min_periods=10).median().to_numpy() * 1.4826
    moving = np.abs(move[np.isfinite(move) & (move != 0)])
    # In a record of mostly unchanged values, only its changes give a scale.
    still = np.nanmedian(np.abs(move)) == 0 if np.isfinite(move).any() else True
    overall = float(np.median(moving)) * 1.4826 * (5 if still else 1) if len(moving) else 1.0
    return np.fmax(np.fmax(around, overall / 5), 1e-300)


def _new_units(e: TableEvidence) -> list[str]:
    """Describe inputs whose level changes permanently by a factor of eight or more, as after a new unit."""
    least, width, found = np.log(e.threshold("impossible.factor", 8.0)), 20, []
    for column in e.inputs:
        values = e.numbers(column).to_numpy()
        for series in e.series:
            x = values[series.places]
            if len(x) < 5 * width or not (x > 0).mean() > 0.99:
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                level = np.log(np.where(x > 0, x, np.nan))
            move = np.r_[np.nan, np.diff(level)]
            jumps = np.flatnonzero((np.abs(move) > least) & (np.abs(move) / local_scale(move) > 25))
            for at in jumps[:NAMED]:
                before, after = level[max(at - width, 0) : at], level[at : at + width]
                if min(len(before), len(after)) < width or np.isnan([before, after]).all():
                    continue
                if abs(np.nanmedian(after) - np.nanmedian(before)) > 0.7 * abs(move[at]):
                    found.append(
                        f"row {series.rows[at]}, {series.time[at]:%Y-%m-%d}: {column} becomes "
                        f"{np.exp(move[at]):.3g} times as large and stays so"
                    )
    return found


def _contradictions(e: TableEvidence) -> list[str]:
    """Describe rows whose open, close, high and low contradict each other, such as a low above the high."""
    names = {str(name).lower(): str(name) for name in e.frame.columns}
    if not {"high", "low"} <= set(names):
        return []
    high, low = (e.numbers(names[name]) for name in ("high", "low"))
    inside = [e.numbers(names[name]) for name in ("open", "close") if name in names]
    slack = 1e-6 * high.abs()
    bad = high < low - slack
    for column in inside:
        bad |= (column > high + slack) | (column < low - slack)
    share = float(bad.mean())
    # A few contradictions come from rounding by vendors. Shifted or swapped columns have many.
    if share < e.threshold("impossible.ohlc", 0.01):
        return []
    rows = np.flatnonzero(bad)
    return [
        f"{len(rows)} rows ({share:.0%}) have a price outside their range, the first is row {e.rows[rows[0]]}"
    ]


IMPOSSIBLE = Check(
    id="impossible",
    title="Values are possible",
    question="Are there values that are probably errors of measurement or of the file?",
    method="Physical limits of the spec, moves compared with the median move of 51 rows around them, "
    "spikes of one row, inputs whose level changes by a factor of eight, and prices outside their "
    "range.",
    reference="",
    run=impossible,
)
