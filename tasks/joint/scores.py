"""Scores of joint forecasts by draws: of all series, of portfolios, and of falls together."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from tasks.joint.marginals import Marginals
from tasks.joint.panel import Panel
from tasks.joint.portfolios import own_model, portfolio_returns
from tasks.joint.walk_forward import Year
from tasks.scoring.predictive import from_sample

DRAWS = 1000
"""Draws of each model at each date."""

ENERGY_DRAWS = 250
"""Draws of them for the energy score, whose time grows with their square."""

QUARTER = 0.25
"""Share of the series that fall at once."""

FILTERED = "joint-filtered-simulation"
"""Peer without a density: past standardised residuals of all series at a common date, at today's scales."""

RESIDUALS = 1000
"""Past dates from which it draws."""

OWN = {"gjr-on-portfolio": "gjr-skewt", "egarch-on-portfolio": "egarch-skewt"}
"""Models of the portfolio's own returns."""


@dataclass(frozen=True)
class Scored:
    """Scores of one model at n dates: of all series, and of portfolios.

    ``together`` is the probability that at least a quarter of the series fall by more than ``Panel.fall``.
    Value at risk and shortfall are ``(n, portfolios, levels)``, and ``kept`` are the draws
    ``(n, draws, portfolios)`` of further portfolios. Models of the portfolio's own returns have NaN for the
    first three.
    """

    energy_score: np.ndarray
    variogram_score: np.ndarray
    together: np.ndarray
    log_density: np.ndarray
    crps: np.ndarray
    var: np.ndarray
    shortfall: np.ndarray
    kept: np.ndarray

    @classmethod
    def joined(cls, parts: list["Scored"]) -> "Scored":
        """Return the scores of several years as one."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


def of_samples(samples: np.ndarray, realised: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of portfolios from draws ``(n, draws, portfolios)``, at ``realised`` returns."""
    found = [from_sample(samples[:, :, k], realised[:, k]) for k in range(realised.shape[1])]
    return {
        name: np.stack([getattr(summary, name) for summary in found], axis=1)
        for name in ("log_density", "crps", "var", "shortfall")
    }


def draws_of(
    model: str, year: Year, weight: float, panel: Panel, marginals: Marginals, position: int, seed: int
) -> np.ndarray:
    """Return draws ``(DRAWS, members)`` of the returns at one of the rows ahead of the year.

    All models have the same random numbers at a date.
    """
    row, members = int(year.ahead[position]), year.members
    generator = torch.Generator().manual_seed(1_000_003 * seed + row)
    if model == FILTERED:
        past = year.rows[: year.learned + position][-RESIDUALS:]
        chosen = past[torch.randint(len(past), (DRAWS,), generator=generator).numpy()]
        at = np.ix_(chosen, members)
        residual = (panel.returns[at] - marginals.loc[at]) / marginals.scale[at]
        drawn: np.ndarray = marginals.loc[row, members] + marginals.scale[row, members] * residual
        return drawn
    path = year.tilted.weighted(weight) if model == "ebm" else year.paths[model]
    return marginals.quantiles(row, members, path.draws(position, DRAWS, generator))


def score_year(
    year: Year,
    weight: float,
    panel: Panel,
    marginals: Marginals,
    models: tuple[str, ...],
    weights: np.ndarray,
    kept: np.ndarray,
    seed: int,
) -> dict[str, Scored]:
    """Score models by their draws at the rows ahead, for portfolios ``weights`` ``(members, portfolios)``.

    The draws of the portfolios ``kept`` ``(members, portfolios)`` are returned too.
    """
    import scoringrules

    observed = panel.returns[np.ix_(year.ahead, year.members)]
    realised = portfolio_returns(observed, weights, panel.log)
    found = {}
    for model in models:
        energy, variogram, together, drawn, own = [], [], [], [], []
        for position in range(len(year.ahead)):
            draws = draws_of(model, year, weight, panel, marginals, position, seed)
            few = draws[:: DRAWS // ENERGY_DRAWS]
            energy.append(float(scoringrules.es_ensemble(observed[position], few)))
            variogram.append(float(scoringrules.vs_ensemble(observed[position], few)))
            together.append(((draws < -panel.fall).mean(axis=1) >= QUARTER).mean())
            drawn.append(portfolio_returns(draws, weights, panel.log))
            own.append(portfolio_returns(draws, kept, panel.log).astype(np.float32))
        found[model] = Scored(
            np.array(energy),
            np.array(variogram),
            np.array(together),
            kept=np.stack(own),
            **of_samples(np.stack(drawn), realised),
        )
    return found


def fell_together(year: Year, panel: Panel) -> np.ndarray:
    """Return whether at least a quarter of the series fell by more than ``Panel.fall`` at each row ahead."""
    observed = panel.returns[np.ix_(year.ahead, year.members)]
    fell: np.ndarray = (observed < -panel.fall).mean(axis=1) >= QUARTER
    return fell


def score_own(year: Year, panel: Panel, weights: np.ndarray, kept: np.ndarray) -> dict[str, Scored]:
    """Score the classical models of each portfolio's own returns at the rows ahead."""
    both = np.column_stack([weights, kept])
    series = portfolio_returns(panel.returns[np.ix_(year.rows, year.members)], both, panel.log)
    scored = weights.shape[1]
    found = {}
    for name, model in OWN.items():
        columns = [own_model(model, values, year.learned, DRAWS) for values in series.T]
        missing = np.full(len(year.ahead), np.nan)
        drawn = np.stack(columns, axis=2)
        own = of_samples(drawn[:, :, :scored], series[year.learned :, :scored])
        found[name] = Scored(missing, missing, missing, kept=drawn[:, :, scored:].astype(np.float32), **own)
    return found
