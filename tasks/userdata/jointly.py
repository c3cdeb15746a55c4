"""A user's file as a panel of series whose next returns are forecast jointly."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tasks.joint.correlation import HALF_LIVES
from tasks.joint.marginals import Marginals
from tasks.joint.panel import LEAST, YEARS, Panel, Refit, panel_of, refits
from tasks.joint.walk_forward import PEERS, VINES, history
from tasks.reporting.labels import count_of, listed
from tasks.runtime.errors import BasinError, expected
from tasks.runtime.frequencies import stamp
from tasks.userdata.reading import Reading, compounded
from tasks.userdata.request import Request

ENDED = 10
"""Dates for which a series may have no value at the end. With more, it has ended and is left out."""

PAST = 5
"""Refits before those of the test block by which the energy is weighted."""

BEFORE = 3
"""Refits before a forecast by which its energy is weighted. Their days are those of the band of energies."""


@dataclass(frozen=True)
class OwnPanel:
    """Fields of a ``tasks.domains.domain.Domain`` that scores and reports use."""

    title: str
    unit: str
    frequency: str
    kind: str
    peers: tuple[str, ...]
    question: str = (
        "How will the series move together in the next step? The forecast is their joint density, from which "
        "the distribution of any portfolio and the probability that many fall at once follow."
    )
    leads: tuple[int, ...] = (1,)
    reference: str = "dcc-t"
    base: str = (
        "t copula whose correlation is a weighted mean of exponential averages over "
        f"{listed(map(str, HALF_LIVES))} rows, with GJR-skew-t marginals"
    )
    returns: bool = True
    sources: tuple[str, ...] = ()


def for_panel(reading: Reading) -> Reading:
    """Return the data for joint forecasts, which use the values of the series alone."""
    if reading.kind == "level":
        raise BasinError(
            "--jointly forecasts prices, returns and rates, and the kind of the values is level; pass "
            "--kind price or --kind rate if that is what they are, or omit --jointly"
        )
    reading = compounded(reading)
    kept = [sentence for sentence in reading.notes if not sentence.startswith("the columns open, high")]
    return replace(reading, notes=tuple(kept))


def panel_from(reading: Reading, request: Request, notes: list[str]) -> Panel:
    """Return the panel of the data, up to ``test_to`` or before the test block of ``dev``.

    Notes tell which series and dates are left out.
    """
    wide = reading.table.pivot(index="time", columns="series", values="close")
    wide = wide[list(reading.table["series"].unique())]
    if request.dev and request.test_from:
        wide = wide[wide.index < pd.Timestamp(request.test_from)]
        notes.append(f"dev: rows from {request.test_from} on are not read")
    elif request.test_to:
        wide = wide[wide.index < pd.Timestamp(request.test_to) + pd.Timedelta(days=1)]
    wide = _without_short(_without_ended(wide, notes), notes)
    if not wide.empty:
        there, last = int(wide.iloc[-1].notna().sum()), stamp(wide.index[-1], reading.freq)
        if there < wide.shape[1] / 2:
            raise BasinError(
                f"jointly: on the last date, {last}, {there} of {wide.shape[1]} series have a value; remove "
                "that row, or add the missing values"
            )
    _tell_gaps(wide, reading.freq, notes)
    if reading.kind == "price":
        return panel_of(wide)
    changes = {name: column.dropna().diff().iloc[1:] for name, column in wide.items()}
    return panel_of(pd.DataFrame(changes).reindex(wide.index[1:]), log=False)


def _tell_gaps(wide: pd.DataFrame, freq: str, notes: list[str]) -> None:
    """Add notes on the dates at which a series that has begun has no value."""
    gaps = wide.isna() & wide.notna().cummax()
    holes = gaps.any(axis=1)
    if holes.any():
        count = int(holes.sum())
        notes.append(
            f"{count_of(count, 'date')} at which a series has no value {'is' if count == 1 else 'are'} not "
            "used for the joint density, but for the volatility of the other series"
        )
    most = wide.index[gaps.mean(axis=1) > 0.5]
    if len(most):
        shown = listed([stamp(time, freq) for time in most[:3]])
        notes.append(
            f"warning: coverage: most series have no value on {count_of(len(most), 'date')}: {shown}"
            f"{' ...' if len(most) > 3 else ''}"
        )


def _without_short(wide: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the series that have enough returns for a first fit, unless none has."""
    short = [str(name) for name, known in wide.notna().sum().items() if known <= LEAST + 1]
    if not short or len(short) == wide.shape[1]:
        return wide
    notes.append(
        f"{listed(short[:10])}{' ...' if len(short) > 10 else ''}: left out, because "
        f"{'it has' if len(short) == 1 else 'they have'} no more than {LEAST} returns"
    )
    return wide.drop(columns=short)


def _without_ended(wide: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the series that go on to the end of the table."""
    since = wide.iloc[::-1].notna().cummax().iloc[::-1]
    ended = [str(name) for name, known in since.items() if int((~known).sum()) > ENDED]
    if not ended:
        return wide
    notes.append(
        f"{listed(ended[:10])}{' ...' if len(ended) > 10 else ''}: left out, because "
        f"{'it ends' if len(ended) == 1 else 'they end'} more than {ENDED} dates before the others"
    )
    return wide.drop(columns=ended)


def peers_of(request: Request) -> tuple[str, ...]:
    """Return the copulas that are compared with the tilt, among them its base."""
    wanted = PEERS if request.peers is None else request.peers
    for peer in wanted:
        if peer not in (*PEERS, *VINES):
            raise BasinError(f"--peers {peer}: not a peer of --jointly; {expected(peer, (*PEERS, *VINES))}")
    return tuple(dict.fromkeys(("base", *wanted)))


@dataclass(frozen=True)
class Walk:
    """Refits whose forecasts weigh the energy, and those of the test block or of a forecast."""

    past: list[Refit]
    test: list[Refit]

    @property
    def refits(self) -> list[Refit]:
        return [*self.past, *self.test]


def walk_of_test(panel: Panel, request: Request, freq: str, notes: list[str]) -> Walk:
    """Return the refits of a backtest: the test block is the last quarter of the years by default."""
    times, every = panel.times, _closed(panel)
    if request.test_from and not request.dev:
        start = int(times.searchsorted(pd.Timestamp(request.test_from)))
        if start >= len(times):
            raise BasinError(
                f"--test-from {request.test_from}: the data end on {stamp(times[-1], freq)}; give an earlier "
                "date"
            )
        if start < every[0].first:
            raise BasinError(
                f"--test-from {request.test_from}: joint densities need {LEAST} earlier dates; give a date "
                f"from {stamp(times[every[0].first], freq)} on"
            )
        past = [replace(r, end=min(r.end, start)) for r in every if r.first < start]
        test = [replace(r, first=max(r.first, start)) for r in every if r.end > start]
        test[0] = replace(test[0], start=_start(times, test[0].first))
    else:
        count = max(1, round(len(every) / 4))
        past, test = every[:-count], every[-count:]
        notes.append("test block: the last quarter of the years")
    notes.append(
        f"the models were refitted {count_of(len(test), 'time')}, at the first date of the test block, "
        f"{stamp(times[test[0].first], freq)}, and of each year after it, on up to {YEARS} years before"
    )
    return Walk(past[-PAST:], test)


def walk_to_end(panel: Panel) -> Walk:
    """Return the refits of a forecast, of which the last learns up to the last row."""
    last = len(panel.times)
    return Walk(_closed(panel)[-BEFORE:], [Refit(_start(panel.times, last - 1), last, last + 1)])


def _closed(panel: Panel) -> list[Refit]:
    """Return the yearly refits, of which the last ends with the data."""
    every = refits(panel.times)
    return [*every[:-1], replace(every[-1], end=len(panel.times))]


def _start(times: pd.DatetimeIndex, row: int) -> int:
    return int(times.searchsorted(times[row] - pd.DateOffset(years=YEARS)))


def require_history(panel: Panel, marginals: Marginals, walk: Walk, notes: list[str]) -> None:
    """Raise ``BasinError`` if a refit has too few common dates, and tell which series have no forecast."""
    scores = marginals.scores(panel.returns)
    for refit in walk.refits:
        members, _, learned = history(scores, marginals.known, refit)
        before = f"{panel.times[refit.first - 1]:%Y-%m-%d}"
        if len(members) < 2:
            raise BasinError(
                f"jointly: {len(members)} of {len(panel.names)} series have a history of {LEAST} returns up "
                f"to {before}; expected two or more; give a longer history or a later --test-from"
            )
        if learned < LEAST:
            there = np.isfinite(panel.returns[refit.start : refit.first])[:, members]
            worst = panel.names[members[int(there.mean(axis=0).argmin())]]
            raise BasinError(
                f"jointly: {learned} dates up to {before} at which all {len(members)} series have a return; "
                f"expected {LEAST}; leave out {worst}, which has the most gaps"
            )
    absent = [name for i, name in enumerate(panel.names) if i not in members]
    if absent:
        shown = f"{listed(absent[:10])}{' ...' if len(absent) > 10 else ''}"
        notes.append(
            f"{shown}: left out of the last refit, because the history is too short or the value still"
        )
