"""One automatic rule for every file: the block to test on, schedules and sizes, from the file alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tasks.errors import BasinError
from tasks.families.returns import HISTORY, first_base
from tasks.own.domains import OwnReturns
from tasks.own.question import Question
from tasks.own.reading import Reading
from tasks.params import DomainParams, FeatureParams
from tasks.walk_forward import FEWEST

REFIT = {"B": 63, "D": 63, "W": 13, "h": 168, "MS": 12}
"""Rows between refits of the classical models; twice as many where a series is longer than LONG."""

LONG = 6000

TEST_SHARE = 0.2
"""Of the rows, the latest, where no test block is asked for."""

MIN_ROWS = (100, 500)
"""Fewest and most rows before the first classical fit."""


def planned(reading: Reading, question: Question, name: str) -> tuple[Any, DomainParams, Reading]:
    """``(domain, params, reading)``: the reading cut to its test block, with what was decided said."""
    if reading.kind == "level" or question.leads != (1,):
        raise BasinError("only one step ahead of a price or rate can be forecast so far: leave --leads out")
    said = list(reading.said)
    table, split = _split(reading.table, question, said)
    sizes = table.groupby("series", sort=False).size()
    refit = question.refit or REFIT[reading.freq] * (2 if sizes.max() > LONG else 1)
    features = _features(table, pd.Timestamp(split["test_from"]), refit)
    split["walk_from"] = _walk_from(table, features, pd.Timestamp(split["test_from"]))
    positive = tuple(c for c in reading.exog if (table[c] > 0).all())
    before = table[table["time"] < pd.Timestamp(split["test_from"])]
    domain = OwnReturns(
        name=name,
        title=f"{name}: the next step",
        frequency=reading.freq,
        kind=reading.kind,
        ohlc=reading.ohlc,
        exog=reading.exog,
        logged=positive,
        peers=OwnReturns.peers,
        calm=0.0,
        wild=0.0,
    )
    rms = np.sqrt(pd.Series(domain.steps(before) ** 2).rolling(22).mean())
    calm, wild = (float(q) for q in rms.quantile([1 / 3, 2 / 3]))
    domain = replace(domain, calm=calm, wild=wild, peers=_peers(domain, before, question, said))
    split["test_from"], split["test_to"] = str(split["test_from"]), str(split["test_to"])
    params = DomainParams.model_validate(
        {
            "ingest": {"as_of": f"{table['time'].max():%Y-%m-%d}"},
            "audit": {
                "look_ahead_cuts": 1,
                "max_missing": 1.0,
                "max_gap": 1000,
                "min_regime_share": 0.05,
                "min_episodes": 5,
            },
            "features": features.model_dump(),
            "split": split,
            "train": {
                "seeds": question.seeds,
                "capacities": (0, 8, 32),
                "features": 8,
                "learning_rate": 0.01,
                "weight_decay": 0.05,
                "max_steps": 1500,
                "warm_steps": 500,
                "validation_share": 0.2,
                "seed": 0,
            },
            "forecast": {"events": ("<= -2", "<= -3", "<= -5") if reading.kind == "price" else ("<= 0",)},
        }
    )
    said.append(
        f"test block {params.split.test_from} to {params.split.test_to}; walk-forward from "
        f"{params.split.walk_from}; classical models refitted every {refit} rows, networks every year"
    )
    return domain, params, replace(reading, table=table, said=tuple(said))


def _split(table: pd.DataFrame, question: Question, said: list[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows up to the end of the test block, and the block; with ``dev`` one of its length before it."""
    times = np.sort(table["time"].unique())
    last = pd.Timestamp(question.test_to or times[-1])
    if question.test_from:
        first = pd.Timestamp(question.test_from)
    else:
        first = pd.Timestamp(times[int((1 - TEST_SHARE) * len(times))]).normalize()
        said.append(f"test block: the last {TEST_SHARE:.0%} of the dates")
    if not times[0] < first.to_datetime64() <= times[-1]:
        raise BasinError(
            f"--test-from {first:%Y-%m-%d}: the data go from {times[0]:.10} to {times[-1]:.10}".replace(
                "T", " "
            )
        )
    if question.dev:
        tested = int(((times >= first.to_datetime64()) & (times <= last.to_datetime64())).sum())
        earlier = times[times < first.to_datetime64()]
        length = min(tested, int(0.4 * len(earlier)))
        said.append(f"--dev: nothing from {first:%Y-%m-%d} on is read; the test block lies before it")
        table = table[table["time"] < first]
        first, last = pd.Timestamp(earlier[-length]), pd.Timestamp(earlier[-1])
    table = table[table["time"] < last + pd.Timedelta(days=1)].reset_index(drop=True)
    return table, {"test_from": first.date(), "test_to": min(last, table["time"].max()).date()}


def _features(table: pd.DataFrame, first: pd.Timestamp, refit: int) -> FeatureParams:
    """As long a first fit as leaves ``FEWEST`` rows to train on before the year of the test block."""
    year = pd.Timestamp(first.year, 1, 1)
    before = table[table["time"] < year].groupby("series", sort=False).size()
    rows = int(before.max()) if len(before) else 0
    least, most = MIN_ROWS
    if rows - FEWEST - 1 < 2 * least + refit:
        raise BasinError(
            f"{rows} rows before {year:%Y-%m-%d}, the year of the test block; expected at least "
            f"{2 * least + refit + FEWEST + 1}: give a longer history or a later --test-from"
        )
    min_rows = min(most, (rows - FEWEST - 1 - refit) // 2)
    short = [str(n) for n, size in table.groupby("series", sort=False).size().items()
             if size <= first_base(FeatureParams(refit=refit, min_rows=min_rows))]  # fmt: skip
    if short:
        raise BasinError(
            f"series {short[0]}: too few rows to forecast; leave it out or give a longer history"
        )
    return FeatureParams(refit=refit, min_rows=min_rows)


def _walk_from(table: pd.DataFrame, features: FeatureParams, first: pd.Timestamp) -> str:
    at = first_base(features) + FEWEST
    starts = [g["time"].iloc[at] for _, g in table.groupby("series", sort=False) if len(g) > at]
    year = min(min(starts).year + 1, first.year - (first.month == 1 and first.day == 1))
    return f"{year}-01-01"


def _peers(domain: OwnReturns, before: pd.DataFrame, question: Question, said: list[str]) -> tuple[str, ...]:
    known = OwnReturns.peers
    if question.peers is not None:
        unknown = [name for name in question.peers if name not in known]
        if unknown:
            raise BasinError(f"--peers {unknown[0]}: known for {domain.kind}: {', '.join(known)}")
        known = tuple(dict.fromkeys((domain.reference, *question.peers)))
    fewest = before.groupby("series", sort=False).size().min()
    if fewest <= HISTORY and "historical-simulation" in known:
        said.append(f"no historical simulation: it needs {HISTORY} rows before the test block")
        known = tuple(name for name in known if name != "historical-simulation")
    return known
