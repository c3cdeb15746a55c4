"""Walk-forward probabilities of an event on the path: simulated paths, and logits beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from tasks.events.event import Array, Event
from tasks.forecasters.returns import garch

SAMPLES = 20000
"""Simulated paths of each starting variance, half of them the mirror images of the others' shocks in rank."""

SPACING = 0.2
"""Of the starting variances, in logs, on a grid that no row moves; between them log odds are interpolated."""

BARRIERS = (0.5, 0.75, 1.0, 1.25)
"""Multiples of the event's log return: the event itself and its neighbours, more frequent or rarer."""
EXACT = 2
"""Place of the event itself among ``BARRIERS``."""

FEWEST, FEWEST_OUTCOMES = 750, 250
"""Rows before the first simulation, and outcomes before inputs may lead its variance."""

WINDOW = 2000
"""Rows of the second fit, where there are more: parameters drift over decades."""

LED = 2 / 3
"""Share of the way, in logs, from GJR's volatility to the one that a regression with inputs expects."""

CLIP = 3.0
PENALTY = 1.0
"""Ridge penalty of logits on standardised inputs."""


@dataclass(frozen=True)
class Origins:
    """By row of the series; NaN where there is too little past.

    ``plain`` and ``led`` are simulated log odds of each barrier ``(n, 4)``: of one fit without inputs, and
    pooled over windows with inputs; ``beyond`` says whether each barrier was reached. ``depth`` is the log
    distance below the highest price of three horizons, in standard deviations of that many steps.
    """

    plain: Array
    led: Array
    beyond: np.ndarray
    depth: Array
    inputs: pd.DataFrame
    label: np.ndarray
    known: np.ndarray
    """Row by which the label of a row is known."""

    @property
    def probability(self) -> Array:
        """Of the event, pooled and with inputs, before the tilt."""
        found: Array = special.expit(self.led[:, EXACT])
        return found


def origins(close: Array, event: Event, years: np.ndarray, exog: dict[str, Array], seed: int) -> Origins:
    """Everything that the probability models share."""
    n = len(close)
    plain, led, scale = simulate(close, event, years, exog, seed)
    observed = event.observed(close)
    barriers = event.barrier(np.array(BARRIERS))
    sign = 1.0 if event.below else -1.0
    window = 3 * event.steps
    price = pd.Series(np.log(close))
    fall = (price.rolling(window, min_periods=1).max() - price).to_numpy()
    return Origins(
        plain,
        led,
        sign * observed[:, None] <= sign * barriers,
        100 * fall / (scale * np.sqrt(window)),
        inputs_of(close, special.expit(led[:, EXACT]), exog),
        event.happened(observed),
        np.where(np.isnan(observed), n + event.steps, np.arange(n) + event.steps),
    )


def simulate(
    close: Array, event: Event, years: np.ndarray, exog: dict[str, Array], seed: int
) -> tuple[Array, Array, Array]:
    """``plain`` and ``led`` as in :class:`Origins`, and the simulated volatility a step, in per cent.

    Filtered historical simulation: GJR(1,1,1) is refitted on the first row of each year on the returns until
    then; shocks are drawn from its standardised past residuals, the variance runs along each path. All rows
    of a year share their draws, so a probability is a smooth function of the row's variance. ``led`` is the
    mean over GJR fitted to all rows and to the last ``WINDOW``, and with ``exog`` the log returns of each
    path are multiplied by :func:`_factor`; ``plain`` and the volatility are of all rows.
    References: Barone-Adesi, Giannopoulos and Vosper (1999); for the mean over windows Pesaran and
    Timmermann (2007).
    """
    n, steps = len(close), event.steps
    returns = 100 * np.diff(np.log(close))
    realised = np.full(n, np.nan)
    ahead = np.lib.stride_tricks.sliding_window_view(returns**2, steps).mean(axis=1)
    realised[: len(ahead)] = np.log(ahead + 1e-6)
    inputs = np.column_stack([np.empty((n, 0)), *(_level(values) for values in exog.values())])
    multiples = np.array(BARRIERS)
    plain, led = (np.full((n, len(BARRIERS)), np.nan) for _ in range(2))
    scale = np.full(n, np.nan)
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        if rows[0] < FEWEST:
            continue
        odds = []
        for window in (rows[0], WINDOW) if rows[0] > WINDOW else (rows[0],):
            fitted = garch.fit("gjr-skewt", returns[rows[0] - window : rows[0]])
            now = _simulated(event, fitted, returns, rows, np.random.default_rng([seed, int(year)]))
            if window == rows[0]:
                scale[rows] = np.exp(now.horizon / 2)
                plain[rows] = now.log_odds(np.broadcast_to(event.barrier(multiples), plain[rows].shape))
            factor = np.ones(len(rows))
            if exog:
                x = np.column_stack([np.ones(rows[-1] + 1), now.variance, inputs[: rows[-1] + 1]])
                factor = _factor(x, realised, rows, steps, now.horizon)
            odds.append(now.log_odds(event.barrier(multiples / factor[:, None])))
        led[rows] = np.mean(odds, axis=0)
    return plain, led, scale


@dataclass(frozen=True)
class Simulated:
    """Sorted samples of the statistic from each starting variance, evenly spaced in logs.

    ``variance`` is the log one-step variance of every row until the last simulated one, ``place`` that of the
    simulated rows in units of the spacing, ``horizon`` their log variance a step over the horizon.
    """

    statistics: list[Array]
    below: bool
    variance: Array
    place: Array
    horizon: Array

    def log_odds(self, barriers: Array) -> Array:
        """Log odds ``(rows, barriers)`` that the statistic lies beyond each row's barriers.

        Between two starts they are interpolated.
        """
        cell = self.place.astype(int).clip(0, len(self.statistics) - 2)
        found = np.empty(barriers.shape)
        for k in np.unique(cell):
            inside = cell == k
            odds = []
            for ordered in self.statistics[k : k + 2]:
                if self.below:
                    beyond = np.searchsorted(ordered, barriers[inside], side="right")
                else:
                    beyond = len(ordered) - np.searchsorted(ordered, barriers[inside], side="left")
                odds.append(np.log((beyond + 0.5) / (len(ordered) - beyond + 0.5)))
            weight = (self.place[inside] - k)[:, None]
            found[inside] = (1 - weight) * odds[0] + weight * odds[1]
        return found


def _simulated(
    event: Event, fitted: dict[str, float], returns: Array, rows: np.ndarray, rng: np.random.Generator
) -> Simulated:
    """Paths of ``fitted`` from the variances of the grid around those of ``rows``."""
    scale = garch.forecasts("gjr-skewt", fitted, returns[: rows[-1]], 0)["scale"].to_numpy()
    residual = (returns[1 : rows[0]] - fitted["mu"]) / scale[: rows[0] - 1]
    draws = _draws(residual, event.steps, rng)
    variance = np.append(np.nan, 2 * np.log(scale))
    now = variance[rows]
    lowest = np.floor(now.min() / SPACING)
    starts = SPACING * np.arange(lowest, np.ceil(now.max() / SPACING) + 2)
    statistics, over = [], []
    for start in starts:
        path = _paths(fitted, np.exp(start), draws)
        statistics.append(np.sort(event.statistic(path)))
        over.append(np.log(1e4 * np.log1p(path[:, -1]).var() / event.steps))
    place = now / SPACING - lowest
    return Simulated(statistics, event.below, variance, place, np.interp(now, starts, over))


def _draws(residual: Array, steps: int, rng: np.random.Generator) -> Array:
    """Shocks ``(SAMPLES, steps)`` from past ones, the second half the opposite ranks of the first."""
    ordered = np.sort(residual)
    half = rng.integers(len(ordered), size=(SAMPLES // 2, steps))
    drawn: Array = ordered[np.concatenate([half, len(ordered) - 1 - half])]
    return drawn


def _paths(fitted: dict[str, float], variance: float, draws: Array) -> Array:
    """Simple returns from the origin ``(samples, steps)`` of a GJR that starts at ``variance``."""
    now, total = np.full(len(draws), variance), np.zeros(len(draws))
    path = np.empty_like(draws)
    for step in range(draws.shape[1]):
        shock = np.sqrt(now) * draws[:, step]
        total += fitted["mu"] + shock
        path[:, step] = np.expm1(total / 100)
        leverage = fitted["alpha[1]"] + fitted["gamma[1]"] * (shock < 0)
        now = fitted["omega"] + leverage * shock**2 + fitted["beta[1]"] * now
    return path


def _factor(x: Array, realised: Array, rows: np.ndarray, steps: int, simulated: Array) -> Array:
    """Factor of the volatility over the horizon at ``rows``: exp(LED · (log σ expected − log σ simulated)).

    Expected is what a regression of the log realised variance of the horizon on ``x`` (GJR's variance and the
    inputs, in logs) says with the outcomes known by the first of ``rows``; 1 where an input is missing. The
    two are combined because either misses some of what the other knows.
    Reference: Bates and Granger (1969).
    """
    past = np.arange(len(x)) < rows[0] - steps
    past &= np.isfinite(x).all(axis=1) & np.isfinite(realised[: len(x)])
    if past.sum() < FEWEST_OUTCOMES:
        return np.ones(len(rows))
    beta = np.linalg.lstsq(x[past], realised[: len(x)][past], rcond=None)[0]
    error = realised[: len(x)][past] - x[past] @ beta
    expected = x[rows] @ beta + np.log(np.exp(error).mean())
    ratio: Array = np.exp(LED * (expected - simulated) / 2).clip(0.25, 4.0)
    return np.nan_to_num(ratio, nan=1.0)


def _level(values: Array) -> Array:
    """An input in logs where it is positive throughout, as it is otherwise."""
    level: Array = np.log(values) if (values > 0).all() else values
    return level


def inputs_of(close: Array, probability: Array, exog: dict[str, Array]) -> pd.DataFrame:
    """What the logit sees: the simulation's own answer, recent volatility against its year, ``exog``."""
    returns = pd.Series(np.append(np.nan, 100 * np.diff(np.log(close))))
    month, year = (0.5 * np.log((returns**2).rolling(k).mean() + 0.02) for k in (22, 250))
    table = pd.DataFrame({"simulated": special.ndtri(probability), "volatility": month - year})
    for name, values in exog.items():
        level = pd.Series(_level(values))
        table[f"{name}_22"] = level - level.rolling(22).mean()
        table[name] = level - month if (values > 0).all() else level
    return table


def standardised(table: pd.DataFrame, fitted: np.ndarray) -> Array:
    """Inputs in standard deviations of the rows ``fitted``, bounded; 0 where one is missing."""
    past = table.iloc[fitted]
    values: Array = (
        ((table - past.mean()) / past.std().clip(lower=1e-9)).clip(-CLIP, CLIP).fillna(0.0).to_numpy()
    )
    return values


def running_rate(found: Origins, steps: int) -> Array:
    """The share of events among the outcomes known at each row, from one event in ten rows at the start."""
    known = np.concatenate([[0.0], found.label.cumsum()])
    count = np.maximum(0, np.arange(len(found.label)) - steps + 1)
    rate: Array = (known[count] + 1) / (count + 10)
    return rate


def logit(found: Origins, table: pd.DataFrame, years: np.ndarray, first: int) -> Array:
    """A ridge logit on ``table``, refitted each year on labels known by then, for rows from ``first``."""
    from sklearn.linear_model import LogisticRegression

    probability = np.full(len(years), np.nan)
    for year in np.unique(years[first:]):
        rows = np.flatnonzero(years == year)
        fitted = usable(found, rows[0])
        x = standardised(table, fitted)
        if found.label[fitted].sum() < 5:
            probability[rows] = max(found.label[fitted].mean(), 1e-3) if len(fitted) else 0.1
            continue
        model = LogisticRegression(C=1 / PENALTY).fit(x[fitted], found.label[fitted])
        probability[rows] = model.predict_proba(x[rows])[:, 1]
    return probability


def usable(found: Origins, row: int) -> np.ndarray:
    """Rows with a simulation whose outcome was known before ``row``."""
    return np.flatnonzero((found.known < row) & np.isfinite(found.led).all(axis=1))
