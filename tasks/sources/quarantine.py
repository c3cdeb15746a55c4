"""Rows that break their suite, set aside with the reason: never trained on, never lost."""

from pathlib import Path
from typing import Any

import pandas as pd

from tasks.runtime.errors import BasinError


def at_fault(
    raw: pd.DataFrame, failed: list[dict[str, Any]], names: tuple[str, ...] = ("series", "time")
) -> pd.DataFrame:
    """The rows of ``raw`` that failed expectations name, with a column ``reason``; its index is theirs.

    ``names`` are the columns that name a row.
    """
    reasons: dict[tuple[str, ...], list[str]] = {}
    for failure in failed:
        for row in failure["rows"]:
            key = tuple(str(pd.Timestamp(row[n]) if n == "time" else row[n]) for n in names)
            said = f"{failure['expectation']} on {failure['column']}: {failure['why']}"
            reasons.setdefault(key, []).append(said)
    rows = zip(*(raw[name].astype(object) for name in names), strict=True)
    named = ["; ".join(dict.fromkeys(reasons.get(tuple(map(str, row)), []))) for row in rows]
    table = raw.assign(reason=pd.Series(named, index=raw.index, dtype=str))
    return table[table["reason"] != ""]


def valid(raw: Path, quarantine: Path) -> pd.DataFrame:
    """The raw table without the rows in quarantine. Raises ``BasinError`` where validate has not run."""
    if not quarantine.exists():
        raise BasinError(f"{quarantine} is missing; run the stage validate first (`basin run`)")
    table, aside = pd.read_parquet(raw), pd.read_parquet(quarantine, columns=["row"])
    return table.drop(index=pd.Index(aside["row"])).reset_index(drop=True)
