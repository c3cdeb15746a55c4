"""Walk-forward probabilities of an event on the path: simulation, logit, and a tilt of the simulation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import special

from ebm_core import BilinearEnergy, SkewT, TiltedDistribution, fit_tilt
from tasks import volatility
from tasks.events import Array, Event

SAMPLES = 1000
"""Simulated paths an origin, half of them the mirror images of the others' shocks in rank."""

FEWEST = 750
"""Rows before the first simulation."""

RECENT = 750
"""Rows that the simulation of the recent past learns from: three years. Chosen on dates before 2005 (S&P 500)
and 2008 (Dow, CAC, SMI), where the pool with it has the better Brier score in each."""

CLIP = 3.0
PENALTY = 1.0
"""Ridge penalty of logits on standardised inputs."""

FEWEST_OUTCOMES, FEWEST_YEARS = 500, 5
"""Outcomes before the first tilt, and years of its past gains before it may be used."""

HIDDEN, FEATURES, SEEDS = 0, 4, 5
STEPS, WARM, RATE, DECAY, HELD = 200, 60, 0.003, 1.0, 0.3
"""Training of the tilt: few independent outcomes, so a linear energy, stopped early."""


@dataclass(frozen=True)
class Origins:
    """By row of the series: the pooled simulations' probability, the normal score of what happened, inputs,
    and ``gjr``, the probability of the plain simulation alone."""

    probability: Array
    gjr: Array
    score: Array
    inputs: pd.DataFrame
    label: np.ndarray
    known: np.ndarray
    """Row by which the label of a row is known."""


def simulate(
    close: Array,
    event: Event,
    years: np.ndarray,
    exog: dict[str, Array],
    seed: int,
    window: int | None = None,
) -> tuple[Array, Array]:
    """Shares ``(of paths with the event, of paths beyond what happened)`` by filtered historical simulation.

    GJR(1,1,1) refitted on the first row of each year on the returns until then, the last ``window`` of them
    or all; shocks are drawn from its standardised past residuals, the variance runs along each path. With
    ``exog`` (positive inputs such as an option-implied volatility) shocks are scaled so that the variance
    over the horizon is the one that a log regression on GJR's and on them expects. NaN where there is too
    little past.
    Reference: Barone-Adesi, Giannopoulos and Vosper (1999).
    """
    returns = 100 * np.diff(np.log(close))
    observed = event.observed(close)
    realised = np.full(len(close), np.nan)
    ahead = np.lib.stride_tricks.sliding_window_view(returns**2, event.steps).mean(axis=1)
    realised[: len(ahead)] = np.log(ahead + 1e-6)
    share, beyond = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        if rows[0] < FEWEST:
            continue
        past = returns[: rows[0]][-(window or len(returns)) :]
        fitted = volatility.fit("gjr-skewt", past)
        known = volatility.forecasts("gjr-skewt", fitted, returns[: rows[-1]], 0)
        scale = known["scale"].to_numpy()
        until = scale[: rows[0] - 1][-(len(past) - 1) :]
        residual = (past[1:] - fitted["mu"]) / until
        rng = np.random.default_rng([seed, int(year)])
        log_variance = np.append(np.nan, 2 * np.log(scale))
        factor = np.ones(len(rows))
        if exog:
            logs = [np.log(values[: rows[-1] + 1]) for values in exog.values()]
            x = np.column_stack([np.ones(rows[-1] + 1), log_variance, *logs])
            factor = _factor(x, realised, rows, event.steps, fitted)
        path = _paths(fitted, scale[rows - 1] ** 2, factor, residual, event.steps, rng)
        statistic = event.statistic(path)
        share[rows] = event.happened(statistic).mean(axis=1)
        sign = 1.0 if event.below else -1.0
        beyond[rows] = (sign * statistic < sign * observed[rows, None]).mean(axis=1)
    beyond[np.isnan(observed)] = np.nan
    return share, beyond


def inside(share: Array, samples: int) -> Array:
    """A share of ``samples`` paths as a probability that is never 0 or 1."""
    return (share * samples + 0.5) / (samples + 1)


def _factor(x: Array, realised: Array, rows: np.ndarray, steps: int, fitted: dict[str, float]) -> Array:
    """Ratio of the volatility over the horizon that the regression expects to that of GJR, at ``rows``."""
    past = np.arange(len(x)) < rows[0] - steps
    past &= np.isfinite(x).all(axis=1) & np.isfinite(realised[: len(x)])
    beta = np.linalg.lstsq(x[past], realised[: len(x)][past], rcond=None)[0]
    error = realised[: len(x)][past] - x[past] @ beta
    expected = np.exp(x[rows] @ beta) * np.exp(error).mean()
    persistence = fitted["alpha[1]"] + fitted["gamma[1]"] / 2 + fitted["beta[1]"]
    long_run = fitted["omega"] / max(1 - persistence, 1e-3)
    reverts = np.mean(persistence ** np.arange(steps))
    ratio: Array = np.sqrt(expected / (long_run + (np.exp(x[rows, 1]) - long_run) * reverts))
    return ratio.clip(0.25, 4.0)


def _paths(
    fitted: dict[str, float],
    variance: Array,
    factor: Array,
    residual: Array,
    steps: int,
    rng: np.random.Generator,
) -> Array:
    """Simple returns from the origin ``(origins, samples, steps)``, the same draws for every origin."""
    ordered = np.sort(residual)
    half = rng.integers(len(ordered), size=(SAMPLES // 2, steps))
    draws = ordered[np.concatenate([half, len(ordered) - 1 - half])]
    now = np.repeat(variance[:, None], SAMPLES, axis=1)
    total, path = np.zeros_like(now), np.empty((*now.shape, steps))
    for step in range(steps):
        shock = np.sqrt(now) * draws[:, step]
        total += fitted["mu"] + factor[:, None] * shock
        path[:, :, step] = np.expm1(total / 100)
        leverage = fitted["alpha[1]"] + fitted["gamma[1]"] * (shock < 0)
        now = fitted["omega"] + leverage * shock**2 + fitted["beta[1]"] * now
    return path


def inputs_of(close: Array, probability: Array, exog: dict[str, Array]) -> pd.DataFrame:
    """What the tilt sees: the simulation's own answer, recent volatility against its year, ``exog``."""
    returns = pd.Series(np.append(np.nan, 100 * np.diff(np.log(close))))
    month, year = (0.5 * np.log((returns**2).rolling(k).mean() + 0.02) for k in (22, 250))
    table = pd.DataFrame({"simulated": special.ndtri(probability), "volatility": month - year})
    for name, values in exog.items():
        positive = (values > 0).all()
        level = pd.Series(np.log(values) if positive else values)
        table[f"{name}_22"] = level - level.rolling(22).mean()
        table[name] = level - month if positive else level
    return table


def origins(close: Array, event: Event, years: np.ndarray, exog: dict[str, Array], seed: int) -> Origins:
    """Everything that the probability models share.

    Simulations are pooled, each with the same number of paths: GJR on all of the past, GJR on the last
    ``RECENT`` rows and, with positive ``exog``, the one whose variance they lead.
    """
    positive = {name: values for name, values in exog.items() if (values > 0).all()}
    members = [simulate(close, event, years, {}, seed), simulate(close, event, years, {}, seed, RECENT)]
    if positive:
        members.append(simulate(close, event, years, positive, seed))
    share, beyond = np.mean(members, axis=0)
    paths = SAMPLES * len(members)
    probability, score = inside(share, paths), special.ndtri(inside(beyond, paths))
    observed = event.observed(close)
    return Origins(
        probability,
        inside(members[0][0], SAMPLES),
        score,
        inputs_of(close, probability, exog),
        event.happened(observed),
        np.where(np.isnan(observed), len(close) + event.steps, np.arange(len(close)) + event.steps),
    )


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
        fitted = _usable(found, rows[0])
        x = standardised(table, fitted)
        if found.label[fitted].sum() < 5:
            probability[rows] = max(found.label[fitted].mean(), 1e-3) if len(fitted) else 0.1
            continue
        model = LogisticRegression(C=1 / PENALTY).fit(x[fitted], found.label[fitted])
        probability[rows] = model.predict_proba(x[rows])[:, 1]
    return probability


def tilted(found: Origins, years: np.ndarray, first: int, seed: int) -> tuple[Array, dict[int, float]]:
    """The simulated distribution of the statistic, tilted: P(event) = ∫_{s ≤ s₀} φ(s) exp(−w E(s, x)) ds / Z.

    s is the normal score of the statistic under the simulation, s₀ that of the event's threshold. One
    energy, refitted each year from where it stood on outcomes known by then. It is used (w = 1) in a year
    only if before it, out of sample, its Brier score over years gained more than one standard error;
    otherwise the simulation stands (w = 0). Returns probabilities from row ``first`` and w by year.
    """
    generator = torch.Generator().manual_seed(seed)
    energy: BilinearEnergy | None = None
    probability, gains, used = np.full(len(years), np.nan), {}, {}
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        fitted = _usable(found, rows[0])
        if len(fitted) < FEWEST_OUTCOMES:
            continue
        x = torch.as_tensor(standardised(found.inputs, fitted))
        steps = STEPS if energy is None else WARM
        if energy is None:
            energy = BilinearEnergy(x.shape[1], HIDDEN, FEATURES, SEEDS, generator)
        fit = fit_tilt(
            energy.float(),
            torch.as_tensor(found.score[fitted]).float(),
            x[torch.as_tensor(fitted)].float(),
            validation=int(HELD * len(fitted)),
            steps=steps,
            learning_rate=RATE,
            weight_decay=DECAY,
            generator=generator,
        )
        energy = fit.module
        tilt = _below(energy, x[torch.as_tensor(rows)], found.probability[rows])
        past = [gain for y, gain in gains.items() if y < year - 1]
        pays = len(past) >= FEWEST_YEARS and np.mean(past) > np.std(past, ddof=1) / np.sqrt(len(past))
        used[int(year)] = float(pays)
        probability[rows] = tilt if pays else found.probability[rows]
        label = found.label[rows]
        gains[int(year)] = float(((found.probability[rows] - label) ** 2 - (tilt - label) ** 2).mean())
    probability[:first] = np.nan
    return probability, used


def _below(energy: BilinearEnergy, x: torch.Tensor, simulated: Array) -> Array:
    """P(s ≤ Φ⁻¹(simulated)) under the tilted normal of each row."""
    with torch.no_grad():
        net = energy.double()
        base = SkewT(torch.zeros(len(x), dtype=torch.float64), 1.0)
        law = TiltedDistribution(base, lambda s: net(s, x).mean(0))
        found: Array = law.cdf(torch.as_tensor(special.ndtri(simulated))).numpy()
    return found


def _usable(found: Origins, row: int) -> np.ndarray:
    """Rows with a simulation whose outcome was known before ``row``."""
    return np.flatnonzero((found.known < row) & np.isfinite(found.score) & np.isfinite(found.probability))
