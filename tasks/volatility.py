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
    EGARCH(1,1,1)-skew-t (Nelson 1991).
    """
    fitted = _specified(model, returns).fit(disp="off", show_warning=False)
    if abs(fitted.params.get("lambda", 0.0)) > DEGENERATE:
        fitted = _specified(model, returns).fit(
            disp="off", show_warning=False, starting_values=_plain_start(model, returns)
        )
    return {str(name): float(value) for name, value in fitted.params.items()}


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


def _plain_start(model: str, returns: np.ndarray) -> np.ndarray:
    """Persistent volatility around the sample variance, heavy tails, no skew: a second start for a fit."""
    variance = float(returns.var())
    if model == "egarch-skewt":
        dynamics = [0.02 * np.log(variance), 0.1, -0.05, 0.98]
    else:
        dynamics = [0.02 * variance, 0.03, 0.08, 0.92]
    return np.array([returns.mean(), *dynamics, 8.0, 0.0])
