"""Options of the commands on a user's file. Unset options are inferred from the data and reported."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from shlex import quote
from typing import Literal, get_args

from tasks.runtime.calendar import require_exchange
from tasks.runtime.errors import BasinError, expected
from tasks.runtime.frequencies import frequency

Kind = Literal["price", "return", "rate", "level"]
KINDS = get_args(Kind)
ACTS = ("stop", "drop", "interpolate")
CHECKS = (
    "breaks", "calibration", "columns", "coverage", "coverage-by-group", "dates", "drift", "duplicates",
    "embargo", "impossible",
    "look-ahead", "normaliser", "regime-balance", "skill", "skill-by-group", "survivorship",
)  # fmt: skip
"""Checks of the audits, whose findings can be accepted with a reason."""

EVENT = re.compile(r"(end)?(?P<sign><=|>=)(?P<edge>-?(?:\d+\.?\d*|\.\d+))(@(?P<step>\d+))?")
"""Threshold of an event, with the step at which it is meant."""

REASON = 10
"""Fewest characters of a reason."""


@dataclass(frozen=True)
class Request:
    """Options of ``basin inspect | backtest | forecast | alarm``. An option that is None is inferred."""

    time: str | None = None
    target: str | tuple[str, ...] | None = None
    """Column to forecast, or several, which are the series of one panel."""
    exog: tuple[str, ...] = ()
    series: str | None = None
    kind: Kind | None = None
    freq: str | None = None
    leads: tuple[int, ...] = (1,)
    test_from: date | None = None
    test_to: date | None = None
    refit: int | None = None
    peers: tuple[str, ...] | None = None
    seeds: int = 5
    dev: bool = False
    on_bad_row: Literal["stop", "drop", "interpolate"] = "stop"
    resample: str | None = None
    calendar: str | None = None
    """Exchange whose sessions are the dates to come, by its name in ``exchange_calendars``."""
    all_targets: bool = False
    """Whether every column that could be forecast is a series of one panel."""
    strict: bool = False
    """Whether warnings of the audit stop the run."""
    events: tuple[str, ...] = ()
    """Events whose probability is forecast, such as ``<=-2`` or ``end>=0.5@6``, in the unit of the forecast.
    Those of a level are of its anomaly."""
    jointly: bool = False
    """Whether the next returns of several series are forecast as one joint density."""
    weights: Mapping[str, Mapping[str, float]] | None = None
    """Weights of the series by portfolio, with ``jointly``. None and no portfolio are equal weights."""
    accept: tuple[tuple[str, str], ...] = ()
    """Checks of the audit whose findings are accepted, each with a reason."""

    @property
    def targets(self) -> tuple[str, ...]:
        if self.target is None:
            return ()
        return (self.target,) if isinstance(self.target, str) else self.target

    def thresholds(self, lead: int | None = None) -> tuple[str, ...]:
        """Return signs and thresholds of the events, such as ``<= -2``, of all steps or of one.

        An event such as ``end>=0.5@6`` is of step 6 alone, and one without a step is of all steps.
        """
        found = filter(None, (EVENT.fullmatch(event.replace(" ", "")) for event in self.events))
        meant = [match for match in found if lead is None or int(match["step"] or lead) == lead]
        return tuple(dict.fromkeys(f"{match['sign']} {match['edge']}" for match in meant))

    def __post_init__(self) -> None:
        """Raise ``BasinError`` for options that are wrong for any file."""
        if self.kind is not None and self.kind not in KINDS:
            raise BasinError(f"--kind {quote(self.kind)}: {expected(self.kind, KINDS)}")
        if self.freq is not None:
            frequency(self.freq)
        if self.resample is not None:
            frequency(self.resample, "--resample")
        if self.calendar is not None:
            require_exchange(self.calendar)
        if self.on_bad_row not in ACTS:
            raise BasinError(f"--on-bad-row {quote(self.on_bad_row)}: {expected(self.on_bad_row, ACTS)}")
        if not self.leads or min(self.leads) < 1 or len(set(self.leads)) < len(self.leads):
            raise BasinError(
                f"--leads {quote(','.join(map(str, self.leads)))}: expected different numbers of steps, each "
                "1 or more"
            )
        if self.seeds < 1:
            raise BasinError(f"--seeds {self.seeds}: expected 1 or more")
        if self.refit is not None and self.refit < 1:
            raise BasinError(f"--refit {self.refit}: expected 1 row or more")
        if self.test_from and self.test_to and self.test_to < self.test_from:
            raise BasinError(
                f"--test-to {self.test_to}: expected a date on or after --test-from {self.test_from}"
            )
        if self.dev and self.test_from is None:
            raise BasinError(
                "--dev must not read the test block and needs to know its first date; give --test-from"
            )
        self._check_jointly()
        for event in self.events:
            match = EVENT.fullmatch(event.replace(" ", ""))
            if match is None:
                raise BasinError(
                    f"--events {quote(event)}: expected a threshold in the unit of the forecast, such as "
                    "'<=-2', or 'end>=0.5@6' with the step"
                )
            if match["step"] and int(match["step"]) not in self.leads:
                raise BasinError(
                    f"--events {quote(event)}: step {match['step']} is not forecast; pass --leads "
                    f"{match['step']} or a --horizon that has it"
                )
        for check, reason in self.accept:
            if check not in CHECKS:
                raise BasinError(f"--accept {quote(check)}: no such check; {expected(check, CHECKS)}")
            if len(reason.strip()) < REASON:
                raise BasinError(
                    f"--accept {quote(f'{check}={reason}')}: expected a reason of {REASON} characters or "
                    "more, which the report shows"
                )
        if self.target == ():
            raise BasinError("--target has no column; give the columns to forecast, or omit --target")
        if self.all_targets and self.target is not None:
            raise BasinError("--targets all and --target exclude each other; give one of them")

    def _check_jointly(self) -> None:
        """Raise ``BasinError`` for options that do not go together with joint forecasts."""
        if self.weights is not None and not self.jointly:
            raise BasinError("--weights is for the portfolios of joint forecasts; add --jointly")
        if not self.jointly:
            return
        others = {
            "--horizon or --leads": max(self.leads, default=1) > 1,
            "--exog": self.exog,
            "--refit": self.refit,
            "--events": self.events,
        }
        for name, given in others.items():
            if given:
                raise BasinError(
                    "--jointly forecasts the next step of all series from their own past, refitted each "
                    f"year; omit {name}, or omit --jointly"
                )
