"""Checks of the rows of a table in time: dates, gaps, copies and survivorship."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.checks.check import Check, Outcome, longest_run
from tasks.checks.table.evidence import NAMED, TableEvidence
from tasks.checks.table.outcome import outcome
from tasks.checks.table.values import IMPOSSIBLE
from tasks.runtime.calendar import WEEKDAYS, WEEKS
from tasks.runtime.frequencies import frequency, stamp


def dates(e: TableEvidence) -> Outcome:
    """Check for cells that are not dates, repeated dates, rows out of order, weekends and holidays."""
    faults: list[str] = []
    unread = np.flatnonzero(e.time.isna())
    faults += [f"row {row + 1}: {e.frame[e.spec.time].iloc[row]!r} is not a date" for row in unread[:NAMED]]
    known = e.time.notna()
    keys = [e.time[known], *([e.frame[e.spec.series][known]] if e.spec.series else [])]
    twice = pd.concat(keys, axis=1).duplicated()
    faults += [
        f"row {row + 1}: {e.time[row]:%Y-%m-%d} is the date of an earlier row"
        for row in twice.index[twice][:NAMED]
    ]
    closed = 0
    for series in e.series:
        off = closed_days(e, series.time)
        closed += int(off.sum())
        faults += [
            f"row {series.rows[i]}: {series.time[i]:%A %Y-%m-%d} is not a day on which the file usually "
            "has rows"
            for i in np.flatnonzero(off)[:NAMED]
        ]
    backward = sorted(_backward(e), reverse=True)
    disordered = 1 if backward and 0 < backward[0] < 1 else 0
    if disordered and backward[0] > e.threshold("dates.backward", 0.01):
        faults.append(f"{backward[0]:.0%} of the rows have a date before that of the row above")
    measured = {
        "unreadable dates": len(unread),
        "repeated dates": int(twice.sum()),
        "series out of order": disordered,
    }
    good = "all dates are readable and occur once in a series"
    if e.freq == "B":
        measured["dates on closed days"] = closed
        good += ", and none is on a day without rows in other weeks or years"
    warned = ["rows are not in order of time"] * disordered
    if e.freq == "B" and e.calendar.week in WEEKS[1:]:
        days = ", ".join(WEEKDAYS[day] for day in e.calendar.week)
        warned.append(f"rows are dated {days}, as on some markets, or after a shift of dates by a day")
    return outcome(measured, 0, faults, warned, "some dates are wrong or unusual", good)


def closed_days(e: TableEvidence, time: pd.DatetimeIndex) -> np.ndarray:
    """Return which dates of trading days are on closed days.

    They are days of the week that the file seldom has, all days if its week is that of no market, as after a
    shift of dates, and 1 January and 25 December if prices seldom have rows on them.
    """
    off = np.zeros(len(time), bool)
    if e.freq != "B":
        return off
    week = e.calendar.week
    if week not in WEEKS:
        week = (0, 1, 2, 3, 4)
    off |= ~time.dayofweek.isin(week)
    if e.kind != "price":
        return off
    for month, day in ((1, 1), (12, 25)):
        there = (time.month == month) & (time.day == day)
        days = [pd.Timestamp(year, month, day) for year in time.year.unique()]
        possible = sum(time[0] <= each <= time[-1] and each.dayofweek in week for each in days)
        if there.sum() <= 0.5 * possible:
            off |= there
    return off


def _backward(e: TableEvidence) -> list[float]:
    """Return for each series the share of rows with an earlier date than the row above them in the file.

    The share is 1 if the newest row is first.
    """
    found = []
    for series in e.series:
        order = e.time.to_numpy()[np.sort(series.places)]
        steps = np.diff(order).astype(float)
        found.append(float((steps < 0).mean()) if len(steps) else 0.0)
    return found


def coverage(e: TableEvidence) -> Outcome:
    """Check for missing periods in each series and year, gaps, and long runs of one value."""
    share_limit = e.threshold("coverage.missing", 0.05)
    gap_limit = e.threshold("coverage.gap", 5 if frequency(e.freq).days == 1 else 3)
    faults, warned = [], []
    worst, longest, stale = 0.0, 0, 1
    for series in e.series:
        if len(series.time) < 3:
            faults.append(f"{series.name}: {len(series.time)} rows")
            continue
        start, end = series.time[0], series.time[-1]
        step = frequency(e.freq)
        if not step.intraday:
            start, end = start.normalize(), end.normalize()
        if step.calendar:
            start = start.to_period("M").to_timestamp()
        expected = e.calendar.expected(start, end)
        if step.calendar:
            there = series.time.to_period("M")[np.isfinite(series.value)]
            missing = ~expected.to_period("M").isin(there)
        elif e.freq == "W":
            there = series.time[np.isfinite(series.value)].to_numpy()
            there = there if len(there) else np.array(["1700-01-01"], dtype=expected.to_numpy().dtype)
            place = np.searchsorted(there, expected.to_numpy() + np.timedelta64(4, "D"), "right") - 1
            nearest = expected.to_numpy() - there[np.maximum(place, 0)]
            missing = (place < 0) | (nearest > np.timedelta64(4, "D"))
        else:
            there = series.time[np.isfinite(series.value)]
            missing = ~expected.isin(there if step.intraday else there.normalize())
        by_year = pd.Series(missing, index=expected).groupby(expected.year).agg(["mean", "sum", "size"])
        # Markets have about ten holidays a year. In a year of few rows, a few missing ones are allowed.
        allowed = share_limit + (0.01 if e.freq == "B" else 0)
        bad = by_year[(by_year["mean"] > allowed) & (by_year["sum"] > max(2, 0.02 * by_year["size"].max()))]
        worst = max(worst, float(by_year["mean"].max()))
        faults += [f"{series.name} {year}: {row['mean']:.0%} missing" for year, row in bad.iterrows()]
        length, at = longest_run(missing)
        longest = max(longest, length)
        if length > gap_limit:
            faults.append(f"{series.name}: {length} periods missing from {expected[at]:%Y-%m-%d}")
        same = np.diff(series.value) == 0
        run, at = longest_run(same)
        stale = max(stale, run + 1)
        finite = series.value[np.isfinite(series.value)]
        if len(finite) > 2 and np.ptp(finite) == 0:
            faults.append(f"{series.name}: all {len(finite)} values are {finite[0]:g}, so it never moves")
        elif run >= 3:
            usual = (same.sum() - run + 1) / (len(same) - run + 1)
            if len(same) * usual**run < e.threshold("coverage.stale", 1e-4):
                last = at + run == len(same)
                rows = f"the last {run + 1} rows are equal" if last else f"the same value in {run + 1} rows"
                faults.append(f"{series.name}: {rows}, from row {series.rows[at]}, {stamp(series.time[at])}")
    for column in e.inputs:
        values = e.numbers(column)
        share = float(values.isna().mean())
        if share > share_limit:
            warned.append(f"{column}: {share:.0%} missing")
        if len(values) > 2 and values.nunique() == 1:
            warned.append(f"{column}: never moves")
    return outcome(
        {"missing share of a year": round(worst, 4), "longest gap": longest, "run of one value": stale},
        {
            "missing share of a year": share_limit,
            "longest gap": gap_limit,
            "run of one value": "p-value at least 1e-4",
        },
        faults, warned, "missing or unchanged values", "few values are missing, none is repeated for long",
    )  # fmt: skip


def duplicates(e: TableEvidence) -> Outcome:
    """Check for blocks of consecutive moves that occur twice, in one series or in two."""
    block = int(e.threshold("duplicates.block", 10 if frequency(e.freq).days <= 1 else 6))
    # Blocks are compared by a hash of their rounded moves: products with odd numbers, modulo 2⁶⁴.
    factors = np.random.default_rng(0).integers(2**62, size=block, dtype=np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    stretches = []
    for which, series in enumerate(e.series):
        moves = np.round(series.move[1:] / max(float(np.nanstd(series.move)), 1e-300), 6)
        if len(moves) < block:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(moves, block)
        # Blocks with few changes are left out, because they repeat by chance.
        steps = np.lib.stride_tricks.sliding_window_view(np.diff(moves) != 0, block - 1).sum(1)
        told = np.flatnonzero(np.isfinite(windows).all(1) & (steps >= block // 2))
        whole = np.where(np.isfinite(moves), moves * 1e6, 0).astype(np.int64).view(np.uint64)
        hashes = np.lib.stride_tricks.sliding_window_view(whole, block)[told] @ factors
        stretches.append(pd.DataFrame({"hash": hashes, "series": which, "at": told}))
    faults: list[str] = []
    if stretches:
        all_of_them = pd.concat(stretches, ignore_index=True)
        first = all_of_them.drop_duplicates("hash").set_index("hash")
        end = (-1, -1)
        again: Any
        for again in all_of_them[all_of_them["hash"].duplicated()].itertuples():
            if (again.series, again.at) <= end:
                continue
            end = (again.series, again.at + block)
            earlier: Any = first.loc[again.hash]
            one, other = e.series[again.series], e.series[earlier["series"]]
            faults.append(
                f"{one.name} from {one.time[again.at + 1]:%Y-%m-%d} (row {one.rows[again.at + 1]}) repeats "
                f"{other.name} from {other.time[earlier['at'] + 1]:%Y-%m-%d}"
            )
    return outcome(
        len(faults),
        0,
        faults,
        [],
        f"{block} or more consecutive moves occur a second time",
        f"no {block} consecutive moves occur twice",
    )


def survivorship(e: TableEvidence) -> Outcome:
    """Check that some series of a panel end before the panel does."""
    least, years = int(e.threshold("survivorship.series", 20)), e.threshold("survivorship.years", 5)
    ends = pd.Series([s.time[-1] for s in e.series if len(s.time)])
    starts = pd.Series([s.time[0] for s in e.series if len(s.time)])
    span = ends.max().year - starts.min().year if len(ends) else 0  # a Timedelta holds 292 years
    if len(ends) < least or span < years:
        return Outcome(
            f"{len(ends)} series over {span:.1f} years", f"{least} over {years:g}", "not applicable",
            "there are too few series or years to expect one that ended",
        )  # fmt: skip
    ended = float((ends < ends.max() - pd.Timedelta(days=60)).mean())
    late = int((starts > starts.min() + pd.Timedelta(days=365)).sum())
    good = ended > 0
    few = ended < e.threshold("survivorship.ended", 0.05)
    return Outcome(
        {"series": len(ends), "share that ended early": round(ended, 3), "began late": late}, 0.05,
        "fail" if not good else "warn" if few else "pass",
        f"all {len(ends)} series go on to the end, so those that ended seem to be left out" if not good
        else "fewer series ended early than usual" if few else "some series ended early",
    )  # fmt: skip


CHECKS = (
    Check(
        id="dates",
        title="Every row has its own date",
        question="Can every date be read, does it occur once in a series, and are the rows in order of time?",
        method="Dates that are unreadable, repeated or out of order. In series of trading days also days of "
        "the week that the file seldom has, and in prices 25 December and 1 January if few years have them.",
        reference="",
        run=dates,
    ),
    Check(
        id="coverage",
        title="The record has no gaps",
        question="Are periods missing, or values repeated because a data feed stopped?",
        method="Missing share of each series and year, longest gap, and runs of one value whose p-value is "
        "below 1e-4, given the share of unchanged values in the record.",
        reference="",
        run=coverage,
    ),
    Check(
        id="duplicates",
        title="No block of rows occurs twice",
        question="Was a block of rows copied, so that a model may be tested on rows that it was trained on?",
        method="Comparison of all windows of consecutive rounded moves, within and across series.",
        reference="Kapoor and Narayanan (2023), Leakage and the reproducibility crisis, Patterns 4(9)",
        run=duplicates,
    ),
    IMPOSSIBLE,
    Check(
        id="survivorship",
        title="The panel has series that ended",
        question="Do some series end before the panel does? Otherwise it may have only the survivors.",
        method="Share of series whose last row is more than 60 days before the end of the panel.",
        reference="Brown et al. (1992), Survivorship bias in performance studies, RFS 5(4)",
        run=survivorship,
    ),
)
