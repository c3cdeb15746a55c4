"""Quarantine of rows that fail the expectation suite, which are stored with a reason and not trained on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.runtime.errors import BasinError


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return the name for a further column, with underscores after it if it is one of those ``taken``.

    Examples
    --------
    >>> free_name("reason", ["close"]), free_name("reason", ["close", "reason"])
    ('reason', 'reason_')
    """
    taken = set(taken)
    while name in taken:
        name += "_"
    return name


def at_fault(
    raw: pd.DataFrame, failed: list[dict[str, Any]], names: tuple[str, ...] = ("series", "time")
) -> pd.DataFrame:
    """Return the rows of ``raw`` that failed an expectation, with their index and a column ``reason``.

    ``names`` are the columns that identify a row in the results of the expectations. The column has another
    name if ``raw`` has a ``reason``.
    """
    reasons: dict[tuple[str, ...], list[str]] = {}
    for failure in failed:
        for row in failure["rows"]:
            key = tuple(str(pd.Timestamp(row[n]) if n == "time" else row[n]) for n in names)
            said = f"{failure['expectation']} on {failure['column']}: {failure['why']}"
            reasons.setdefault(key, []).append(said)
    rows = zip(*(raw[name].astype(object) for name in names), strict=True)
    named = ["; ".join(dict.fromkeys(reasons.get(tuple(map(str, row)), []))) for row in rows]
    why = pd.Series(named, index=raw.index, dtype=str)
    return raw.assign(**{free_name("reason", raw.columns): why})[why != ""]


def valid(raw: Path, quarantine: Path) -> pd.DataFrame:
    """Return the raw table without rows in quarantine, or raise ``BasinError`` if validate has not run."""
    if not quarantine.exists():
        raise BasinError(f"{quarantine} is missing; run the stage validate first (`basin run`)")
    table, aside = pd.read_parquet(raw), pd.read_parquet(quarantine, columns=["row"])
    return table.drop(index=pd.Index(aside["row"])).reset_index(drop=True)
