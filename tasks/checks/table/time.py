"""Checks of a table over time: look-ahead, embargo, publication dates, breaks and drift."""

import numpy as np
import pandas as pd
from scipy import stats

from tasks.checks.check import Check, Outcome
from tasks.checks.drift import drift
from tasks.checks.table.evidence import NAMED, Series, TableEvidence
from tasks.checks.table.outcome import outcome
from tasks.runtime.frequencies import frequency

DRIFT_LEVEL = 0.01
"""Probability of a false alarm over all columns of a series."""

LONG = 100
"""Least number of rows for a check of breaks."""


def look_ahead(e: TableEvidence) -> Outcome:
    """Check for inputs that equal the target of a later row, or predict the next move too well."""
    limit = e.threshold("look-ahead.correlation", 0.3 if e.kind != "level" else 0.7)
    measured, faults = {}, []
    for column in e.inputs:
        values = e.numbers(column).to_numpy()
        worst, same, apart, n = (0.0, ""), 0.0, (0.0, ""), 0
        for series in e.series:
            x = values[series.places]
            apart = max(apart, (_ahead_of_target(x, series), series.name))
            same = max(same, _held(x, series.value, max(10, e.spec.horizon)))
            for known in (
                x,
                e.moves(x, series.time) if np.nanmin(x, initial=1) > 0 else np.r_[np.nan, np.diff(x)],
            ):
                both = np.isfinite(known[:-1]) & np.isfinite(series.move[1:])
                if both.sum() > 60 and np.ptp(known[:-1][both]) > 0:
                    one = _innovations(known[:-1][both])
                    rank = stats.spearmanr(one, series.move[1:][both]).statistic
                    worst, n = max(worst, (abs(float(rank)), series.name)), max(n, int(both.sum()))
        if not n and not same:
            continue
        measured[column] = round(max(worst[0], same, apart[0]), 3)
        if same > 0.5:
            faults.append(f"{column} has the target of a later row")
        elif apart[0] > max(e.threshold("look-ahead.distance", 0.15), 5 / np.sqrt(max(n, 1))):
            faults.append(
                f"the distance of {column} from {apart[1]} predicts the next move (rank correlation "
                f"{apart[0]:.2f}), as with a mean over later rows"
            )
        elif worst[0] > max(limit, 5 / np.sqrt(max(n, 1))):
            faults.append(f"{column} predicts the next move of {worst[1]} (rank correlation {worst[0]:.2f})")
    if not measured:
        return Outcome(
            "no inputs", limit, "not applicable", "no column beside time and target, or too few rows"
        )
    return outcome(
        measured, limit, faults, [], "inputs seem to contain later values; lag or remove them",
        "no input predicts the next move suspiciously well",
    )  # fmt: skip


def _held(x: np.ndarray, target: np.ndarray, horizon: int) -> float:
    """Return the share of rows whose input equals a target of the next ``horizon`` rows but not its own."""
    later, earlier = np.full(len(x), False), np.full(len(x), False)
    for ahead in range(1, min(horizon, len(x) - 1) + 1):
        later[:-ahead] |= np.isclose(x[:-ahead], target[ahead:], rtol=1e-9, atol=0)
        earlier[ahead:] |= np.isclose(x[ahead:], target[:-ahead], rtol=1e-9, atol=0)
    now = np.isclose(x, target, rtol=1e-9, atol=0)
    # Small whole numbers are equal by chance, to earlier rows as often as to later ones.
    return float((later & ~now).mean() - (earlier & ~now).mean()) if len(x) > 30 else 0.0


def _ahead_of_target(x: np.ndarray, series: Series) -> float:
    """Return the rank correlation of the next move with the difference between an input and the target."""
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
    """Return a column, or its changes if it is persistent, because a slow cycle could seem to look ahead."""
    return np.r_[0.0, x[1:] - x[:-1]] if abs(_autocorrelation(x)) > 0.9 else x


def _autocorrelation(x: np.ndarray) -> float:
    centred = x - x.mean()
    total = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum() / total) if total else 0.0


def embargo(e: TableEvidence) -> Outcome:
    """Check that the embargo is at least as long as the horizon."""
    if e.spec.test_from is None or e.spec.embargo is None:
        return Outcome(
            "not given", e.spec.horizon, "not applicable", "the spec has no test_from or no embargo"
        )
    good = e.spec.embargo >= e.spec.horizon
    why = (
        "targets of the last training rows are known before the test block"
        if good
        else "targets of the last training rows lie in the test block: lengthen the embargo"
    )
    return Outcome(e.spec.embargo, e.spec.horizon, "pass" if good else "fail", why)


def publication(e: TableEvidence) -> Outcome:
    """Check the days from a row's time to its publication. Several rows of one time are revisions."""
    if e.spec.published is None:
        return Outcome("not given", 0, "not applicable", "the spec has no column `published`")
    known = e.dates(e.spec.published)
    if known.isna().mean() > 0.5:
        why = f"most cells of column {e.spec.published} are not dates"
        return Outcome("no dates", 0, "fail", why)
    lag = (known - e.time).dt.total_seconds() / 86400
    early = np.flatnonzero(lag < 0)
    late = lag.median() > e.spec.horizon * frequency(e.freq).days
    return outcome(
        {"median lag, days": round(float(lag.median()), 2), "rows published too early": len(early)}, 0,
        [f"row {row + 1}: published before its time" for row in early[:NAMED]],
        ["rows are published later than a forecast of the horizon needs them: lag the inputs"] * bool(late),
        "publication dates do not fit the use of the rows", "rows are published before they are used",
    )  # fmt: skip


def breaks(e: TableEvidence) -> Outcome:
    """Check levels for a step, such as from a change of sensor or definition. It only warns."""
    if e.kind != "level":
        return Outcome(f"kind {e.kind}", 1, "not applicable", "prices and rates have no fixed level")
    if max(len(series.time) for series in e.series) < LONG:
        return Outcome("too few rows", LONG, "not applicable", f"no series has {LONG} rows")
    found, largest = [], 0.0
    for series in e.series:
        ratio, at = step(_anomalies(e, series))
        largest = max(largest, ratio)
        if ratio > 1:
            found.append(f"{series.name}: a step at {series.time[at]:%Y-%m-%d}")
        slipped = _slipped(series) if frequency(e.freq).period == "month" else None
        if slipped:
            months = "later" if slipped[1] > 0 else "earlier"
            found.append(
                f"{series.name}: the season is {abs(slipped[1])} months {months} from about {slipped[0]} on"
            )
    return Outcome(
        {"largest step over its 99.9 % bound": round(largest, 2)}, 1, "warn" if found else "pass",
        "a step in the level or a shift of the season" if found else "no step in the level", tuple(found),
    )  # fmt: skip


def _anomalies(e: TableEvidence, series: Series) -> np.ndarray:
    season = series.time.month.to_numpy()
    return series.value - pd.Series(series.value).groupby(season).transform("mean").to_numpy()


def _slipped(series: Series) -> tuple[int, int] | None:
    """Find a shift of the seasonal cycle; return the first year that has it and the shift in months.

    The cycle of the first third of the record is compared with that of every five years after it. The result
    is None if the cycle is not shifted, or explains less than half of the variance of the first third.
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
    """Return the largest standardised difference of the means before and after a row, and the row.

    The difference is divided by its 99.9 % bound for an autocorrelated record. The long-run variance is that
    of an AR(1) with the lag-one autocorrelation of the record after the step is removed.

    References
    ----------
    Andrews (1993), Tests for parameter instability, Econometrica 61(4).
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
    """Compare the last rows with those before, by PSI and KS with p-values that allow for autocorrelation."""
    width = int(e.threshold("drift.rows", 120 if frequency(e.freq).days <= 1 else 36))
    most = 4_000
    compared, smallest, furthest = 0, 1.0, 0.0
    faults: list[str] = []
    warned: list[str] = []
    level = e.threshold("drift.q", DRIFT_LEVEL)
    for series in e.series:
        columns = {"move": series.move} | {
            name: e.numbers(name).to_numpy()[series.places] for name in e.inputs[:20]
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
            # In a crisis inputs move far, but only a change of units moves nearly all rows out of range.
            (faults if row["ks"] > e.threshold("drift.ks", 0.95) else warned).append(
                f"{series.name}: {name}, PSI {row['psi']:.2f}, KS {row['ks']:.2f}, "
                f"Wasserstein {moved[name]:.2f} σ, p = {row['q']:.3f}"
            )
    if not compared:
        why = f"no series has {8 * width} rows without missing values"
        return Outcome("too few rows", 8 * width, "not applicable", why)
    return outcome(
        {"smallest p-value": round(smallest, 4), "largest distance, σ": round(furthest, 2)}, level,
        faults, warned,
        f"the distribution of the last {width} rows differs from that of the rows before",
        f"the distribution of the last {width} rows is like that of the rows before",
    )  # fmt: skip


CHECKS = (
    Check(
        id="look-ahead",
        title="No input looks ahead",
        question="Does an input contain the target of later rows, or predict it suspiciously well?",
        method="Share of rows whose input equals the target of one of the next ten rows. Rank correlation "
        "of an input, of its change, and of its distance from a target that it follows, with the target's "
        "next move.",
        reference="Kaufman et al. (2012), Leakage in data mining, ACM TKDD 6(4)",
        run=look_ahead,
    ),
    Check(
        id="embargo",
        title="Training ends before the test begins",
        question="Is every training target known before the first test row?",
        method="Number of rows of the embargo, compared with the number from a forecast to its target.",
        reference="López de Prado (2018), Advances in Financial Machine Learning, ch. 7",
        run=embargo,
    ),
    Check(
        id="publication",
        title="Rows are published before they are used",
        question="Is each row published after its time, and before a forecast uses it?",
        method="Days from `time` to `published`.",
        reference="Croushore and Stark (2001), A real-time data set, J. Econometrics 105(1)",
        run=publication,
    ),
    Check(
        id="breaks",
        title="The record has no breaks",
        question="Is there a step in the level or a shift of the season, as from a change of sensor or "
        "definition?",
        method="Largest standardised step in the anomalies, with the long-run variance of an AR(1), compared "
        "with its 99.9 % bound, and the season of every five years compared with that of the first years.",
        reference="Andrews (1993), Tests for parameter instability, Econometrica 61(4)",
        run=breaks,
    ),
    Check(
        id="drift",
        title="Recent rows are like those before",
        question="Is the distribution of the last rows like that of the rows before?",
        method="PSI and Kolmogorov–Smirnov distance of the last rows, compared with those of all windows "
        "of as many rows (single-step maxT over columns). Fails only for a KS distance near 1, otherwise "
        "warns.",
        reference="Westfall and Young (1993), Resampling-based multiple testing",
        run=changing,
    ),
)
