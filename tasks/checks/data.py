"""Checks of the data before training: those of a domain, and those of any table."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tasks.checks.check import Check, Outcome, longest_run, run_checks
from tasks.checks.table import rows, time
from tasks.checks.table.evidence import Spec, TableEvidence
from tasks.domains import get_domain
from tasks.runtime.calendar import sessions
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.runtime.folds import yearly_folds
from tasks.runtime.frequencies import frequency
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.sources.quarantine import valid

SEED = 20_181_231
"""Seed of the dates at which the features are computed again on past data."""

APART = {"B": 22, "MS": 6}
"""Least number of trading days or months between two independent episodes of a regime."""

ROUNDING = 1e-9
"""Difference, relative for values above one, that comes from another order of the same sums."""

STALE = 5
"""Most rows with the same value in a row. Longer runs may come from a data feed that stopped."""


@dataclass(frozen=True)
class DataEvidence:
    """Tables and parameters for the checks of the data."""

    domain: Any
    raw: pd.DataFrame
    inputs: pd.DataFrame
    classical: pd.DataFrame
    as_of: pd.Timestamp
    params: DomainParams
    progress: Progress

    def dates(self, series: str) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.raw.loc[self.raw["series"] == series, "time"])

    @cached_property
    def table(self) -> TableEvidence:
        """Raw table as evidence for the checks of any table."""
        target = "close" if "close" in self.domain.columns else self.domain.columns[0]
        kind = getattr(self.domain, "kind", None)
        spec = Spec(time="time", target=target, series="series", freq=self.domain.frequency, kind=kind)
        return TableEvidence(self.raw, spec)

    @property
    def series(self) -> list[str]:
        return list(self.raw["series"].unique())

    def expected(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """Return the dates expected from ``first`` to ``last``: sessions of the exchange, or every period."""
        if self.domain.calendar is None:
            return self.table.calendar.expected(first, last)
        return sessions(self.domain.calendar, first, last)


def look_ahead(e: DataEvidence) -> Outcome:
    """Compare the prepared tables with the same features computed on data cut at a date."""
    first = pd.Timestamp(e.params.split.walk_from)
    known = (e.inputs["origin"] >= first) & e.inputs["target"].notna()
    candidates = np.sort(e.inputs.loc[known, "origin"].unique())
    size = min(e.params.audit.look_ahead_cuts, len(candidates))
    chosen = np.random.default_rng(SEED).choice(candidates, size=size, replace=False)
    cuts = [pd.Timestamp(cut) for cut in np.sort(chosen)]
    worst, at_fault = 0.0, []
    for done, cut in enumerate(cuts):
        e.progress("look-ahead", done, len(cuts))
        raw = e.raw[e.raw["time"] <= cut].reset_index(drop=True)
        then = e.domain.features(raw, e.params.features, start=cut)
        for past, now, keys in zip(
            then,
            (e.inputs, e.classical),
            (["series", "lead"], ["series", "lead", "model"]),
            strict=True,
        ):
            for column, difference in _differences(past, now, cut, keys).items():
                worst = max(worst, difference)
                if difference:
                    at_fault.append(f"{column} at {cut:%Y-%m-%d}")
        if then[0].loc[then[0]["origin"] == cut, "target"].notna().any():
            worst = np.inf
            at_fault.append(f"target at {cut:%Y-%m-%d}, which is known at its origin")
    e.progress("look-ahead", len(cuts), len(cuts))
    days = ", ".join(f"{cut:%Y-%m-%d}" for cut in cuts)
    changed = list(dict.fromkeys(at_fault))
    return Outcome(
        measured=float(worst) if np.isfinite(worst) else "different rows",
        threshold=0.0,
        status="fail" if changed or not cuts else "pass",
        why=f"{len(changed)} values change when later data are added (computed again as of {days})"
        if changed
        else f"computed again as of {days}, with the same inputs and classical forecasts"
        if cuts
        else "there is no origin at which features could be computed again",
        at_fault=tuple(changed),
    )


def _differences(
    past: pd.DataFrame, now: pd.DataFrame, cut: pd.Timestamp, keys: list[str]
) -> dict[str, float]:
    """Return the largest absolute difference of each column over the rows with origin ``cut``.

    The difference is infinite where one table has a row or value that the other lacks.
    """
    values = [c for c in now.columns if c.startswith("x_") or c in ("normal", "loc", "scale", "eta", "lam")]
    a, b = (t[t["origin"] == cut].set_index(keys).sort_index() for t in (past, now))
    if a.empty or not a.index.equals(b.index):
        return {"rows": np.inf}
    a, b = a[values], b[values]
    apart = (a - b).abs().mask(a.isna() & b.isna() | np.isclose(a, b, rtol=ROUNDING, atol=ROUNDING), 0.0)
    apart = apart.fillna(np.inf)
    return {str(column): float(apart[column].max()) for column in values}


def embargo(e: DataEvidence) -> Outcome:
    """Count the rows from the last training origin to the first forecast of each fold, less the lead.

    Training uses rows whose stated target date lies before the fold. Counting rows of the raw table checks
    that the targets were known by then.
    """
    inputs = e.inputs[e.inputs["target"].notna()]
    slack, at_fault = [], []
    by_series_and_lead: Any = inputs.groupby(["series", "lead"], sort=False)
    for (series, lead), part in by_series_and_lead:
        dates: Any = e.dates(series)
        for fold in yearly_folds(e.params.split):
            trained = part.loc[part["time"] < fold.start, "origin"]
            forecast = part.loc[part["origin"] >= fold.start, "origin"]
            if trained.empty or forecast.empty:
                continue
            gap = int(dates.get_loc(forecast.min()) - dates.get_loc(trained.max()))
            slack.append(gap - int(lead))
            if slack[-1] < 1:
                at_fault.append(f"{series}, fold {fold.name}, lead {lead}: {gap} rows")
    if not slack:
        why = "no fold has both training rows and forecasts; check `split` in params.yaml"
        return Outcome("no fold", 1, "fail", why)
    good = not at_fault
    return Outcome(
        measured=min(slack),
        threshold=1,
        status="pass" if good else "fail",
        why=f"in all {len(slack)} folds by series and lead, training targets precede the first forecast"
        if good
        else f"{len(at_fault)} of {len(slack)} folds train on targets not known at the first forecast",
        at_fault=tuple(at_fault),
    )


def coverage(e: DataEvidence) -> Outcome:
    """Check for missing periods, gaps, unchanged values, and a record that ends before the snapshot date."""
    limits = e.params.audit
    worst_share, longest, stale, behind = 0.0, 0, 1, 0
    at_fault, warned = [], []
    for series in e.series:
        rows = e.raw[e.raw["series"] == series]
        complete = pd.DatetimeIndex(rows.loc[rows[list(e.domain.columns)].notna().all(axis=1), "time"])
        expected = e.expected(complete[0], complete[-1])
        missing = pd.Series(~expected.isin(complete), index=expected)
        shares = missing.groupby(expected.year).mean()
        worst_share = max(worst_share, float(shares.max()))
        at_fault += [f"{series} {y}: {s:.0%} missing" for y, s in shares[shares > limits.max_missing].items()]
        gap, where = longest_run(missing.to_numpy())
        longest = max(longest, gap)
        if gap > limits.max_gap:
            at_fault.append(f"{series}: {gap} periods missing from {expected[where]:%Y-%m-%d}")
        unknown = complete.difference(expected)
        step = "a trading day" if e.domain.calendar else f"an expected date of frequency {e.domain.frequency}"
        warned += [f"{series}: {day:%Y-%m-%d} is not {step}" for day in unknown[:3]]
        late = len(e.expected(complete[-1], max(e.as_of, complete[-1]))) - 1
        behind = max(behind, late)
        if late > limits.max_gap:
            warned.append(f"{series}: ends {complete[-1]:%Y-%m-%d}, {late} periods before {e.as_of:%Y-%m-%d}")
        value = rows["close" if "close" in rows else e.domain.columns[0]].to_numpy()
        same, where = longest_run(value[1:] == value[:-1])
        stale = max(stale, same + 1)
        if same + 1 == len(value) > 2:
            at_fault.append(f"{series}: all {len(value)} values are {value[0]:g}, so it never moves")
        elif same + 1 > STALE:
            first = rows["time"].iloc[where]
            warned.append(f"{series}: the same value in {same + 1} rows from {first:%Y-%m-%d}")
    return Outcome(
        measured={
            "missing share": round(worst_share, 4),
            "longest gap": longest,
            "longest run of one value": stale,
            "periods from the last row to the snapshot": behind,
        },
        threshold={
            "missing share": limits.max_missing,
            "longest gap": limits.max_gap,
            "longest run of one value": STALE,
            "periods from the last row to the snapshot": limits.max_gap,
        },
        status="fail" if at_fault else "warn" if warned else "pass",
        why="too many or too long gaps, or a series that never moves"
        if at_fault
        else "unexpected dates, unchanged values, or a record that ends early"
        if warned
        else "few periods are missing, no gap is long, and no value is repeated for long",
        at_fault=tuple(at_fault + warned),
    )


def regime_balance(e: DataEvidence) -> Outcome:
    """Check each regime's share of the test block, and the number of its independent episodes there."""
    limits, split = e.params.audit, e.params.split
    if split.test_from == split.test_to:
        return Outcome(
            "one date", "a test block", "not applicable", "no forecasts are scored, or those of one date"
        )
    regimes = e.domain.regimes(e.raw)
    names = sorted(regimes["regime"].unique())
    tested = regimes[regimes["time"].between(pd.Timestamp(split.test_from), pd.Timestamp(split.test_to))]
    measured, at_fault = {}, []
    for series in e.series:
        regime = tested.loc[tested["series"] == series, "regime"].to_numpy()
        for name in names:
            rows = np.flatnonzero(regime == name)
            share = len(rows) / max(len(regime), 1)
            episodes = int(
                (np.diff(rows) > APART["MS" if frequency(e.domain.frequency).calendar else "B"]).sum()
            ) + (len(rows) > 0)
            measured[f"{series} {name}"] = f"{share:.0%}, {episodes} episodes"
            if share < limits.min_regime_share or episodes < limits.min_episodes:
                at_fault.append(f"{series} {name}")
    return Outcome(
        measured=measured,
        threshold=f"at least {limits.min_regime_share:.0%} and {limits.min_episodes} episodes",
        status="warn" if at_fault else "pass",
        why="scores in these regimes are from few independent episodes and do not show skill there"
        if at_fault
        else "every regime occurs often enough in the test block",
        at_fault=tuple(at_fault),
    )


def of_table(check: Check, **changed: str) -> Check:
    """Make a check of any table run on the raw table of a domain."""
    run: Callable[[TableEvidence], Outcome] = check.run
    return replace(check, run=lambda evidence: run(evidence.table), **changed)


def drifted(evidence: DataEvidence) -> Outcome:
    """Check for drift. The check only warns, because the remedy for drift is to train on recent data."""
    found = TABLE["drift"].run(evidence.table)
    return replace(found, status="warn") if found.status == "fail" else found


TABLE = {check.id: check for check in (*rows.CHECKS, *time.CHECKS)}

CHECKS = (
    Check(
        id="look-ahead",
        title="No input looks ahead",
        question="Is every input and classical forecast the same if it is computed from data up to its "
        "origin?",
        method="Features computed again on data cut at seeded dates, compared with those prepared from the "
        "whole record. The largest absolute difference must be 0, up to rounding.",
        reference="Kaufman et al. (2012), Leakage in data mining, ACM TKDD 6(4)",
        run=look_ahead,
    ),
    Check(
        id="embargo",
        title="Training ends before the test begins",
        question="Were all training targets of a fold known before its first forecast?",
        method="Rows from the last training origin to the first forecast origin, less the lead, for each "
        "fold, series and lead. At least 1.",
        reference="López de Prado (2018), Advances in Financial Machine Learning, ch. 7",
        run=embargo,
    ),
    Check(
        id="coverage",
        title="The record has no gaps",
        question="Are periods missing, or values repeated because a data feed stopped?",
        method="Comparison with the sessions of the domain's exchange, or else with every period: missing "
        "share of each year, longest gap, longest run of one value, periods from the last row to the "
        "snapshot date.",
        reference="exchange_calendars",
        run=coverage,
    ),
    Check(
        id="regime-balance",
        title="The test block has every regime",
        question="Are there enough dates and episodes of each regime to score forecasts in it?",
        method="Share of each regime in the test block and number of its episodes, which are more than "
        f"{APART['B']} trading days or {APART['MS']} months apart.",
        reference="",
        run=regime_balance,
    ),
    of_table(TABLE["look-ahead"], id="columns", title="No column of the source looks ahead"),
    *(of_table(TABLE[name]) for name in ("dates", "duplicates", "impossible", "survivorship", "breaks")),
    replace(TABLE["drift"], run=drifted),
)


def check_data(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Run every check of the data on the raw and prepared tables, as :func:`run_checks` does."""
    as_of = pd.Timestamp(read_json(workspace.provenance)["as_of"])
    try:
        raw = valid(workspace.raw, workspace.quarantine)
        inputs, classical = (pd.read_parquet(path) for path in (workspace.inputs, workspace.classical))
    except FileNotFoundError as error:
        raise BasinError(
            f"{error.filename} is missing; run the stage features first (`basin run`)"
        ) from error
    evidence = DataEvidence(get_domain(workspace), raw, inputs, classical, as_of, params, progress)
    # Waivers are judged at the snapshot date, so that the same data give the same audit on any day.
    return run_checks(CHECKS, evidence, progress, params.audit.waive, as_of.date(), workspace.strict)
