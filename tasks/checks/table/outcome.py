"""The outcome of a check that lists faults."""

from typing import Any, Literal

from tasks.checks.check import Outcome


def outcome(
    measured: Any, threshold: Any, faults: list[str], warned: list[str], bad: str, good: str
) -> Outcome:
    """Fail with faults, warn with warnings alone, pass without either."""
    status: Literal["pass", "warn", "fail"] = "fail" if faults else "warn" if warned else "pass"
    return Outcome(measured, threshold, status, bad if status != "pass" else good, tuple(faults + warned))
