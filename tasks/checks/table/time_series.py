"""Checks of rows in time: holes, copies, impossible values, inputs that know the future, breaks, drift."""

import numpy as np
import pandas as pd
from scipy import stats

from tasks.checks import Check, Outcome
from tasks.checks.table.evidence import STEPS, Series, TableEvidence, as_dates
from tasks.drift import drift

LONG = 100
"""Rows from which a step can be told from chance."""

NAMED = 5
"""Rows at fault that are named, a series and a fault."""


def dates(e: TableEvidence) -> Outcome:
    """Cells that are no date, dates that come twice, rows out of order, days on which no market is open."""
    faults: list[str] = []
    unread = np.flatnonzero(e.time.isna())
    faults += [f"row {row + 1}: {e.frame[e.spec.time].iloc[row]!r} is no date" for row in unread[:NAMED]]
    known = e.time.notna()
    keys = [e.time[known], *([e.frame[e.spec.series][known]] if e.spec.series else [])]
    twice = pd.concat(keys, axis=1).duplicated()
    faults += [f"row {row + 1}: {e.time[row]:%Y-%m-%d} comes twice" for row in twice.index[twice][:NAMED]]
    closed = 0
    for series in e.series:
        off = series.time.dayofweek >= 5 if e.freq == "B" else np.zeros(len(series.time), bool)
        if e.freq == "B" and e.kind == "price":
            off = off | ((series.time.month == 1) & (series.time.day == 1))
            off = off | ((series.time.month == 12) & (series.time.day == 25))
        closed += int(off.sum())
        faults += [f"row {series.rows[i]}: {series.time[i]:%A %Y-%m-%d}" for i in np.flatnonzero(off)[:NAMED]]
    backward = sorted(_backward(e), reverse=True)
    disordered = 1 if backward and 0 < backward[0] < 1 else 0
    if disordered and backward[0] > e.threshold("dates.backward", 0.01):
        faults.append(f"{backward[0]:.0%} of the rows come after a later one")
    measured = {
        "no date": len(unread),
        "twice": int(twice.sum()),
        "closed days": closed,
        "unordered": disordered,
    }
    return _outcome(
        measured, 0, faults, ["rows are not in order of time"] * disordered,
        "dates that cannot be right", "every row has a date of its own on an open day",
    )  # fmt: skip


def _backward(e: TableEvidence) -> list[float]:
    """Share of each series' rows, as the file has them, that come after a later one; 1 for newest first."""
    found = []
    for series in e.series:
        order = e.time.to_numpy()[np.sort(series.rows) - 1]
        steps = np.diff(order).astype(float)
        found.append(float((steps < 0).mean()) if len(steps) else 0.0)
    return found


def coverage(e: TableEvidence) -> Outcome:
    """Missing rows and values of each series and year, the longest gap, the longest run of one value."""
    share_limit = e.threshold("coverage.missing", 0.05)
    gap_limit = e.threshold("coverage.gap", 5 if e.freq in ("B", "D") else 3)
    faults, warned = [], []
    worst, longest, stale = 0.0, 0, 1
    for series in e.series:
        if len(series.time) < 3:
            faults.append(f"{series.name}: {len(series.time)} rows")
            continue
        ends = [series.time[0], series.time[-1]]
        if e.freq != "h":
            ends = [end.normalize() for end in ends]
        expected = pd.date_range(*ends, freq=e.freq if e.freq != "W" else "7D")
        if e.freq == "MS":
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
            missing = ~expected.isin(there if e.freq == "h" else there.normalize())
        by_year = pd.Series(missing, index=expected).groupby(expected.year).agg(["mean", "sum", "size"])
        # A market keeps about ten holidays a year; a year of few rows is judged with room for chance.
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
        if run >= 3:
            usual = (same.sum() - run + 1) / (len(same) - run + 1)
            if len(same) * usual**run < e.threshold("coverage.stale", 1e-4):
                where = f"{series.name}: one value for {run + 1} rows from {series.time[at]:%Y-%m-%d}"
                faults.append(where)
    for column in e.inputs:
        values = e.numbers(column)
        share = float(values.isna().mean())
        if share > share_limit:
            warned.append(f"{column}: {share:.0%} missing")
    return _outcome(
        {"missing share of a year": round(worst, 4), "longest gap": longest, "longest stale run": stale},
        {"missing share of a year": share_limit, "longest gap": gap_limit, "stale": "by chance < 1e-4"},
        faults, warned, "holes, or values that stand still", "no year, gap or run beyond the limits",
    )  # fmt: skip


def duplicates(e: TableEvidence) -> Outcome:
    """Blocks of consecutive moves that come again, in the same series or another: a copy over the split."""
    block = int(e.threshold("duplicates.block", 10 if e.freq in ("B", "D", "h") else 6))
    seen: dict[bytes, tuple[str, int]] = {}
    faults = []
    for series in e.series:
        moves = np.round(series.move[1:] / max(float(np.nanstd(series.move)), 1e-300), 6)
        if len(moves) < block:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(moves, block)
        ordered = np.sort(windows, axis=1)
        # A stretch that mostly stands still comes again by chance.
        different = np.isfinite(windows).all(1) & ((np.diff(ordered, axis=1) > 0).sum(1) >= block // 2)
        skip = -1
        for at in np.flatnonzero(different):
            key = windows[at].tobytes()
            first = seen.setdefault(key, (series.name, int(at)))
            if first != (series.name, int(at)) and at > skip:
                earlier = next(s for s in e.series if s.name == first[0])
                faults.append(
                    f"{series.name} from {series.time[at + 1]:%Y-%m-%d} (row {series.rows[at + 1]}) repeats "
                    f"{first[0]} from {earlier.time[first[1] + 1]:%Y-%m-%d}"
                )
                skip = at + block
    return _outcome(
        len(faults),
        0,
        faults,
        [],
        f"{block} or more moves in a row come a second time",
        "no stretch comes twice",
    )


def impossible(e: TableEvidence) -> Outcome:
    """Values beyond limits, spikes that revert, moves beyond any market, columns at odds with each other."""
    faults, warned = [], []
    for column, (low, high) in e.spec.limits.items():
        values = e.numbers(column)
        bad = np.flatnonzero((values < low) | (values > high))
        faults += [
            f"row {row + 1}: {column} is {values.iloc[row]:g}, limits {low:g} to {high:g}"
            for row in bad[:NAMED]
        ]
    text = e.frame[e.spec.target]
    unread = np.flatnonzero(text.notna() & e.numbers(e.spec.target).isna())
    faults += [f"row {row + 1}: {text.iloc[row]!r} is no number" for row in unread[:NAMED]]
    infinite = np.flatnonzero(np.isinf(e.numbers(e.spec.target)))
    faults += [f"row {row + 1}: an infinite value" for row in infinite[:NAMED]]
    largest = 0.0
    limit, most = e.threshold("impossible.z", 25), e.threshold("impossible.move", 0.5)
    for series in e.series:
        if e.kind == "price":
            fallen = np.flatnonzero(series.value <= 0)
            warned += [f"row {series.rows[i]}: a price of {series.value[i]:g}" for i in fallen[:NAMED]]
        z = np.abs(series.move) / local_scale(series.move)
        largest = max(largest, float(np.nanmax(z, initial=0)))
        wild = z > limit
        if e.kind == "price":
            wild |= (np.abs(series.move) > most) & (z > limit / 3)
        faults += [
            f"row {series.rows[i]}, {series.time[i]:%Y-%m-%d}: moved by {series.move[i]:+.3g}, "
            f"{z[i]:.0f} times the usual"
            for i in np.flatnonzero(wild)[:NAMED]
        ]
        # A spike is there and gone: the value stands far off both its neighbours, which agree.
        back = series.move[1:-1] + series.move[2:]
        spike = np.minimum(z[1:-1], z[2:]) > limit / 2.5
        spike &= np.abs(back) < 0.25 * np.abs(series.move[1:-1])
        faults += [
            f"row {series.rows[i + 1]}, {series.time[i + 1]:%Y-%m-%d}: {series.value[i + 1]:g} between "
            f"{series.value[i]:g} and {series.value[i + 2]:g}"
            for i in np.flatnonzero(spike)[:NAMED]
        ]
    faults += _contradictions(e)
    return _outcome(
        {"largest move, in usual ones": round(largest, 1)}, {"usual moves": limit, "of a price, Δlog": most},
        faults, warned, "values that cannot be", "no value beyond the limits, no spike, no contradiction",
    )  # fmt: skip


def local_scale(move: np.ndarray, width: int = 51) -> np.ndarray:
    """Median absolute move of the rows around, × 1.4826, at least a fifth of the whole record's."""
    size = pd.Series(np.abs(move))
    around = size.rolling(width, center=True, min_periods=10).median().to_numpy() * 1.4826
    moving = np.abs(move[np.isfinite(move) & (move != 0)])
    # A record that mostly stands still is judged by its steps when it moves.
    still = np.nanmedian(np.abs(move)) == 0 if np.isfinite(move).any() else True
    overall = float(np.median(moving)) * 1.4826 * (5 if still else 1) if len(moving) else 1.0
    return np.fmax(np.fmax(around, overall / 5), 1e-300)


def _contradictions(e: TableEvidence) -> list[str]:
    """Rows in which an open, close or low lies above the day's high, or the like."""
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
    # Vendors round a quote now and then; a shifted or swapped column contradicts itself all the time.
    if share < e.threshold("impossible.ohlc", 0.01):
        return []
    rows = np.flatnonzero(bad)
    return [f"{len(rows)} rows ({share:.0%}) have a price outside their day's range, first row {rows[0] + 1}"]


def look_ahead(e: TableEvidence) -> Outcome:
    """Inputs that are the target of a later row, or tell its move better than anything honest does."""
    limit = e.threshold("look-ahead.correlation", 0.3 if e.kind != "level" else 0.7)
    measured, faults = {}, []
    for column in e.inputs:
        values = e.numbers(column).to_numpy()
        worst, same, n = 0.0, 0.0, 0
        for series in e.series:
            x = values[series.rows - 1]
            same = max(same, _held(x, series.value, max(10, e.spec.horizon)))
            for known in (
                x,
                e.moves(x, series.time) if np.nanmin(x, initial=1) > 0 else np.r_[np.nan, np.diff(x)],
            ):
                both = np.isfinite(known[:-1]) & np.isfinite(series.move[1:])
                if both.sum() > 60 and np.ptp(known[:-1][both]) > 0:
                    one = _innovations(known[:-1][both])
                    rank = stats.spearmanr(one, series.move[1:][both]).statistic
                    worst, n = max(worst, abs(float(rank))), max(n, int(both.sum()))
        if not n and not same:
            continue
        measured[column] = round(max(worst, same), 3)
        if same > 0.5:
            faults.append(f"{column} holds the target of a later row")
        elif worst > max(limit, 5 / np.sqrt(max(n, 1))):
            faults.append(f"{column} tells the next move of {e.spec.target} (rank correlation {worst:.2f})")
    if not measured:
        return Outcome(
            "no inputs", limit, "not applicable", "no column beside time and target, or too few rows"
        )
    return _outcome(
        measured, limit, faults, [], "inputs know what comes next; shift or drop them",
        "no input tells the next move better than honest ones do",
    )  # fmt: skip


def _held(x: np.ndarray, target: np.ndarray, horizon: int) -> float:
    """Share of rows whose input is the target of one of the next ``horizon`` rows, and not of its own."""
    later, earlier = np.full(len(x), False), np.full(len(x), False)
    for ahead in range(1, min(horizon, len(x) - 1) + 1):
        later[:-ahead] |= np.isclose(x[:-ahead], target[ahead:], rtol=1e-9, atol=0)
        earlier[ahead:] |= np.isclose(x[ahead:], target[:-ahead], rtol=1e-9, atol=0)
    now = np.isclose(x, target, rtol=1e-9, atol=0)
    # Small whole numbers meet by chance, backward as often as forward.
    return float((later & ~now).mean() - (earlier & ~now).mean()) if len(x) > 30 else 0.0


def _innovations(x: np.ndarray) -> np.ndarray:
    """What a column's own past does not tell, so that a slow cycle does not look like knowledge."""
    return np.r_[0.0, x[1:] - x[:-1]] if abs(_autocorrelation(x)) > 0.9 else x


def _autocorrelation(x: np.ndarray) -> float:
    centred = x - x.mean()
    total = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum() / total) if total else 0.0


def embargo(e: TableEvidence) -> Outcome:
    """Rows between training and test against the rows to a target."""
    if e.spec.test_from is None or e.spec.embargo is None:
        return Outcome(
            "not given", e.spec.horizon, "not applicable", "the spec names no test_from and embargo"
        )
    good = e.spec.embargo >= e.spec.horizon
    why = "targets of the last training rows are known before the test" if good else "training sees the test"
    return Outcome(e.spec.embargo, e.spec.horizon, "pass" if good else "fail", why)


def survivorship(e: TableEvidence) -> Outcome:
    """Share of a panel's series that end before the record does."""
    least, years = int(e.threshold("survivorship.series", 20)), e.threshold("survivorship.years", 5)
    ends = pd.Series([s.time[-1] for s in e.series if len(s.time)])
    starts = pd.Series([s.time[0] for s in e.series if len(s.time)])
    span = (ends.max() - starts.min()).days / 365.25 if len(ends) else 0
    if len(ends) < least or span < years:
        return Outcome(
            f"{len(ends)} series over {span:.1f} years", f"{least} over {years:g}", "not applicable",
            "too few series or years for some to have ended",
        )  # fmt: skip
    ended = float((ends < ends.max() - pd.Timedelta(days=60)).mean())
    late = int((starts > starts.min() + pd.Timedelta(days=365)).sum())
    good = ended > 0
    few = ended < e.threshold("survivorship.ended", 0.05)
    return Outcome(
        {"series": len(ends), "ended early": round(ended, 3), "began late": late}, 0.05,
        "fail" if not good else "warn" if few else "pass",
        f"all {len(ends)} series live: the dead are left out" if not good
        else "fewer ended than usually do" if few else "series that ended are among them",
    )  # fmt: skip


def publication(e: TableEvidence) -> Outcome:
    """Days from a row's time to the day on which it was known; several rows of one time are revisions."""
    if e.spec.published is None:
        return Outcome("not given", 0, "not applicable", "the spec names no column `published`")
    known = as_dates(e.frame[e.spec.published])
    if known.isna().mean() > 0.5:
        return Outcome("no dates", 0, "fail", f"column {e.spec.published} holds no dates")
    lag = (known - e.time).dt.total_seconds() / 86400
    early = np.flatnonzero(lag < 0)
    late = lag.median() > e.spec.horizon * STEPS[e.freq]
    return _outcome(
        {"median lag, days": round(float(lag.median()), 2), "before their time": len(early)}, 0,
        [f"row {row + 1}: known before its time" for row in early[:NAMED]],
        ["rows are known only after the forecast is due: lag the inputs"] * bool(late),
        "rows that were known before they happened", "rows are known when they are used",
    )  # fmt: skip


def breaks(e: TableEvidence) -> Outcome:
    """A step in the level: a sensor or a definition that changed. It warns only, and asks levels alone."""
    if e.kind != "level":
        return Outcome(f"kind {e.kind}", 1, "not applicable", "prices and rates wander without a cause")
    if max(len(series.time) for series in e.series) < LONG:
        return Outcome("too few rows", LONG, "not applicable", f"no series has {LONG} rows")
    found, largest = [], 0.0
    for series in e.series:
        ratio, at = step(_anomalies(e, series))
        largest = max(largest, ratio)
        if ratio > 1:
            found.append(f"{series.name}: from {series.time[at]:%Y-%m-%d}")
    return Outcome(
        round(largest, 2), "1 (99.9 % of records without a step)", "warn" if found else "pass",
        "the record changes its nature" if found else "no step stands out", tuple(found),
    )  # fmt: skip


def _anomalies(e: TableEvidence, series: Series) -> np.ndarray:
    season = series.time.month.to_numpy()
    return series.value - pd.Series(series.value).groupby(season).transform("mean").to_numpy()


def step(values: np.ndarray) -> tuple[float, int]:
    """Largest standardised difference of the means before and after a row, in units of its 99.9 % bound for
    an autocorrelated record of this length, and the row.

    The long-run variance is that of an AR(1) with the record's own lag-one correlation about the step itself.
    Reference: Andrews (1993), Tests for parameter instability, Econometrica 61(4).
    """
    places = np.flatnonzero(np.isfinite(values))
    x = values[places]
    n = len(x)
    if n < LONG:
        return 0.0, 0
    k = np.arange(int(0.1 * n), int(0.9 * n))
    total = np.cumsum(x)
    before, after = total[k - 1] / k, (total[-1] - total[k - 1]) / (n - k)
    at = int(np.argmax(np.abs(after - before) * np.sqrt(k * (n - k) / n)))
    parted = np.r_[x[: k[at]] - before[at], x[k[at] :] - after[at]]
    rho = min(max(_autocorrelation(parted), 0.0), 0.98)
    long_run = parted.std() * np.sqrt((1 + rho) / (1 - rho))
    statistic = abs(after[at] - before[at]) * np.sqrt(k[at] * (n - k[at]) / n) / max(long_run, 1e-300)
    return float(statistic / 4.6), int(places[k[at]])


def changing(e: TableEvidence) -> Outcome:
    """The last rows against those before: PSI and KS with nulls that know autocorrelation."""
    width = int(e.threshold("drift.rows", 120 if e.freq in ("B", "D", "h") else 36))
    most = 4_000
    compared, smallest, faults, warned = 0, 1.0, [], []
    level = e.threshold("drift.q", 0.01)
    for series in e.series:
        columns = {"move": series.move} | {
            name: e.numbers(name).to_numpy()[series.rows - 1] for name in e.inputs[:20]
        }
        table = pd.DataFrame(columns).iloc[-most:]
        table = table.loc[:, table.notna().mean() > 0.5].dropna()
        if len(table) < 8 * width:
            continue
        compared += 1
        found = drift(table.iloc[:-width], table.iloc[-width:])
        smallest = min(smallest, float(found["q"].min()))
        for name, row in found[found["q"] < level].iterrows():
            (faults if row["psi"] > e.threshold("drift.psi", 2.0) else warned).append(
                f"{series.name}: {name}, PSI {row['psi']:.2f}, chance {row['q']:.1%}"
            )
    if not compared:
        return Outcome("too few rows", 8 * width, "not applicable", f"no series has {8 * width} whole rows")
    return _outcome(
        {"smallest chance": round(smallest, 4)}, level, faults, warned,
        f"the last {width} rows are unlike those before", f"the last {width} rows are like those before",
    )  # fmt: skip


def longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Length and first position of the longest run of true values; ``(0, 0)`` where none is."""
    edges = np.diff(np.concatenate([[0], np.asarray(flags).astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(ends[longest] - starts[longest]), int(starts[longest])


def _outcome(measured, threshold, faults: list[str], warned: list[str], bad: str, good: str) -> Outcome:  # type: ignore[no-untyped-def]
    status = "fail" if faults else "warn" if warned else "pass"
    return Outcome(measured, threshold, status, bad if status != "pass" else good, tuple(faults + warned))


CHECKS = (
    Check(
        id="dates",
        title="Every row has a date of its own",
        question="Is every time a date, once a series, in order, on a day on which the market is open?",
        method="Times that cannot be read, that come twice or out of order; for business days weekends, for "
        "prices also 25 December and 1 January.",
        reference="",
        run=dates,
    ),
    Check(
        id="coverage",
        title="The record has no holes",
        question="Are periods missing, or values repeated where a feed stood still?",
        method="Missing share of each series and year, longest gap; a run of one value that the record's own "
        "share of ties explains with a chance below 1e-4.",
        reference="",
        run=coverage,
    ),
    Check(
        id="duplicates",
        title="No stretch of the record comes twice",
        question="Was a block of rows copied, so that a model is tested on what it has learned?",
        method="Every window of consecutive moves, rounded, against every other, within and across series.",
        reference="Kapoor and Narayanan (2023), Leakage and the reproducibility crisis, Patterns 4(9)",
        run=duplicates,
    ),
    Check(
        id="impossible",
        title="Values are possible",
        question="Are there values that no market or thermometer can show?",
        method="Physical limits of the spec; moves against the median move of 51 rows around; spikes "
        "that revert within a row; prices outside their day's range.",
        reference="",
        run=impossible,
    ),
    Check(
        id="look-ahead",
        title="No input knows the future",
        question="Does a column hold or tell what happens only later?",
        method="Share of rows that equal the target of the next ten rows; rank correlation of an input, and "
        "of its change, with the target's next move.",
        reference="Kaufman et al. (2012), Leakage in data mining, ACM TKDD 6(4)",
        run=look_ahead,
    ),
    Check(
        id="embargo",
        title="Training ends before the test begins",
        question="Is every training target known before the first test row?",
        method="Rows of embargo against rows from a forecast to its target.",
        reference="López de Prado (2018), Advances in Financial Machine Learning, ch. 7",
        run=embargo,
    ),
    Check(
        id="survivorship",
        title="The dead are in the panel",
        question="Do some series end before the record does, as companies and stations do?",
        method="Share of series whose last row is more than 60 days before the panel's.",
        reference="Brown et al. (1992), Survivorship bias in performance studies, RFS 5(4)",
        run=survivorship,
    ),
    Check(
        id="publication",
        title="Rows are known when they are used",
        question="How long after its time was a row known?",
        method="Days from `time` to `published`.",
        reference="Croushore and Stark (2001), A real-time data set, J. Econometrics 105(1)",
        run=publication,
    ),
    Check(
        id="breaks",
        title="The record keeps its nature",
        question="Did a sensor or a definition change?",
        method="Largest standardised step in the anomalies, with the long-run variance of an AR(1), against "
        "its 99.9 % bound; warns only.",
        reference="Andrews (1993), Tests for parameter instability, Econometrica 61(4)",
        run=breaks,
    ),
    Check(
        id="drift",
        title="Recent rows are like those before",
        question="Will a model meet what it learned from?",
        method="PSI and Kolmogorov–Smirnov of the last rows against all windows of as many rows (single-step "
        "maxT over columns).",
        reference="Westfall and Young (1993), Resampling-based multiple testing",
        run=changing,
    ),
)
