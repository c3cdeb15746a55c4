"""Checks of the audit: their definition, a function that runs them, and the error if one failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tasks.runtime.errors import BasinError, expected
from tasks.runtime.files import read_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import Waiver

ORDER = ("not applicable", "pass", "warn", "fail")


@dataclass(frozen=True)
class Outcome:
    """Result of a check.

    ``measured`` and ``threshold`` are numbers, texts or flat mappings of them. ``why`` states the finding.
    ``at_fault`` names the rows, dates, columns, folds or leads with a fault.
    """

    measured: Any
    threshold: Any
    status: Literal["not applicable", "pass", "warn", "fail"]
    why: str
    at_fault: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A check of the data or the forecasts. ``run`` gets the evidence of its phase, such as tables."""

    id: str
    title: str
    question: str
    method: str
    reference: str
    run: Callable[[Any], Outcome]


def run_checks(
    checks: Sequence[Check],
    evidence: Any,
    progress: Progress = silent,
    waivers: Sequence[Waiver] = (),
    day: date | None = None,
    strict: bool = True,
) -> dict[str, Any]:
    """Return ``{"status", "checks"}``, ready for JSON. The status is that of the worst check.

    A failure for which a waiver is valid on ``day`` becomes a warning, with ``waived`` holding the reason and
    end date. Unless ``strict``, every failure becomes a warning.
    """
    results = []
    for done, check in enumerate(checks):
        progress("audit", done, len(checks))
        outcome = check.run(evidence)
        status, why, accepted = outcome.status, outcome.why, None
        if status == "fail" and day is not None:
            for waiver in (w for w in waivers if w.check == check.id):
                if waiver.until >= day:
                    status, accepted = "warn", {"reason": waiver.reason, "until": f"{waiver.until}"}
                    end = "" if waiver.until == date.max else f" until {waiver.until}"
                    why += f" (waived{end}: {waiver.reason})"
                else:
                    why += f" (the waiver ended on {waiver.until})"
        status = "warn" if status == "fail" and not strict else status
        results.append(
            {
                "id": check.id,
                "title": check.title,
                "question": check.question,
                "method": check.method,
                "reference": check.reference,
                "measured": outcome.measured,
                "threshold": outcome.threshold,
                "status": status,
                "why": why,
                "at_fault": list(outcome.at_fault),
                **({"waived": accepted} if accepted else {}),
            }
        )
    progress("audit", len(checks), len(checks))
    return {"status": max((r["status"] for r in results), key=ORDER.index), "checks": results}


def require_known(waivers: Sequence[Waiver], checks: Sequence[Check], where: str) -> None:
    """Raise ``BasinError`` if a waiver names no check. ``where`` is the key of the waivers in their file."""
    known = sorted({check.id for check in checks})
    for waiver in waivers:
        if waiver.check not in known:
            raise BasinError(f"{where}: unknown check {waiver.check}; {expected(waiver.check, known)}")


def require_pass(path: Path) -> None:
    """Raise ``BasinError`` naming the first failed check of an audit file. Warnings pass."""
    failed = [check for check in read_json(path)["checks"] if check["status"] == "fail"]
    if failed:
        first = failed[0]
        where = f" at {', '.join(first['at_fault'][:3])}" if first["at_fault"] else ""
        others = f" ({len(failed) - 1} more checks failed)" if len(failed) > 1 else ""
        raise BasinError(
            f"audit: check {first['id']} failed{where}: measured {first['measured']}, expected "
            f"{first['threshold']}: {first['why']}{others}; correct the cause and run again, or waive the "
            "check until a date, with a reason (`audit.waive` in params.yaml)"
        )


def longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Return length and first position of the longest run of true values, or ``(0, 0)`` if there is none."""
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(ends[longest] - starts[longest]), int(starts[longest])
