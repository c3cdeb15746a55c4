"""Joint forecast of a user's panel: the content of ``forecast.json``, the scenarios, and the model."""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.joint.ahead import Ahead, ahead_of
from tasks.joint.energy import band, contributions, energies
from tasks.joint.marginals import fit_marginals
from tasks.joint.panel import Panel
from tasks.joint.portfolios import portfolio_returns
from tasks.joint.walk_forward import WEIGHTS, Year, walk_forward, weights_of
from tasks.reporting.labels import CHANGE
from tasks.runtime.frequencies import stamp
from tasks.userdata.joint_paths import EVENTS, described
from tasks.userdata.jointly import panel_from, require_history, walk_to_end
from tasks.userdata.progress import Stages, expected_panel_seconds
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.weights import matrix_of

SCENARIOS = 10_000
"""Draws in ``scenarios.parquet``."""

TAIL = 0.05
"""Share of the scenarios in the lower tail of a series, for tail dependence."""

PAIRS = 5
"""Pairs of the highest tail dependence, and series that drive the energy, which are listed."""

LATEST = 10
"""Latest days whose energy is listed."""

STRESSED, STRESS = 3, 0.01
"""Most volatile series of the stress table, and the level of the quantile at which each is."""

RETURN_UNIT = "% (100·Δlog)"


def ahead(
    reading: Reading, request: Request, work: Path, stages: Stages
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Forecast the next step jointly, and write ``scenarios.parquet`` and ``model/`` to the folder ``work``.

    Returns the content of ``forecast.json`` and the notes.
    """
    notes, found = list(reading.notes), {}
    panel = panel_from(reading, request, notes)
    walk = walk_to_end(panel)
    weights = matrix_of(request.weights, panel.names)
    stages.expect(expected_panel_seconds(len(panel.names), len(walk.refits)))

    def run(progress: Any) -> None:
        marginals = fit_marginals(panel, walk.refits, progress)
        require_history(panel, marginals, walk, notes)
        years = walk_forward(panel, marginals, walk.refits, ("base",), progress=progress)
        chosen = weights_of(years)
        model = ahead_of(years[-1], chosen[-1], panel, marginals)
        model.save(work / "model")
        found.update(content(reading, panel, model, years, chosen, weights.loc[list(model.names)], work))

    stages("forecast", run)
    notes.append(
        f"{SCENARIOS:,} scenarios of equal weight are in scenarios.parquet, in the unit of the forecast"
        + ("; simple returns are exp(x / 100) − 1" if panel.log else "")
    )
    gain = found["joint"]["tilt"]
    notes.append(
        f"the weight of the energy is {gain['weight']:g}, with which the log score on {gain['days']} earlier "
        f"days was {gain['past_gain']:+.3f} nats a day above that of the base"
    )
    return found, tuple(notes)


def content(
    reading: Reading,
    panel: Panel,
    model: Ahead,
    years: list[Year],
    chosen: list[float],
    weights: pd.DataFrame,
    work: Path,
) -> dict[str, Any]:
    """Return the content of ``forecast.json``, and write the scenarios to the folder ``work``.

    All numbers are those of the scenarios, but for the stress table, which has draws of its own.
    """
    draws = model.draws(SCENARIOS)
    pd.DataFrame(draws, columns=list(model.names)).to_parquet(work / "scenarios.parquet", index=False)
    origin, following = panel.times[-1], reading.calendar.following(panel.times[-1], 1)[0]
    events = EVENTS[reading.kind]
    tilt = {
        "lead": 1,
        "time": stamp(following, reading.freq),
        "tilt_weight": model.tilt.weight,
    }
    series = {
        name: {
            "origin": stamp(origin, reading.freq),
            "steps": [{**tilt, **described(draws[:, i], events)}],
        }
        for i, name in enumerate(model.names)
    }
    portfolios = portfolio_returns(draws, weights.to_numpy(), panel.log)
    past = np.concatenate([year.gain for year in years]).mean(axis=0)
    return {
        "unit": RETURN_UNIT if panel.log else CHANGE,
        "series": series,
        "joint": {
            "scenarios": SCENARIOS,
            "effective_size": model.effective_size(),
            "tilt": {
                "weight": model.tilt.weight,
                "past_gain": float(past[WEIGHTS.index(model.tilt.weight)]),
                "days": sum(len(year.ahead) for year in years),
            },
            "portfolios": {
                name: {
                    "weights": {s: w for s, w in weights[name].items() if w},
                    **described(portfolios[:, k], events),
                    "loss": float((portfolios[:, k] < 0).mean()),
                }
                for k, name in enumerate(map(str, weights))
            },
            "together": together(draws, panel.fall),
            "tail_dependence": tail_dependence(draws, model.names),
            "energy": energy_of_days(reading, panel, years, chosen),
            "stress": stress_table(model, draws, weights),
        },
    }


def together(draws: np.ndarray, fall: float) -> dict[str, Any]:
    """Return the probability that at least one, a quarter, half or all of the series fall by ``fall``."""
    count, d = (draws <= -fall).sum(axis=1), draws.shape[1]
    least = sorted({1, ceil(d / 4), ceil(d / 2), d})
    return {"fall": fall, "at_least": {str(k): float((count >= k).mean()) for k in least}}


def tail_dependence(draws: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the mean over pairs of P(both in their lower tail) / P(one is), and the highest pairs."""
    both = both_below(draws, np.quantile(draws, TAIL, axis=0))
    first, second = np.triu_indices(len(names), 1)
    values = both[first, second]
    order = np.argsort(-values)[:PAIRS]
    return {
        "level": TAIL,
        "mean": float(values.mean()),
        "pairs": [{"series": [names[first[k]], names[second[k]]], "value": float(values[k])} for k in order],
    }


def both_below(values: np.ndarray, bounds: np.ndarray | float) -> np.ndarray:
    """Return P(both of two series are below their bounds) divided by √(P(one is) · P(the other is))."""
    below = (values <= bounds).astype(float)
    both = below.T @ below
    alone = np.sqrt(np.maximum(both.diagonal(), 1))
    shares: np.ndarray = both / alone[:, None] / alone
    return shares


def energy_of_days(reading: Reading, panel: Panel, years: list[Year], chosen: list[float]) -> dict[str, Any]:
    """Return the energies of the latest days, the band of normal days, and what drives the last one."""
    table = energies(years, chosen, panel)
    year, weight = next((y, w) for y, w in reversed(list(zip(years, chosen, strict=True))) if len(y.ahead))
    shares = contributions(year, weight, len(year.ahead) - 1, panel)
    latest = table.tail(LATEST)
    return {
        "band": list(band(table)),
        "days": len(table),
        "latest": [
            {"time": stamp(time, reading.freq), "energy": float(energy)}
            for time, energy in zip(pd.DatetimeIndex(latest.index), latest["energy"], strict=True)
        ],
        "drivers": {str(name): float(value) for name, value in shares.head(PAIRS).items()},
    }


def stress_table(model: Ahead, draws: np.ndarray, weights: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the means given that each of the most volatile series is at a low quantile."""
    rows = []
    for i in np.argsort(-draws.std(axis=0))[:STRESSED]:
        name, value = model.names[i], float(np.quantile(draws[:, i], STRESS))
        table, effective = stressed(model, {name: value}, weights)
        rows.append(
            {
                "series": name,
                "return": value,
                "effective_size": effective,
                "mean": {str(other): float(mean) for other, mean in table["mean"].items() if other != name},
            }
        )
    return rows


def stressed(model: Ahead, returns: dict[str, float], weights: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return mean and quantiles of the series and portfolios, given the returns of some of the series.

    With the table, whose columns are ``mean``, ``q0.05`` and ``q0.95``, comes the effective sample size.
    """
    drawn, chance = model.given(returns)
    both = np.column_stack([drawn, portfolio_returns(drawn, weights.to_numpy(), model.log)])
    index = [*model.names, *(f"portfolio {name}" for name in weights)]
    quantiles = [_quantiles(column, chance) for column in both.T]
    table = pd.DataFrame(quantiles, index, ["q0.05", "q0.95"])
    table.insert(0, "mean", chance @ both)
    return table, float(1 / (chance**2).sum())


def _quantiles(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    middle = np.cumsum(weights[order]) - weights[order] / 2
    found: np.ndarray = np.interp([0.05, 0.95], middle, values[order])
    return found
