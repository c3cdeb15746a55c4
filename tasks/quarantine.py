"""Rows that break their suite, set aside with the reason: never trained on, never lost."""

from pathlib import Path
from typing import Any

import pandas as pd

from tasks.errors import BasinError

KEYS = ["series", "time"]


def at_fault(raw: pd.DataFrame, failed: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows of ``raw`` that failed expectations name, with a column ``reason``; its index is theirs."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for failure in failed:
        for row in failure["rows"]:
            said = reasons.setdefault((str(row["series"]), str(pd.Timestamp(row["time"]))), [])
            said.append(f"{failure['expectation']} on {failure['column']}: {failure['why']}")
    named = [
        "; ".join(dict.fromkeys(reasons.get((str(series), str(time)), [])))
        for series, time in zip(raw["series"], raw["time"], strict=True)
    ]
    table = raw.assign(reason=pd.Series(named, index=raw.index, dtype=str))
    return table[table["reason"] != ""]


def valid(raw: Path, quarantine: Path) -> pd.DataFrame:
    """The raw table without the rows in quarantine. Raises ``BasinError`` where validate has not run."""
    if not quarantine.exists():
        raise BasinError(f"{quarantine} is missing; run the stage validate first (`basin run`)")
    table, aside = pd.read_parquet(raw), pd.read_parquet(quarantine, columns=["row"])
    return table.drop(index=aside["row"]).reset_index(drop=True)
