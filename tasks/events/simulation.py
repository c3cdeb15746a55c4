"""Walk-forward probabilities of an event, by simulated paths and by logistic regression."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from tasks.events.event import Array, Event
from tasks.forecasters.returns import garch
from tasks.runtime.parallel import Progress, silent

SAMPLES = 20000
"""Number of simulated paths from each starting variance. Half use the opposite ranks of the other shocks."""

SPACING = 0.2
"""Spacing of the starting variances in logs. The grid is fixed, and log odds are interpolated on it."""

BARRIERS = (0.5, 0.75, 1.0, 1.25)
"""Factors for the log return of the event's threshold, which give the event and more or less extreme ones."""
EXACT = 2
"""Index of the event itself in ``BARRIERS``."""

FEWEST, FEWEST_OUTCOMES = 750, 250
"""Smallest number of rows for a simulation, and of outcomes before inputs may adjust its variance."""

WINDOW = 2000
"""Number of latest rows for a second fit, because parameters drift over decades."""

LED = 2 / 3
"""Weight, in logs, of the volatility expected by a regression on inputs. GJR's volatility has the rest."""

CLIP = 3.0
PENALTY = 1.0
"""Ridge penalty of the logistic regression on standardised inputs."""


@dataclass(frozen=True)
class Origins:
    """Simulated probabilities, inputs and outcomes for each of n rows, NaN where the history is too short.

    ``plain`` and ``led`` ``(n, 4)`` are simulated log odds of each barrier. Those of ``plain`` come from one
    fit without inputs, and those of ``led`` are averaged over two windows and adjusted by inputs. ``beyond``
    ``(n, 4)`` says whether each barrier was reached, and ``label`` ``(n,)`` whether the event happened.
    ``depth`` ``(n,)`` is the log distance below the highest price of the last three horizons, in standard
    deviations of the return over that time.
    """

    plain: Array
    led: Array
    beyond: np.ndarray
    depth: Array
    inputs: pd.DataFrame
    label: np.ndarray
    known: np.ndarray
    """Row at which the label of each row is known."""

    @property
    def probability(self) -> Array:
        """Simulated probability of the event from ``led``, before the tilt."""
        found: Array = special.expit(self.led[:, EXACT])
        return found


def origins(
    close: Array,
    event: Event,
    years: np.ndarray,
    exog: dict[str, Array],
    seed: int,
    progress: Progress = silent,
) -> Origins:
    """Compute the simulation, inputs and outcomes that all probability models use."""
    n = len(close)
    plain, led, scale = simulate(close, event, years, exog, seed, progress)
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


def simulated_years(years: np.ndarray) -> np.ndarray:
    """Return the years with ``FEWEST`` or more rows before them. ``years`` ``(n,)`` are those of the rows."""
    found, first = np.unique(years, return_index=True)
    return found[first >= FEWEST]


def simulate(
    close: Array,
    event: Event,
    years: np.ndarray,
    exog: dict[str, Array],
    seed: int,
    progress: Progress = silent,
) -> tuple[Array, Array, Array]:
    """Return ``plain`` and ``led`` of :class:`Origins`, and the simulated volatility per step, in per cent.

    The method is filtered historical simulation. On the first row of each year GJR(1,1,1) is refitted to all
    earlier returns. Shocks are drawn from its standardised residuals, and the variance is updated along each
    path. All rows of a year share their draws, so a probability is a smooth function of the row's variance.
    ``plain`` and the volatility use the fit to all earlier rows. ``led`` is the mean over that fit and one to
    the last ``WINDOW`` rows. With ``exog`` it also multiplies the log returns of each path by
    :func:`_factor`. References: Barone-Adesi, Giannopoulos and Vosper (1999); Pesaran and Timmermann (2007)
    for the mean over windows.
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
    simulated = simulated_years(years)
    for done, year in enumerate(simulated):
        progress("simulated paths", done, len(simulated))
        rows = np.flatnonzero(years == year)
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
    """Simulated statistics of the event for a grid of starting variances, evenly spaced in logs.

    ``statistics`` holds a sorted sample for each starting variance. ``variance`` is the log one-step variance
    of every row up to the last simulated one. ``place`` is that of the simulated rows in units of the grid
    spacing, counted from its start, and ``horizon`` their log variance per step over the horizon.
    """

    statistics: list[Array]
    below: bool
    variance: Array
    place: Array
    horizon: Array

    def log_odds(self, barriers: Array) -> Array:
        """Return the log odds ``(rows, barriers)`` that the statistic lies beyond the barriers of each row.

        They are interpolated between neighbouring starting variances.
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
    """Simulate paths of a fitted GJR from a grid of starting variances that spans those of ``rows``."""
    scale = garch.forecasts("gjr-skewt", fitted, returns[: rows[-1]], 0)["scale"].to_numpy()
    residual = (returns[1 : rows[0]] - fitted["mu"]) / scale[: rows[0] - 1]
    draws = _draws(residual, event.steps, rng)
    variance = np.append(np.nan, 2 * np.log(scale))
    now = variance[rows]
    lowest = np.floor(now.min() / SPACING)
    starts = SPACING * np.arange(lowest, np.ceil(now.max() / SPACING) + 2)
    statistics, over = [], []
    for start in starts:
        moves = _paths(fitted, np.exp(start), draws)
        statistics.append(np.sort(event.statistic_of_moves(moves)))
        # In logs, because a fall of 3,700 % in logs, as after a split, rounds to a simple return of −1.
        over.append(np.log(moves.sum(axis=1).var() / event.steps))
    place = now / SPACING - lowest
    return Simulated(statistics, event.below, variance, place, np.interp(now, starts, over))


def _draws(residual: Array, steps: int, rng: np.random.Generator) -> Array:
    """Draw shocks ``(SAMPLES, steps)`` from past ones, half with the ranks of the others reversed."""
    ordered = np.sort(residual)
    half = rng.integers(len(ordered), size=(SAMPLES // 2, steps))
    drawn: Array = ordered[np.concatenate([half, len(ordered) - 1 - half])]
    return drawn


def _paths(fitted: dict[str, float], variance: float, draws: Array) -> Array:
    """Return log returns of each step ``(samples, steps)``, in per cent, of a GJR started at ``variance``."""
    now = np.full(len(draws), variance)
    moves = np.empty_like(draws)
    for step in range(draws.shape[1]):
        shock = np.sqrt(now) * draws[:, step]
        moves[:, step] = fitted["mu"] + shock
        leverage = fitted["alpha[1]"] + fitted["gamma[1]"] * (shock < 0)
        now = fitted["omega"] + leverage * shock**2 + fitted["beta[1]"] * now
    return moves


def _factor(x: Array, realised: Array, rows: np.ndarray, steps: int, simulated: Array) -> Array:
    """Return the factor exp(LED · (log σ expected − log σ simulated)) of the volatility at ``rows``.

    The expected volatility comes from a regression of the log realised variance over the horizon on ``x``,
    the logs of GJR's variance and of the inputs. It is fitted to outcomes known at the first of ``rows``. The
    factor is 1 where an input is missing. Both volatilities are combined because each contains information
    that the other lacks. Reference: Bates and Granger (1969).
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
    """Return the logs of an input if all its values are positive, otherwise the values."""
    level: Array = np.log(values) if (values > 0).all() else values
    return level


def inputs_of(close: Array, probability: Array, exog: dict[str, Array]) -> pd.DataFrame:
    """Return the inputs of the logistic regression.

    They are the simulated probability as a normal quantile, the volatility of the last month relative to that
    of the last year, and ``exog``.
    """
    returns = pd.Series(np.append(np.nan, 100 * np.diff(np.log(close))))
    month, year = (0.5 * np.log((returns**2).rolling(k).mean() + 0.02) for k in (22, 250))
    table = pd.DataFrame({"simulated": special.ndtri(probability), "volatility": month - year})
    for name, values in exog.items():
        level = pd.Series(_level(values))
        table[f"{name}_22"] = level - level.rolling(22).mean()
        table[name] = level - month if (values > 0).all() else level
    return table


def standardised(table: pd.DataFrame, fitted: np.ndarray) -> Array:
    """Standardise inputs by the rows ``fitted``, clip them to ±``CLIP`` and replace missing values by 0."""
    past = table.iloc[fitted]
    values: Array = (
        ((table - past.mean()) / past.std().clip(lower=1e-9)).clip(-CLIP, CLIP).fillna(0.0).to_numpy()
    )
    return values


def running_rate(found: Origins, steps: int) -> Array:
    """Return the share of events among the outcomes known at each row, with a prior of one event in ten."""
    known = np.concatenate([[0.0], found.label.cumsum()])
    count = np.maximum(0, np.arange(len(found.label)) - steps + 1)
    rate: Array = (known[count] + 1) / (count + 10)
    return rate


def logit(found: Origins, table: pd.DataFrame, years: np.ndarray, first: int) -> Array:
    """Return the probabilities of a ridge logistic regression on ``table`` for the rows from ``first`` on.

    It is refitted each year on the labels known at the start of the year.
    """
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
    """Return the rows that have a simulation and whose outcome was known before ``row``."""
    return np.flatnonzero((found.known < row) & np.isfinite(found.led).all(axis=1))
