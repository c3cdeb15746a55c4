"""Plan of a backtest or forecast: test block, refit schedule and sizes, by one rule for every file."""

from dataclasses import replace
from datetime import date
from functools import partial
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd

from tasks.forecasters.levels.features import PERIODS as CYCLE
from tasks.forecasters.levels.features import first_origin
from tasks.forecasters.returns.features import HISTORY
from tasks.forecasters.returns.scale_regression import first_base
from tasks.reporting.labels import count_of, listed, periods
from tasks.runtime.errors import BasinError, expected
from tasks.runtime.frequencies import frequency
from tasks.runtime.params import DomainParams, FeatureParams
from tasks.tilts.config import FEWEST
from tasks.userdata.kinds import has_annual_cycle
from tasks.userdata.normals import notes_on_normals, spread_of_anomalies
from tasks.userdata.reading import Reading
from tasks.userdata.remedies import NoSeasonError, TooFewRowsError, longer_history, other_step
from tasks.userdata.request import Request
from tasks.userdata.sentinels import naming_sentinels
from tasks.userdata.series import OwnLevels, OwnReturns, lowest_of

LONG = 6000
"""Number of rows of a price, rate or return from which refits are half as frequent."""

TEST_SHARE = 0.2
"""Share of the dates that are the test block, the latest ones, if none is given."""

MOST_ROWS = {"level": 6000, "price": 30000, "rate": 30000, "return": 30000}
"""Most rows of a series. With more, refits on the whole past would take hours."""

MIN_ROWS = (100, 500)
"""Fewest and most rows before the first classical fit, where the history is long enough to train a tilt."""

TRAINED = 100
"""Rows that are left to train the tilt on, where the history is long enough."""

SHORTEST = 75
"""Fewest rows before the first classical fit of a short history, which has no tilt of its own."""

FEWEST_BEFORE = 222
"""Fewest rows of a price, rate or return before the test block."""


def planned(
    reading: Reading, request: Request, name: str, tested: bool = True
) -> tuple[Any, DomainParams, Reading]:
    """Return ``(domain, params, reading)``.

    If forecasts are ``tested``, the reading ends with the test block. Otherwise everything is for a forecast
    after the last date, which stands for the block. The notes have a sentence for each decision.
    """
    with naming_sentinels(reading.notes):
        try:
            return _planned(reading, request, name, tested)
        except TooFewRowsError as error:
            plan = partial(_planned, name=name, tested=tested)
            remedy = longer_history(plan, reading, request, tested)
            raise BasinError(f"{error}: {remedy}") from None
        except NoSeasonError as error:
            remedy = other_step(partial(_planned, name=name, tested=tested), reading, request, error.steps)
            raise BasinError(f"{error}: {remedy}") from None


def _planned(
    reading: Reading, request: Request, name: str, tested: bool
) -> tuple[Any, DomainParams, Reading]:
    notes = list(reading.notes)
    sizes = reading.table.groupby("series", sort=False).size()
    most = MOST_ROWS[reading.kind]
    if sizes.max() > most:
        raise BasinError(
            f"series {sizes.idxmax()}: {sizes.max():,} rows, expected at most {most:,} for kind "
            f"{reading.kind}; give the latest rows, or resample to a lower frequency"
        )
    if tested:
        table, split = _split(reading.table, request, notes)
    else:
        table, last = reading.table, reading.table["time"].max().date()
        split = {"test_from": last, "test_to": last}
    first = pd.Timestamp(split["test_from"])
    where = f"before {first:%Y-%m-%d}, where the test block starts" if tested else "before the last date"
    plan = _levels if reading.kind == "level" else _returns
    domain, features, train, events = plan(replace(reading, table=table), request, name, first, where, notes)
    if reading.kind == "level":
        at = first_origin(CYCLE[reading.freq], domain.leads, features)
    else:
        at = first_base(features)
    trained = TRAINED if features.min_rows >= MIN_ROWS[0] else FEWEST
    needed = at + -(-trained // len(domain.leads)) + max(domain.leads)
    earliest = _earliest(table, first, max(domain.leads))
    params = DomainParams.model_validate(
        {
            "ingest": {"as_of": f"{table['time'].max():%Y-%m-%d}"},
            "audit": {
                "look_ahead_cuts": 1,
                "max_missing": 1.0,
                "max_gap": 1000,
                "min_regime_share": 0.05,
                "min_episodes": 5,
                "waive": [{"check": c, "reason": r, "until": date.max} for c, r in request.accept],
            },
            "features": features.model_dump(),
            "split": {
                "walk_from": _walk_from(table, needed, earliest, where, reading.kind, notes),
                "test_from": str(split["test_from"]),
                "test_to": str(split["test_to"]),
            },
            "train": {
                "seeds": request.seeds,
                "capacities": (0, 8, 32),
                "features": 8,
                "seed": 0,
                **train,
            },
            "forecast": {"events": request.thresholds() or events},
        }
    )
    block = f"test block {params.split.test_from} to {params.split.test_to}; " if tested else ""
    notes.append(
        f"{block}walk-forward from {params.split.walk_from}; classical models refitted every "
        f"{features.refit} rows, networks yearly"
    )
    return domain, params, replace(reading, table=table, notes=tuple(notes))


Plan = tuple[Any, FeatureParams, dict[str, Any], tuple[str, ...]]
"""``(domain, features, train, events)``."""


def _returns(
    reading: Reading, request: Request, name: str, first: pd.Timestamp, where: str, notes: list[str]
) -> Plan:
    table = reading.table
    sizes = table.groupby("series", sort=False).size()
    refit = request.refit or frequency(reading.freq).refit * (2 if sizes.max() > LONG else 1)
    features = _features(table, first, where, refit, request.refit is None)
    before = table[table["time"] < first]
    domain = OwnReturns(
        name=name,
        title=f"{name}: the next {frequency(reading.freq).period}",
        frequency=reading.freq,
        kind=reading.kind,
        ohlc=reading.ohlc,
        exog=reading.exog,
        logged=tuple(c for c in reading.exog if (table[c] > 0).all()),
        peers=OwnReturns.peers,
        calm=0.0,
        wild=0.0,
        market=reading.calendar,
    )
    rms = np.sqrt(pd.Series(domain.steps(before) ** 2).rolling(22).mean())
    calm, wild = (float(q) for q in rms.quantile([1 / 3, 2 / 3]))
    peers = _chosen_peers(OwnReturns.peers, OwnReturns.reference, request)
    fewest = before.groupby("series", sort=False).size().min()
    if fewest <= HISTORY and "historical-simulation" in peers:
        notes.append(
            f"historical simulation is left out, because it needs {HISTORY} rows before the test block"
        )
        peers = tuple(peer for peer in peers if peer != "historical-simulation")
    train = {
        "learning_rate": 0.01,
        "weight_decay": 0.05,
        "max_steps": 1500,
        "warm_steps": 500,
        "validation_share": 0.2,
    }
    events = ("<= -2", "<= -3", "<= -5") if reading.kind in ("price", "return") else ("<= 0",)
    return replace(domain, calm=calm, wild=wild, peers=peers), features, train, events


def _levels(
    reading: Reading, request: Request, name: str, first: pd.Timestamp, where: str, notes: list[str]
) -> Plan:
    if reading.freq not in CYCLE:
        raise NoSeasonError(
            f"kind level: rows of frequency {reading.freq} have no season; expected one of "
            f"{', '.join(CYCLE)}",
            ("W", "MS"),
        )
    if frequency(reading.freq).days < 20 and reading.freq != "W" and has_annual_cycle(reading.table, "value"):
        raise NoSeasonError(
            f"kind level: the {frequency(reading.freq).period}s have an annual cycle, which only weeks and "
            "longer steps have as season",
            ("W", "MS"),
        )
    period, furthest = CYCLE[reading.freq], max(request.leads)
    before = reading.table[reading.table["time"] < first]
    rows = int(before.groupby("series", sort=False).size().min()) if len(before) else 0
    least = 3 * period + furthest
    needed = 2 * least + 3 * period
    if rows < needed:
        raise TooFewRowsError(
            f"{periods(reading.freq, rows)} {where}; forecasts {count_of(furthest, 'step')} ahead of a "
            f"series with a cycle of {count_of(period, 'row')} need {needed}"
        )
    features = FeatureParams(
        refit=request.refit or frequency(reading.freq).refit, min_rows=max(least, 24, min(240, rows // 3))
    )
    low, high = (float(q) for q in before["value"].quantile([1 / 3, 2 / 3]))
    domain = OwnLevels(
        target="value",
        exog=reading.exog,
        leads=request.leads,
        freq=None if reading.freq == "W" else reading.freq,
        name=name,
        title=f"{name}: {listed((*request.leads[:-1], periods(reading.freq, request.leads[-1])))} ahead",
        frequency=reading.freq,
        shown=reading.targets[0],
        measure=reading.unit,
        lowest=lowest_of(reading.table["value"]),
        peers=_chosen_peers((*OwnLevels.peers, "mdn"), OwnLevels.reference, request),
        low=low,
        high=high,
    )
    train = {
        "learning_rate": 0.003,
        "weight_decay": 1.0,
        "max_steps": 100,
        "warm_steps": 40,
        "validation_share": 0.4,
    }
    notes += notes_on_normals(reading.table, reading.freq, features)
    spread = spread_of_anomalies(before, period)
    edge = np.format_float_positional(spread, precision=2, fractional=False, trim="-")
    events = (f">= {edge}", f"<= -{edge}")
    return domain, features, train, events


def _chosen_peers(known: tuple[str, ...], reference: str, request: Request) -> tuple[str, ...]:
    if request.peers is None:
        return known
    unknown = [name for name in request.peers if name not in known]
    if unknown:
        raise BasinError(f"--peers {quote(unknown[0])}: for this file {expected(unknown[0], known)}")
    return tuple(dict.fromkeys((reference, *request.peers)))


def _split(table: pd.DataFrame, request: Request, notes: list[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the rows up to the end of the test block, and the block.

    With ``request.dev`` the block is one of the same length that ends before ``request.test_from``.
    """
    times = np.sort(table["time"].unique())
    last = pd.Timestamp(request.test_to or times[-1])
    if request.test_from:
        first = pd.Timestamp(request.test_from)
    else:
        first = pd.Timestamp(times[int((1 - TEST_SHARE) * len(times))]).normalize()
        notes.append(f"test block: the last {100 * TEST_SHARE:.0f} % of the dates")
    if not times[0] < first.to_datetime64() <= times[-1]:
        raise BasinError(
            f"--test-from {first:%Y-%m-%d}: expected a date after {str(times[0])[:10]}, the first of the "
            f"data, and up to {str(times[-1])[:10]}, the last"
        )
    if request.dev:
        tested = int(((times >= first.to_datetime64()) & (times <= last.to_datetime64())).sum())
        earlier = times[times < first.to_datetime64()]
        length = min(tested, len(earlier) // 3)
        notes.append(f"dev: rows from {first:%Y-%m-%d} on are not read; the test block ends before that date")
        table = table[table["time"] < first]
        first, last = pd.Timestamp(earlier[-length]), pd.Timestamp(earlier[-1])
    table = table[table["time"] < last + pd.Timedelta(days=1)].reset_index(drop=True)
    return table, {"test_from": first.date(), "test_to": min(last, table["time"].max()).date()}


def _features(table: pd.DataFrame, first: pd.Timestamp, where: str, refit: int, free: bool) -> FeatureParams:
    """Choose the rows of the first classical fit so that rows are left to train the tilt on.

    They lie before the year in which the test block starts if ``TRAINED`` are left there. A shorter history
    is used up to the test block, with more frequent refits if ``free``.
    """
    least, most = MIN_ROWS
    rows = _rows_before(table, pd.Timestamp(first.year, 1, 1))
    if rows - TRAINED - 1 >= 2 * least + refit:
        features = FeatureParams(refit=refit, min_rows=min(most, (rows - TRAINED - 1 - refit) // 2))
    else:
        rows = _rows_before(table, first)
        refit = max(1, min(refit, rows // 8)) if free else refit
        min_rows = (rows - FEWEST - 3 - refit) // 2  # the first origin is a row before the test block
        if min_rows < SHORTEST:
            raise TooFewRowsError(f"{count_of(rows, 'row')} {where}; expected at least {FEWEST_BEFORE}")
        features = FeatureParams(refit=refit, min_rows=min(min_rows, least - 1))
    short = [str(n) for n, size in table.groupby("series", sort=False).size().items()
             if size <= first_base(features)]  # fmt: skip
    if short:
        raise BasinError(
            f"series {short[0]}: too few rows to forecast; remove it or give a longer history of it"
        )
    return features


def _rows_before(table: pd.DataFrame, end: pd.Timestamp) -> int:
    sizes = table[table["time"] < end].groupby("series", sort=False).size()
    return int(sizes.max()) if len(sizes) else 0


def _earliest(table: pd.DataFrame, first: pd.Timestamp, lead: int) -> pd.Timestamp:
    """Return the origin from which the first test date is forecast at the longest lead."""
    times = np.sort(table["time"].unique())
    at = max(0, int(np.searchsorted(times, first.to_datetime64())) - lead)
    return pd.Timestamp(times[at])


def _walk_from(
    table: pd.DataFrame, needed: int, first: pd.Timestamp, where: str, kind: str, notes: list[str]
) -> str:
    """Return the first 1 January by which a series has ``needed`` rows, but at latest the day of ``first``.

    Raises ``BasinError`` if no series has ``needed`` rows before ``first``.
    """
    starts = [g["time"].iloc[needed] for _, g in table.groupby("series", sort=False) if len(g) > needed]
    year = min([start.year + 1 for start in starts] or [first.year + 1])
    if year <= first.year:
        return f"{year}-01-01"
    if not starts or min(starts) > first:
        raise TooFewRowsError(f"too few rows {where}; training needs {needed}")
    shared = (
        "" if kind == "level" else ", tilted by the energy that Basin learned on markets as far as it pays"
    )
    notes.append(
        f"{_rows_before(table, first)} rows {where} are too few to learn an energy from this file, so the "
        f"forecast is the base{shared}"
    )
    return f"{first:%Y-%m-%d}"
