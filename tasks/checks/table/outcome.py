"""Outcome of a check that lists faults and warnings."""

from typing import Any, Literal

from tasks.checks.check import Outcome


def outcome(
    measured: Any, threshold: Any, faults: list[str], warned: list[str], bad: str, good: str
) -> Outcome:
    """Return an outcome that fails with faults, warns with warnings alone, and passes without either.

    ``bad`` is the finding of a check that fails or warns, ``good`` that of one that passes.
    """
    status: Literal["pass", "warn", "fail"] = "fail" if faults else "warn" if warned else "pass"
    return Outcome(measured, threshold, status, bad if status != "pass" else good, tuple(faults + warned))
