"""Scores, paired tests, model confidence sets and value-at-risk tests of forecasts."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats


def paired_test(
    difference: np.ndarray, time: pd.Series, horizon: int, monte_carlo: np.ndarray | None = None
) -> dict[str, float]:
    """Test whether the mean of a score difference is zero, with Newey–West standard errors.

    The differences are averaged by date first. The lag is max(horizon − 1, ⌊n^(1/3)⌋) for n dates. Returns
    the ``mean``, its standard error ``se``, ``t`` and the two-sided p-value ``p`` under a normal
    distribution, and ``equal``, which is true if all differences are zero. Differences that are the same at
    every date have no variance. Their p-value is that of the sign test, 2^(1−n), with the t and se that
    belong to it. Fewer than three dates give t = 0 and p = 1.

    ``monte_carlo`` are estimates of the Monte Carlo error of each difference, with independent draws for each
    date. ``se`` is never below the standard error of the mean that they give, which over a few dates is known
    more accurately than the variance of the differences. References: Newey and West (1987); Diebold and
    Mariano (1995).
    """
    import statsmodels.api as sm

    difference = np.asarray(difference)
    by_date = pd.Series(difference).groupby(np.asarray(time)).mean().to_numpy()
    n, mean = len(by_date), float(by_date.mean())
    drawn = 0.0
    if monte_carlo is not None:
        of_date = pd.Series(np.asarray(monte_carlo)).groupby(np.asarray(time)).mean().to_numpy()
        drawn = float(np.sqrt((of_date**2).sum()) / n)
    if n < 3 or not difference.any():
        return {"mean": mean, "se": drawn, "t": 0.0, "p": 1.0, "equal": not difference.any()}
    if np.ptp(by_date) <= 1e-9 * abs(mean):  # the same but for rounding
        se = abs(mean) / float(stats.norm.isf(max(0.5**n, 1e-300)))
    else:
        lags = min(max(horizon - 1, int(np.cbrt(n))), n - 2)
        se = float(sm.OLS(by_date, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags}).bse[0])
    se = max(se, drawn)
    t = mean / se if se else 0.0
    return {"mean": mean, "se": se, "t": t, "p": float(2 * stats.norm.sf(abs(t))), "equal": False}


CONFIDENCE_RESAMPLES = 1000


def confidence_set(losses: pd.DataFrame, horizon: int) -> dict[str, float]:
    """Return the p-value of each model in the model confidence set.

    The models with a p-value of .1 or more form the 90 % set. ``losses`` has one row for each date and one
    column for each model, and lower values are better. The test uses the range statistic and a stationary
    bootstrap with a mean block length of max(2·horizon, √n) dates and a fixed seed. Models with equal losses
    have the same p-value, and a model with a loss that is not finite has the p-value 0. Fewer than three
    dates leave all others in the set. Reference: Hansen, Lunde and Nason (2011), The model confidence set,
    Econometrica 79(2).
    """
    from arch.bootstrap import MCS

    finite = losses.loc[:, np.isfinite(losses.to_numpy()).all(axis=0)]
    distinct: pd.DataFrame = finite.loc[:, ~finite.T.round(12).duplicated()]
    values = dict.fromkeys(losses.columns, 0.0)
    if distinct.shape[1] == 1 or len(losses) < 3:
        found = pd.Series(1.0, index=distinct.columns)
    else:
        block = max(2 * horizon, int(np.sqrt(len(losses))))
        test = MCS(distinct, size=0.1, reps=CONFIDENCE_RESAMPLES, block_size=block, method="R", seed=0)
        test.compute()
        found = test.pvalues["Pvalue"]
    for name in finite.columns:
        same = next(m for m in distinct.columns if np.allclose(finite[m], finite[name], rtol=0, atol=1e-11))
        values[name] = float(found[same])
    return values


def kupiec(hits: np.ndarray, level: float) -> float:
    """Return the p-value of the hypothesis that hits have the rate ``level``.

    A hit is an outcome at or below the value at risk. The test is a likelihood ratio test with χ²(1).
    Reference: Kupiec (1995).
    """
    n, x = len(hits), int(hits.sum())
    rate = x / n
    ratio = 2 * (_binomial_log(x, n, rate) - _binomial_log(x, n, level))
    return float(stats.chi2.sf(ratio, 1))


def christoffersen(hits: np.ndarray) -> float:
    """Return the p-value of the hypothesis that a hit does not depend on a hit in the row before.

    The test is a likelihood ratio test with χ²(1). Reference: Christoffersen (1998).
    """
    before, now = hits[:-1].astype(bool), hits[1:].astype(bool)
    ratio = 0.0
    for state in (False, True):
        among = now[before == state]
        if len(among):
            ratio += _binomial_log(int(among.sum()), len(among), among.mean())
    ratio -= _binomial_log(int(now.sum()), len(now), now.mean())
    return float(stats.chi2.sf(max(0.0, 2 * ratio), 1))


def _binomial_log(x: int, n: int, rate: float) -> float:
    """Return the log-likelihood x·log rate + (n − x)·log(1 − rate), with 0·log 0 = 0."""
    hit = x * np.log(rate) if x else 0.0
    miss = (n - x) * np.log1p(-rate) if n - x else 0.0
    return float(hit + miss)


def fz0(y: np.ndarray, var: np.ndarray, shortfall: np.ndarray, level: float) -> float:
    """Return the mean of :func:`fz0_losses`."""
    return float(fz0_losses(y, var, shortfall, level).mean())


def fz0_losses(y: np.ndarray, var: np.ndarray, shortfall: np.ndarray, level: float) -> np.ndarray:
    """Return the FZ0 losses of value at risk and expected shortfall together, where lower is better.

    The loss is −1{y ≤ v}(v − y)/(α e) + v/e + log(−e) − 1, with value at risk v < 0 and expected shortfall e
    < 0 in the unit of returns. Reference: Patton, Ziegel and Chen (2019), eq. 6.
    """
    beyond = np.where(y <= var, y - var, 0.0) / (level * shortfall)
    loss: np.ndarray = beyond + var / shortfall + np.log(-shortfall) - 1
    return loss


def model_scores(
    rows: pd.DataFrame, shortfalls: dict[float, np.ndarray] | None, seasonal: bool, test_hits: bool
) -> dict[str, Any]:
    """Compute the scores of one model from its rows of the forecasts, in the layout of ``scores.json``."""
    observed = rows["observed"].to_numpy()
    quantile = {p: rows[f"q{p:.2f}"].to_numpy() for p in (0.01, 0.05, 0.5, 0.95)}
    scores: dict[str, Any] = {
        "log_score": float(rows["log_density"].mean()),
        "crps": float(rows["crps"].mean()),
        "mae": float(np.abs(observed - quantile[0.5]).mean()),
        "coverage": {
            "0.5": float(((rows["q0.25"] <= observed) & (observed <= rows["q0.75"])).mean()),
            "0.9": float(((quantile[0.05] <= observed) & (observed <= quantile[0.95])).mean()),
        },
    }
    if seasonal:
        mean = rows["mean"].to_numpy()
        scores["acc"] = _correlation(mean, observed)
        scores["rmse"] = float(np.sqrt(((mean - observed) ** 2).mean()))
    if shortfalls is not None:
        scores["var"] = {}
        for level, shortfall in shortfalls.items():
            var = rows[f"var_{level}"].to_numpy()
            hits = observed <= var
            tests = {"kupiec_p": kupiec(hits, level), "christoffersen_p": christoffersen(hits)}
            scores["var"][f"{level:g}"] = {
                "hits": int(hits.sum()),
                **(tests if test_hits else {}),
                "fz0": fz0(observed, var, shortfall, level),
            }
    return scores


def _correlation(forecast: np.ndarray, observed: np.ndarray) -> float | None:
    """Return the Pearson correlation, or None for a constant forecast."""
    if np.ptp(forecast) < 1e-12:
        return None
    return float(np.corrcoef(forecast, observed)[0, 1])
