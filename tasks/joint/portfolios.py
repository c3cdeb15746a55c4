"""Portfolios of a panel: their returns, random weights, and the classical models of their own returns."""

import numpy as np

from ebm_core.tilts import hansen
from tasks.forecasters.returns import garch
from tasks.runtime.errors import BasinError

RANDOM = 50
"""Random long-only portfolios beside the one of equal weights."""


def portfolio_returns(returns: np.ndarray, weights: np.ndarray, log: bool = True) -> np.ndarray:
    """Return the log returns ``(*, portfolios)`` of returns ``(*, series)``, both in per cent.

    ``weights`` ``(series, portfolios)`` are shares of the wealth at the beginning of the step. If ``log`` is
    false, returns are differences, and those of portfolios are weighted sums.
    """
    if not log:
        sums: np.ndarray = returns @ weights
        return sums
    simple = np.expm1(returns / 100) @ weights
    found: np.ndarray = 100 * np.log1p(np.maximum(simple, -0.999))
    return found


def random_weights(series: int, count: int, seed: int) -> np.ndarray:
    """Return weights ``(series, 1 + count)``: equal ones, then draws of the flat Dirichlet distribution."""
    drawn = np.random.default_rng(seed).dirichlet(np.ones(series), count).T
    return np.column_stack([np.full(series, 1 / series), drawn])


def check_weights(weights: dict[str, float], names: tuple[str, ...]) -> np.ndarray:
    """Return the weights of ``names``, which are those given and 0 for the others, summing to one."""
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise BasinError(f"weights: no series {', '.join(unknown)}; expected some of {', '.join(names)}")
    found = np.array([float(weights.get(name, 0.0)) for name in names])
    if not np.isfinite(found).all() or not np.isclose(found.sum(), 1, atol=1e-3):
        raise BasinError(f"weights: they sum to {found.sum():g}; expected 1")
    return found


def of_members(weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the weights ``(members, portfolios)`` of the series that take part, divided by their sum."""
    found = weights[members]
    total = found.sum(axis=0)
    if (np.abs(total) < 1e-6).any():
        raise BasinError(
            "weights: all series of a portfolio have too short a history in a year of the test block; give a "
            "later --test-from"
        )
    divided: np.ndarray = found / total
    return divided


def own_model(model: str, values: np.ndarray, learned: int, draws: int) -> np.ndarray:
    """Return quantiles ``(rows, draws)`` of a portfolio's returns after the first ``learned``.

    The volatility model is fitted to those, and forecasts each of the others from the one before.
    """
    table = garch.forecasts(model, garch.fit(model, values[:learned]), values, learned - 1).iloc[:-1]
    scores = hansen.score_of((np.arange(draws) + 0.5) / draws)
    eta, lam = (np.array(float(table[name].iloc[0])) for name in ("eta", "lam"))
    quantiles = hansen.quantile(scores, eta, lam)
    found: np.ndarray = table[["loc"]].to_numpy() + table[["scale"]].to_numpy() * quantiles
    return found
