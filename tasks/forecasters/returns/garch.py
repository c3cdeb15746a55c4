"""Volatility models from the package ``arch``, with forecasts one step ahead."""

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd

MODELS = ("garch-t", "gjr-skewt", "egarch-skewt")

DEGENERATE = 0.9
"""Skewness |λ| from which a fit is rejected, because it is near the bound of λ and not a maximum."""

RECENT = 44
"""Rows whose largest move bounds a forecast volatility.

In 80,000 forecasts of four daily markets by the three models, none exceeds 0.8 times this bound.
"""


def one_step(model: str, returns: np.ndarray, refit_at: int, until: int) -> pd.DataFrame:
    """Fit to ``returns[:refit_at + 1]`` and forecast the next return from each origin in [refit_at, until).

    ``returns`` are in per cent. The result has columns ``row``, the position of the origin, and ``loc``,
    ``scale``, ``eta`` and ``lam`` of the Hansen skewed t of the return at ``row + 1``. A forecast uses no
    return after its origin.
    """
    return forecasts(model, fit(model, returns[: refit_at + 1]), returns[:until], refit_at)


def fit(model: str, returns: np.ndarray) -> dict[str, float]:
    """Fit a model by maximum likelihood and return its parameters under the names of ``arch``."""
    return _params(_fitted(model, returns))


def estimate(model: str, returns: np.ndarray) -> dict[str, Any]:
    """Fit a model as :func:`fit` does, and return what ``arch`` reports of the fit.

    The entries are ``params``, their ``std_errors`` (robust; None if they cannot be computed), whether the
    optimiser ``converged``, and the ``log_likelihood`` of the returns in per cent.
    """
    result = _fitted(model, returns)
    errors = {str(name): float(value) for name, value in getattr(result, "std_err", {}).items()}
    return {
        "params": _params(result),
        "std_errors": errors if errors and all(map(math.isfinite, errors.values())) else None,
        # A result without a flag is that of the starting values, which were better than any fit.
        "converged": getattr(result, "convergence_flag", 1) == 0,
        "log_likelihood": float(result.loglikelihood),
    }


def _params(result: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in result.params.items()}


def _fitted(model: str, returns: np.ndarray) -> Any:
    """Return the result of ``arch`` for a model fitted by maximum likelihood.

    The models are GARCH(1,1)-t (Bollerslev 1987), GJR(1,1,1)-skew-t (Glosten, Jagannathan and Runkle 1993)
    and EGARCH(1,1,1)-skew-t (Nelson 1991). The optimiser of ``arch`` sometimes stops far from a maximum, or
    where volatility does not react to shocks, without a warning. A fit is therefore accepted only if its
    likelihood exceeds that of two sets of fixed starting values, its skewness is not extreme and shocks raise
    volatility (α ≥ 0). Otherwise the fit is repeated from these starting values. If no fit is accepted, the
    result of the better starting values is returned.
    """
    starts = [_start(model, returns, persistent) for persistent in (True, False)]
    best = max((_specified(model, returns).fix(start) for start in starts), key=lambda r: r.loglikelihood)
    for start in (None, *starts):
        with warnings.catch_warnings(action="ignore"):  # of starting values that the optimiser cannot use
            fitted = _specified(model, returns).fit(disp="off", show_warning=False, starting_values=start)
        sane = abs(fitted.params.get("lambda", 0.0)) < DEGENERATE and fitted.params["alpha[1]"] >= 0
        if sane and fitted.loglikelihood > best.loglikelihood:
            best = fitted
            if fitted.convergence_flag == 0:
                break
    return best


def forecasts(model: str, params: dict[str, float], returns: np.ndarray, first: int) -> pd.DataFrame:
    """Forecast the next return from each origin ``first`` … ``len(returns) − 1`` with given parameters.

    No scale exceeds the largest of the latest ``RECENT`` moves. An EGARCH that was fitted to few rows may
    react so strongly to a large move in a calm time that its volatility runs away.
    """
    known = _specified(model, returns).fix(np.array(list(params.values())))
    variance = known.forecast(horizon=1, start=first, reindex=False).variance.to_numpy()[:, 0]
    moves = pd.Series(np.abs(returns - params["mu"]))
    largest = moves.rolling(RECENT, min_periods=1).max().to_numpy()[first:]
    return pd.DataFrame(
        {
            "row": np.arange(first, len(returns)),
            "loc": params["mu"],
            "scale": np.minimum(np.sqrt(variance), largest),
            "eta": params["nu"] if model == "garch-t" else params["eta"],
            "lam": 0.0 if model == "garch-t" else params["lambda"],
        }
    )


def _specified(model: str, values: np.ndarray) -> Any:
    from arch.univariate import EGARCH, GARCH, ConstantMean, SkewStudent, StudentsT

    specified = ConstantMean(values, rescale=False)  # None warns of small returns
    specified.volatility = {
        "garch-t": GARCH(1, 0, 1),
        "gjr-skewt": GARCH(1, 1, 1),
        "egarch-skewt": EGARCH(1, 1, 1),
    }[model]
    specified.distribution = StudentsT() if model == "garch-t" else SkewStudent()
    return specified


def _start(model: str, returns: np.ndarray, persistent: bool) -> np.ndarray:
    """Return starting values with heavy tails, no skew, and persistent or constant volatility."""
    variance = float(returns.var())
    if model == "egarch-skewt":
        moving, still = [0.02 * np.log(variance), 0.1, -0.05, 0.98], [np.log(variance), 0.0, 0.0, 0.0]
    elif model == "gjr-skewt":
        moving, still = [0.02 * variance, 0.03, 0.08, 0.92], [variance, 0.0, 0.0, 0.0]
    else:
        moving, still = [0.02 * variance, 0.07, 0.91], [variance, 0.0, 0.0]
    shape = [8.0] if model == "garch-t" else [8.0, 0.0]
    return np.array([returns.mean(), *(moving if persistent else still), *shape])
