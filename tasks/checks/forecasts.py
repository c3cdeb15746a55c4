"""Checks of the forecasts before a model is registered: calibration, normaliser and skill."""

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
"""Probability of any false alarm over all intervals of a domain (Bonferroni)."""

NORMALISER = 1e-4
"""Largest error of log Z, and so of a log score, in nats."""

WORSE = 0.0228
"""Probability of any false alarm over all series and leads. For a single one the threshold is t < −2."""


@dataclass(frozen=True)
class ForecastEvidence:
    """Forecasts, scores and regimes for the checks of the forecasts."""

    forecasts: pd.DataFrame
    scores: dict[str, Any]
    regimes: pd.DataFrame

    @cached_property
    def grouped(self) -> pd.DataFrame:
        return grouped(self.forecasts, self.regimes)


def calibration(e: ForecastEvidence) -> Outcome:
    """Compare the coverage of the 50 % and 90 % intervals with exact binomial bounds.

    The targets of lead h overlap, so n forecasts count as n / h independent ones.
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
        why=f"the coverage of {len(at_fault)} of {len(measured)} intervals is beyond chance"
        if at_fault
        else f"the coverage of all {len(measured)} intervals is nominal, within chance",
        at_fault=tuple(at_fault),
    )


def normaliser(e: ForecastEvidence) -> Outcome:
    """Compare the largest error of log Z over the test rows, from the stage `evaluate`, with its limit."""
    error = e.scores.get("normaliser_error")
    known = isinstance(error, int | float)
    return Outcome(
        measured=error if known else "not stated",
        threshold=NORMALISER,
        status="pass" if isinstance(error, int | float) and error <= NORMALISER else "fail",
        why="log scores are exact up to this error in nats",
    )


def skill(e: ForecastEvidence) -> Outcome:
    """Test whether the model is significantly worse than its base, by the t of the gain at each lead."""
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
        why="the tilted forecast is significantly worse than its base there: use the base"
        if at_fault
        else "at no lead is the tilted forecast significantly worse than its base",
        at_fault=tuple(at_fault),
    )


def _leads(scores: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the scores of each series at each lead."""
    for series, part in scores.get("series", {"": scores}).items():
        for lead, block in part["leads"].items():
            yield f"{series} lead {lead}".strip(), block


CHECKS = (
    Check(
        id="calibration",
        title="Intervals are calibrated",
        question="Are half of the outcomes in the 50 % interval, and nine in ten in the 90 % interval?",
        method="Coverage on the test block by series and lead, compared with exact binomial bounds at a "
        f"level of {100 * LEVEL:g} % for all intervals together. n forecasts of lead h count as n/h.",
        reference="Gneiting, Balabdaoui and Raftery (2007), JRSS B 69(2)",
        run=calibration,
    ),
    Check(
        id="normaliser",
        title="Densities integrate to one",
        question="Is the normaliser exact enough for the log scores?",
        method="Largest change of log Z, in nats, when the number of quadrature panels is doubled. `python "
        "-m benchmarks normaliser` compares log Z with adaptive quadrature.",
        reference="",
        run=normaliser,
    ),
    Check(
        id="skill",
        title="The tilt does no harm",
        question="Is the energy-based model significantly worse than its base at any lead?",
        method="Paired difference of log scores with HAC standard errors, by series and lead. The "
        f"probability of any false alarm is {100 * WORSE:.1f} % (Bonferroni).",
        reference="Diebold and Mariano (1995), JBES 13(3)",
        run=skill,
    ),
    Check(
        id="skill-by-group",
        title="The model is not clearly worse in any season, decade or regime",
        question="Is the best peer clearly better in a season, a decade or a regime?",
        method="Mean gain in log score over the best peer by season, decade and regime at the origin, with "
        "intervals of a stationary bootstrap that together have a level of 95 %.",
        reference="Politis and Romano (1994), JASA 89(428); Lerch et al. (2017), Statistical Science 32(1)",
        run=lambda e: judge_skill(e.grouped),
    ),
    Check(
        id="coverage-by-group",
        title="Intervals are calibrated in every season, decade and regime",
        question="Is the coverage of the intervals nominal in each season, decade and regime?",
        method="Coverage of the 50 % and 90 % intervals by group and lead, compared with exact binomial "
        "bounds at a level of 5 % for all groups together. n forecasts of lead h count as n/h.",
        reference="Gneiting, Balabdaoui and Raftery (2007), JRSS B 69(2)",
        run=lambda e: judge_coverage(e.grouped),
    ),
)


def check_forecasts(
    workspace: Workspace, waivers: Sequence[Waiver] = (), progress: Progress = silent
) -> dict[str, Any]:
    """Run every check of the forecasts on the test block, as :func:`tasks.checks.check.run_checks` does."""
    if not workspace.forecasts.exists():
        raise BasinError(f"{workspace.forecasts} is missing; run the stage evaluate first (`basin run`)")
    regimes = get_domain(workspace).regimes(valid(workspace.raw, workspace.quarantine))
    forecasts, scores = pd.read_parquet(workspace.forecasts), read_json(workspace.scores)
    day = date.fromisoformat(read_json(workspace.provenance)["as_of"])
    return run_checks(
        CHECKS, ForecastEvidence(forecasts, scores, regimes), progress, waivers, day, workspace.strict
    )
