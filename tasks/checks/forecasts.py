"""Checks of the forecasts, before a model is registered: calibration, normaliser, skill, groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from tasks.checks.check import Check, Outcome, run_checks
from tasks.checks.groups import INTERVALS, grouped, judge_coverage, judge_skill
from tasks.domains import get_domain
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import Waiver
from tasks.runtime.workspace import Workspace
from tasks.sources.quarantine import valid

LEVEL = 0.01
"""Chance of any false alarm among all intervals of a domain (Bonferroni)."""

NORMALISER = 1e-4
"""Largest error of a log score through its normaliser, nats."""

WORSE = 0.0228
"""Chance of a false alarm over all series and leads together; for one it is t < −2."""


@dataclass(frozen=True)
class ForecastEvidence:
    """What the checks of the forecasts look at."""

    forecasts: pd.DataFrame
    scores: dict[str, Any]
    regimes: pd.DataFrame

    @cached_property
    def grouped(self) -> pd.DataFrame:
        return grouped(self.forecasts, self.regimes)


def calibration(e: ForecastEvidence) -> Outcome:
    """Coverage of the 50 % and 90 % intervals against exact binomial bounds.

    Targets of lead h overlap, so n forecasts count as n / h independent ones.
    """
    from scipy.stats import binom

    rows = e.forecasts[(e.forecasts["model"] == "ebm") & e.forecasts["observed"].notna()]
    groups: list[Any] = list(rows.groupby(["series", "lead"], sort=False))
    level = LEVEL / max(1, len(groups) * len(INTERVALS))
    measured, threshold, at_fault = {}, {}, []
    for (series, lead), group in groups:
        n = max(1, len(group) // int(lead))
        for nominal, (low, high) in INTERVALS.items():
            name = f"{series} lead {lead}, {nominal:.0%}"
            share = float(group["observed"].between(group[low], group[high]).mean())
            bounds = [float(b) / n for b in binom.ppf([level / 2, 1 - level / 2], n, nominal)]
            measured[name], threshold[name] = round(share, 3), f"{bounds[0]:.3f} to {bounds[1]:.3f}"
            if not bounds[0] <= share <= bounds[1]:
                at_fault.append(name)
    if not measured:
        return Outcome(
            "no forecasts", "coverage by lead", "fail", "no forecast of the model has an observed value"
        )
    return Outcome(
        measured=measured,
        threshold=threshold,
        status="warn" if at_fault else "pass",
        why=f"{len(at_fault)} of {len(measured)} intervals hold more or fewer observations than chance allows"
        if at_fault
        else f"all {len(measured)} intervals hold as many observations as they say, within chance",
        at_fault=tuple(at_fault),
    )


def normaliser(e: ForecastEvidence) -> Outcome:
    """The largest error of log Z over the test rows, as `evaluate` measured it."""
    error = e.scores.get("normaliser_error")
    known = isinstance(error, int | float)
    return Outcome(
        measured=error if known else "not stated",
        threshold=NORMALISER,
        status="pass" if isinstance(error, int | float) and error <= NORMALISER else "fail",
        why="log scores are exact to this error, nats",
    )


def skill(e: ForecastEvidence) -> Outcome:
    """t of the paired log-score difference to the untilted base at each lead; 0 where both are the same."""
    from scipy.stats import norm

    leads = list(_leads(e.scores))
    least = round(float(norm.ppf(WORSE / len(leads))), 2)
    measured, at_fault = {}, []
    for name, lead in leads:
        paired = lead["paired"].get("base")
        if paired is None:
            return Outcome(
                "no paired score", least, "fail", f"scores.json has no comparison with the base at {name}"
            )
        t = paired["t"] or 0.0
        measured[name] = round(t, 2)
        if t < least:
            at_fault.append(name)
    return Outcome(
        measured=measured,
        threshold=least,
        status="fail" if at_fault else "pass",
        why="the tilt is significantly worse than the classical model under it: keep the base there"
        if at_fault
        else "the tilt is at no lead significantly worse than the classical model under it",
        at_fault=tuple(at_fault),
    )


def _leads(scores: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The blocks of scores of each series at each lead."""
    for series, part in scores.get("series", {"": scores}).items():
        for lead, block in part["leads"].items():
            yield f"{series} lead {lead}".strip(), block


CHECKS = (
    Check(
        id="calibration",
        title="Intervals hold what they say",
        question="Do half of the outcomes fall into the 50 % interval, nine in ten into the 90 % interval?",
        method=f"Coverage on the test block by series and lead against exact binomial bounds, {LEVEL:.0%} "
        "for all intervals together; n forecasts of lead h count as n/h.",
        reference="Gneiting, Balabdaoui and Raftery (2007), JRSS B 69(2)",
        run=calibration,
    ),
    Check(
        id="normaliser",
        title="Densities integrate to one",
        question="Can the log scores be trusted to the last digit shown?",
        method="Largest change of log Z when the quadrature's panels are doubled, nats; held against "
        "adaptive quadrature by `python -m benchmarks normaliser`.",
        reference="",
        run=normaliser,
    ),
    Check(
        id="skill",
        title="The tilt does no harm",
        question="Is the energy-based model anywhere clearly worse than the classical model it tilts?",
        method=f"Paired difference of log scores with HAC errors by series and lead; the chance that any "
        f"of them fails without cause is {WORSE:.1%} (Bonferroni).",
        reference="Diebold and Mariano (1995), JBES 13(3)",
        run=skill,
    ),
    Check(
        id="skill-by-group",
        title="No season, decade or regime is served clearly worse",
        question="Is there a kind of day on which the best peer is clearly better?",
        method="Mean gain in log score over the best peer by season, decade and the regime at the origin, "
        "with a stationary-bootstrap interval, 95 % for all groups together.",
        reference="Politis and Romano (1994), JASA 89(428); Lerch et al. (2017), Statistical Science 32(1)",
        run=lambda e: judge_skill(e.grouped),
    ),
    Check(
        id="coverage-by-group",
        title="Intervals hold what they say in every group",
        question="Are the intervals right in each season, decade and regime, not only on average?",
        method="Coverage of the 50 % and 90 % intervals by group and lead against exact binomial bounds, 5 % "
        "for all; n forecasts of lead h count as n/h.",
        reference="Gneiting, Balabdaoui and Raftery (2007), JRSS B 69(2)",
        run=lambda e: judge_coverage(e.grouped),
    ),
)


def check_forecasts(
    workspace: Workspace, waivers: Sequence[Waiver] = (), progress: Progress = silent
) -> dict[str, Any]:
    """Run every check of the forecasts on the test block; see :func:`tasks.checks.check.run_checks`."""
    if not workspace.forecasts.exists():
        raise BasinError(f"{workspace.forecasts} is missing; run the stage evaluate first (`basin run`)")
    regimes = get_domain(workspace).regimes(valid(workspace.raw, workspace.quarantine))
    forecasts, scores = pd.read_parquet(workspace.forecasts), read_json(workspace.scores)
    day = date.fromisoformat(read_json(workspace.provenance)["as_of"])
    return run_checks(CHECKS, ForecastEvidence(forecasts, scores, regimes), progress, waivers, day)
