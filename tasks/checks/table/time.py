"""Checks of what is known when: inputs that know the future, embargo, publication, breaks, drift."""

import numpy as np
import pandas as pd
from scipy import stats

from tasks.checks.check import Check, Outcome
from tasks.checks.drift import drift
from tasks.checks.table.evidence import STEPS, Series, TableEvidence, as_dates
from tasks.checks.table.outcome import outcome

DRIFT_LEVEL = 0.01
"""Chance of calling any column drifted where none is."""

LONG = 100
"""Rows from which a step can be told from chance."""

NAMED = 5
"""Rows at fault that are named."""


def look_ahead(e: TableEvidence) -> Outcome:
    """Inputs that are the target of a later row, or tell its move better than anything honest does."""
    limit = e.threshold("look-ahead.correlation", 0.3 if e.kind != "level" else 0.7)
    measured, faults = {}, []
    for column in e.inputs:
        values = e.numbers(column).to_numpy()
        worst, same, apart, n = 0.0, 0.0, 0.0, 0
        for series in e.series:
            x = values[series.rows - 1]
            apart = max(apart, _ahead_of_target(x, series))
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
        measured[column] = round(max(worst, same, apart), 3)
        if same > 0.5:
            faults.append(f"{column} holds the target of a later row")
        elif apart > max(e.threshold("look-ahead.distance", 0.15), 5 / np.sqrt(max(n, 1))):
            faults.append(
                f"{column} lies on the side to which {e.spec.target} moves next (rank correlation "
                f"{apart:.2f}), as a mean over rows to come does"
            )
        elif worst > max(limit, 5 / np.sqrt(max(n, 1))):
            faults.append(f"{column} tells the next move of {e.spec.target} (rank correlation {worst:.2f})")
    if not measured:
        return Outcome(
            "no inputs", limit, "not applicable", "no column beside time and target, or too few rows"
        )
    return outcome(
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


def _ahead_of_target(x: np.ndarray, series: Series) -> float:
    """Rank correlation of the next move with the distance of an input that follows the target's level."""
    both = np.isfinite(x[:-1]) & np.isfinite(series.value[:-1]) & np.isfinite(series.move[1:])
    if both.sum() <= 60:
        return 0.0
    level, now = x[:-1][both], series.value[:-1][both]
    if np.ptp(level) == 0 or np.ptp(now) == 0 or np.corrcoef(level, now)[0, 1] < 0.9:
        return 0.0
    if min(level.min(), now.min()) > 0:
        level, now = np.log(level), np.log(now)
    distance = level - now
    if np.ptp(distance) < 1e-12:
        return 0.0
    return max(float(stats.spearmanr(distance, series.move[1:][both]).statistic), 0.0)


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
    return outcome(
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
        slipped = _slipped(series) if e.freq == "MS" else None
        if slipped:
            found.append(f"{series.name}: the season is {slipped[1]:+d} months late from about {slipped[0]}")
    return Outcome(
        round(largest, 2), "1 (99.9 % of records without a step)", "warn" if found else "pass",
        "the record changes its nature" if found else "no step stands out", tuple(found),
    )  # fmt: skip


def _anomalies(e: TableEvidence, series: Series) -> np.ndarray:
    season = series.time.month.to_numpy()
    return series.value - pd.Series(series.value).groupby(season).transform("mean").to_numpy()


def _slipped(series: Series) -> tuple[int, int] | None:
    """First year of five in which the season fits that of the first third only when shifted, and the shift.

    Where the cycle explains less than half of that third's variance, the season is no clock: None.
    """
    known = np.isfinite(series.value)
    month, value = series.time.month.to_numpy()[known] - 1, series.value[known]
    year = series.time.year.to_numpy()[known]
    third = year < year[0] + max(10, (year[-1] - year[0]) // 3) if len(year) else year < 0
    early, of = value[third], month[third]
    cycle = np.array([np.median(early[of == m]) if (of == m).any() else np.nan for m in range(12)])
    if np.isnan(cycle).any() or early.var() == 0 or np.var(early - cycle[of]) > 0.5 * early.var():
        return None
    for first in range(int(year[third][-1]) - 4, int(year[-1]) - 3):
        rows = (year >= first) & (year < first + 5)
        if rows.sum() < 48:
            continue
        shifts = [np.corrcoef(value[rows], cycle[(month[rows] - lag) % 12])[0, 1] for lag in range(12)]
        best = int(np.argmax(shifts))
        if best not in (0, 1, 11) and shifts[best] > shifts[0] + 0.2:
            return first, best if best <= 6 else best - 12
    return None


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
    """The last rows against those before: PSI and KS with nulls that know autocorrelation, Wasserstein/σ."""
    width = int(e.threshold("drift.rows", 120 if e.freq in ("B", "D", "h") else 36))
    most = 4_000
    compared, smallest, furthest = 0, 1.0, 0.0
    faults: list[str] = []
    warned: list[str] = []
    level = e.threshold("drift.q", DRIFT_LEVEL)
    for series in e.series:
        columns = {"move": series.move} | {
            name: e.numbers(name).to_numpy()[series.rows - 1] for name in e.inputs[:20]
        }
        table = pd.DataFrame(columns).iloc[-most:]
        table = table.loc[:, table.notna().mean() > 0.5].dropna()
        if len(table) < 8 * width:
            continue
        compared += 1
        past, recent = table.iloc[:-width], table.iloc[-width:]
        found = drift(past, recent)
        moved = {
            name: stats.wasserstein_distance(recent[name], past[name]) / max(past[name].std(), 1e-300)
            for name in table
        }
        furthest = max(furthest, *moved.values())
        smallest = min(smallest, float(found["q"].min()))
        for name, row in found[found["q"] < level].iterrows():
            # A crisis moves inputs far; other units move them out of all that was seen.
            (faults if row["ks"] > e.threshold("drift.ks", 0.95) else warned).append(
                f"{series.name}: {name}, PSI {row['psi']:.2f}, KS {row['ks']:.2f}, "
                f"Wasserstein {moved[name]:.2f} σ, chance {row['q']:.1%}"
            )
    if not compared:
        return Outcome("too few rows", 8 * width, "not applicable", f"no series has {8 * width} whole rows")
    return outcome(
        {"smallest chance": round(smallest, 4), "furthest moved, σ": round(furthest, 2)}, level,
        faults, warned,
        f"the last {width} rows are unlike those before", f"the last {width} rows are like those before",
    )  # fmt: skip


CHECKS = (
    Check(
        id="look-ahead",
        title="No input knows the future",
        question="Does a column hold or tell what happens only later?",
        method="Share of rows that equal the target of the next ten rows; rank correlation of an input, of "
        "its change, and of its distance from a target that it follows, with the target's next move.",
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
        "its 99.9 % bound; whether the season comes at its time in every five years; warns only.",
        reference="Andrews (1993), Tests for parameter instability, Econometrica 61(4)",
        run=breaks,
    ),
    Check(
        id="drift",
        title="Recent rows are like those before",
        question="Will a model meet what it learned from?",
        method="PSI and Kolmogorov–Smirnov of the last rows against all windows of as many rows (single-step "
        "maxT over columns); fails where KS says that hardly a row is like those before, else warns.",
        reference="Westfall and Young (1993), Resampling-based multiple testing",
        run=changing,
    ),
)
