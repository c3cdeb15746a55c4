"""Probabilities and scores of events and of thirds, which outcomes before the test block define."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from tasks.runtime.frequencies import frequency
from tasks.scoring.predictive import LEVELS
from tasks.scoring.ranking import auroc

FEWEST = 10
"""Fewest earlier outcomes of a season from which it has its own thirds and base rates."""

DRAWS = 400
"""Resamples of the block bootstrap of an AUROC."""

CELLS = 2_000_000
"""Rows times resamples of an AUROC that are computed at once, which bounds the memory."""

OUTSIDE = 0.005
"""Probability below the 1 % quantile, and above the 99 % quantile, where a forecast has no finer quantile."""


def seasons(time: pd.Series, freq: str) -> pd.Series:
    """Return the season of each time: its month, or its weekday if rows are days, or its hour below a day.

    Years have one season, the empty string.
    """
    step = frequency(freq)
    stamps = pd.DatetimeIndex(time)
    if step.yearly == 1:
        names = np.full(len(stamps), "")
    elif step.intraday:
        names = stamps.strftime("%H:00").to_numpy()
    else:
        names = stamps.strftime("%a" if step.name == "D" else "%b").to_numpy()
    return pd.Series(names, index=time.index, dtype=object)


def season_order(freq: str) -> list[str]:
    """Return the names of all seasons, in the order of the calendar."""
    step = frequency(freq)
    if step.yearly == 1:
        return [""]
    if step.intraday:
        return [f"{hour:02d}:00" for hour in range(24)]
    if step.name == "D":
        return ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    return [f"{pd.Timestamp(2001, month, 1):%b}" for month in range(1, 13)]


class Past:
    """Outcomes before the test block, from which thirds and base rates follow without look-ahead.

    ``inputs`` is the table of the stage features, and ``first`` the first date of the test block.
    """

    def __init__(self, inputs: pd.DataFrame, first: pd.Timestamp, freq: str) -> None:
        before = inputs[(inputs["time"] < first) & inputs["target"].notna()]
        before = before.sort_values("lead", kind="stable").drop_duplicates(["series", "time"])
        self.freq = freq
        self.groups = {
            (str(series), season): part["target"].to_numpy()
            for (series, season), part in before.groupby(["series", seasons(before["time"], freq)])
        }
        self.groups |= {(str(s), None): part["target"].to_numpy() for s, part in before.groupby("series")}

    def outcomes(self, series: str, season: str) -> np.ndarray:
        """Return the earlier outcomes of a season, or of all seasons if it has fewer than ``FEWEST``."""
        own = self.groups.get((series, season), np.empty(0))
        return own if len(own) >= FEWEST else self.groups.get((series, None), np.empty(0))

    def thirds(self, rows: pd.DataFrame) -> np.ndarray:
        """Return ``(n, 2)``, the boundaries between the thirds of the outcomes for each row's season."""
        return self._of_rows(rows, lambda past: np.quantile(past, [1 / 3, 2 / 3]), 2)

    def rate(self, rows: pd.DataFrame, event: str) -> np.ndarray:
        """Return ``(n,)``, the share of earlier outcomes with the event, for each row's season."""
        return self._of_rows(rows, lambda past: np.array([occurs(past, event).mean()]), 1)[:, 0]

    def _of_rows(self, rows: pd.DataFrame, of: Any, size: int) -> np.ndarray:
        keys = list(zip(rows["series"].astype(str), seasons(rows["time"], self.freq), strict=True))
        known = {key: self.outcomes(*key) for key in set(keys)}
        found = {key: of(past) if len(past) else np.full(size, np.nan) for key, past in known.items()}
        return np.array([found[key] for key in keys]).reshape(len(keys), size)


def occurs(outcome: np.ndarray, event: str) -> np.ndarray:
    """Return where an event, such as ``>= 0.5``, occurs.

    Examples
    --------
    >>> occurs(np.array([0.4, 0.5]), ">= 0.5").tolist()
    [False, True]
    """
    sign, edge = event.split()
    found: np.ndarray = outcome <= float(edge) if sign == "<=" else outcome >= float(edge)
    return found


def below(rows: pd.DataFrame, edge: np.ndarray) -> np.ndarray:
    """Return P(Y ≤ edge) of each forecast ``(n,)``, by linear interpolation of its 99 quantiles."""
    quantiles = rows[[f"q{level:.2f}" for level in LEVELS]].to_numpy()
    found = [
        np.interp(at, values, LEVELS, left=OUTSIDE, right=1 - OUTSIDE)
        for at, values in zip(edge, quantiles, strict=True)
    ]
    return np.array(found)


def chance(rows: pd.DataFrame, event: str) -> np.ndarray:
    """Return the probability ``(n,)`` of an event, such as ``>= 0.5``, from the quantiles of forecasts."""
    sign, edge = event.split()
    under = below(rows, np.full(len(rows), float(edge)))
    return under if sign == "<=" else 1 - under


def of_thirds(rows: pd.DataFrame, edges: np.ndarray) -> np.ndarray:
    """Return the probabilities ``(n, 3)`` of the lower, middle and upper third."""
    low, high = below(rows, edges[:, 0]), below(rows, edges[:, 1])
    return np.stack([low, np.maximum(high - low, 0), 1 - np.maximum(low, high)], axis=1)


def rpss(rows: pd.DataFrame, edges: np.ndarray) -> float | None:
    """Return the ranked probability skill score of the thirds, over probabilities of one third each.

    ``edges`` ``(n, 2)`` are the boundaries of the thirds. None if they are not known. Reference: Epstein
    (1969).
    """
    import scoringrules

    known = np.isfinite(edges).all(axis=1)
    if not known.any():
        return None
    rows, edges = rows[known], edges[known]
    observed = rows["observed"].to_numpy()
    category = 1 + (observed > edges[:, 0]).astype(int) + (observed > edges[:, 1])
    score = scoringrules.rps_score(category, of_thirds(rows, edges)).mean()
    even = scoringrules.rps_score(category, np.full((len(rows), 3), 1 / 3)).mean()
    return float(1 - score / even)


def brier_skill(probability: np.ndarray, happened: np.ndarray, rate: np.ndarray) -> float | None:
    """Return 1 − Σ(p − y)² / Σ(r − y)² over base rates r.

    It is None if the base rates make no error, and without an event, where a probability of 0 is perfect.
    """
    import scoringrules

    reference = scoringrules.brier_score(happened.astype(float), rate).sum()
    score = scoringrules.brier_score(happened.astype(float), probability).sum()
    return float(1 - score / reference) if reference > 0 and happened.any() else None


def resamples(time: pd.Series, horizon: int) -> Iterator[np.ndarray]:
    """Yield how often each row is in some resamples ``(resamples, n)`` of a circular block bootstrap.

    There are ``DRAWS`` resamples in all. They are of dates, so that the rows of a date stay together. Blocks
    have max(2·horizon, √d) of d dates, and the seed is fixed. Reference: Politis and Romano (1992).
    """
    from arch.bootstrap import CircularBlockBootstrap

    dates, place = np.unique(time.to_numpy(), return_inverse=True)
    block = min(len(dates), max(2 * horizon, int(np.sqrt(len(dates)))))
    drawn = CircularBlockBootstrap(block, np.arange(len(dates)), seed=0).bootstrap(DRAWS)
    while part := list(islice(drawn, max(1, CELLS // len(place)))):
        yield np.array([np.bincount(chosen, minlength=len(dates)) for (chosen,), _ in part])[:, place]


def event_scores(models: dict[str, pd.DataFrame], events: tuple[str, ...], past: Past, horizon: int) -> Any:
    """Return for each event how often it occurred and, for each model, Brier skill and AUROC with interval.

    ``models`` are the forecasts of each model at one lead, with the same rows. The reference of the Brier
    skill is the base rate before the test block. The AUROC has a 95 % interval by :func:`resamples`, and is
    None if the event always or never occurs. The Brier skill is None if it never occurs.
    """
    ours = next(iter(models.values()))
    rates = {event: past.rate(ours, event) for event in events}
    happened = {
        event: occurs(ours["observed"].to_numpy(), event)
        for event, rate in rates.items()
        if np.isfinite(rate).all()
    }
    answers = {(event, model): chance(rows, event) for event in happened for model, rows in models.items()}
    areas: dict[tuple[str, str], list[np.ndarray]] = {key: [] for key in answers}
    for counts in resamples(ours["time"], horizon) if answers else ():
        for (event, model), answer in answers.items():
            areas[event, model].append(auroc(happened[event], answer, counts))
    found: dict[str, Any] = {
        event: {"n": int(occurred.sum()), "base_rate": float(rates[event].mean()), "models": {}}
        for event, occurred in happened.items()
    }
    for (event, model), answer in answers.items():
        area = float(auroc(happened[event], answer, np.ones((1, len(ours))))[0])
        drawn = np.concatenate(areas[event, model])
        drawn = drawn[np.isfinite(drawn)]
        known = np.isfinite(area) and len(drawn) > 0
        found[event]["models"][model] = {
            "brier_skill": brier_skill(answer, happened[event], rates[event]),
            "auroc": area if known else None,
            "auroc_interval": np.quantile(drawn, [0.025, 0.975]).tolist() if known else None,
        }
    return found
