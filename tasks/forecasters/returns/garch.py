"""Walk-forward volatility models from ``arch``: one-day-ahead densities, refitted on schedule."""

from typing import Any

import numpy as np
import pandas as pd

MODELS = ("garch-t", "gjr-skewt", "egarch-skewt")

DEGENERATE = 0.9
"""Skewness |λ| from which a fit has run into the corner of its likelihood instead of a maximum."""


def one_step(model: str, returns: np.ndarray, refit_at: int, until: int) -> pd.DataFrame:
    """Fit on ``returns[:refit_at + 1]``; forecast the next return from each origin in ``[refit_at, until)``.

    ``returns`` are in per cent. Returns ``row`` (position of the origin), ``loc, scale, eta, lam`` of the
    Hansen skew-t of the return at ``row + 1``. Nothing after the origin enters its forecast.
    """
    return forecasts(model, fit(model, returns[: refit_at + 1]), returns[:until], refit_at)


def fit(model: str, returns: np.ndarray) -> dict[str, float]:
    """Parameters by maximum likelihood, under the names of ``arch``.

    Models: GARCH(1,1)-t (Bollerslev 1987), GJR(1,1,1)-skew-t (Glosten, Jagannathan and Runkle 1993),
    EGARCH(1,1,1)-skew-t (Nelson 1991). The optimiser of ``arch`` at times ends far from a maximum, in a
    corner, or in a trend that shocks do not raise, and does not tell. A fit counts only if it is likelier
    than plain starting values and shocks raise volatility (α ≥ 0); else it starts again from those, and
    where nothing is better they are the model.
    """
    starts = [_start(model, returns, persistent) for persistent in (True, False)]
    best = max((_specified(model, returns).fix(start) for start in starts), key=lambda r: r.loglikelihood)
    for start in (None, *starts):
        fitted = _specified(model, returns).fit(disp="off", show_warning=False, starting_values=start)
        sane = abs(fitted.params.get("lambda", 0.0)) < DEGENERATE and fitted.params["alpha[1]"] >= 0
        if sane and fitted.loglikelihood > best.loglikelihood:
            best = fitted
            if fitted.convergence_flag == 0:
                break
    return {str(name): float(value) for name, value in best.params.items()}


def forecasts(model: str, params: dict[str, float], returns: np.ndarray, first: int) -> pd.DataFrame:
    """The next return from each origin ``first`` … ``len(returns) − 1`` with parameters as they are."""
    known = _specified(model, returns).fix(np.array(list(params.values())))
    variance = known.forecast(horizon=1, start=first, reindex=False).variance.to_numpy()[:, 0]
    return pd.DataFrame(
        {
            "row": np.arange(first, len(returns)),
            "loc": params["mu"],
            "scale": np.sqrt(variance),
            "eta": params["nu"] if model == "garch-t" else params["eta"],
            "lam": 0.0 if model == "garch-t" else params["lambda"],
        }
    )


def _specified(model: str, values: np.ndarray) -> Any:
    from arch.univariate import EGARCH, GARCH, ConstantMean, SkewStudent, StudentsT

    specified = ConstantMean(values)
    specified.volatility = {
        "garch-t": GARCH(1, 0, 1),
        "gjr-skewt": GARCH(1, 1, 1),
        "egarch-skewt": EGARCH(1, 1, 1),
    }[model]
    specified.distribution = StudentsT() if model == "garch-t" else SkewStudent()
    return specified


def _start(model: str, returns: np.ndarray, persistent: bool) -> np.ndarray:
    """Volatility that is ``persistent`` around the sample variance, or constant; heavy tails, no skew."""
    variance = float(returns.var())
    if model == "egarch-skewt":
        moving, still = [0.02 * np.log(variance), 0.1, -0.05, 0.98], [np.log(variance), 0.0, 0.0, 0.0]
    elif model == "gjr-skewt":
        moving, still = [0.02 * variance, 0.03, 0.08, 0.92], [variance, 0.0, 0.0, 0.0]
    else:
        moving, still = [0.02 * variance, 0.07, 0.91], [variance, 0.0, 0.0]
    shape = [8.0] if model == "garch-t" else [8.0, 0.0]
    return np.array([returns.mean(), *(moving if persistent else still), *shape])
