"""Marginal distributions of a panel: GJR-skew-t forecasts of each series, refitted yearly."""

from dataclasses import dataclass

import numpy as np

from ebm_core.tilts import hansen
from tasks.forecasters.returns import garch
from tasks.joint.panel import LEAST, STILL, Panel, Refit
from tasks.runtime.parallel import Progress, run_units, silent

MODEL = "gjr-skewt"
PARAMETERS = ("loc", "scale", "eta", "lam")

GRID = np.linspace(-9, 9, 1801)
"""Normal scores at which quantiles of the skewed t are tabulated, to be interpolated."""


@dataclass(frozen=True)
class Marginals:
    """Forecast skewed t of each return, ``(rows + 1, series)``, NaN where a series has none.

    The last row is the forecast of the return after the data. Before the first refit of a series,
    its parameters are those of that refit, and not yet a forecast: ``known`` is false there.
    """

    loc: np.ndarray
    scale: np.ndarray
    eta: np.ndarray
    lam: np.ndarray
    known: np.ndarray
    market: np.ndarray
    """Forecast scale ``(rows + 1,)`` of the mean return of all series, by the same model."""

    def scores(self, returns: np.ndarray) -> np.ndarray:
        """Return the normal scores of returns ``(rows, series)``."""
        rows = slice(0, len(returns))
        z = (returns - self.loc[rows]) / self.scale[rows]
        found = np.full_like(z, np.nan)
        there = np.isfinite(z)
        found[there] = hansen.normal_score(z[there], self.eta[rows][there], self.lam[rows][there])
        return found

    def log_density(self, returns: np.ndarray) -> np.ndarray:
        """Return the log densities of returns ``(rows, series)``, in nats."""
        rows = slice(0, len(returns))
        z = (returns - self.loc[rows]) / self.scale[rows]
        standard: np.ndarray = hansen.log_density(np, z, self.eta[rows], self.lam[rows])
        return standard - np.log(self.scale[rows])

    def quantiles(self, row: int, series: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the returns at normal scores ``(draws, series)`` for the forecast of one row."""
        found = np.empty_like(scores)
        for k, i in enumerate(series):
            table = _quantiles(float(self.eta[row, i]), float(self.lam[row, i]))
            standard = np.interp(scores[:, k], GRID, table)
            found[:, k] = self.loc[row, i] + self.scale[row, i] * standard
        return found


_tables: dict[tuple[float, float], np.ndarray] = {}


def _quantiles(eta: float, lam: float) -> np.ndarray:
    if (eta, lam) not in _tables:
        if len(_tables) > 5000:
            _tables.clear()
        _tables[eta, lam] = hansen.quantile(GRID, np.array(eta), np.array(lam))
    return _tables[eta, lam]


def fit_marginals(panel: Panel, walk: list[Refit], progress: Progress = silent) -> Marginals:
    """Fit the marginals of all series at each refit, on Ray if that saves time."""
    there = np.isfinite(panel.returns)
    market = np.where(there, panel.returns, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    market[there.mean(axis=1) < 0.5] = np.nan
    units = [(values, walk) for values in (*panel.returns.T, market)]
    found = np.stack(run_units(series_marginals, units, "volatility models", progress), axis=2)
    loc, scale, eta, lam, known = found[..., :-1]
    return Marginals(loc, scale, eta, lam, known == 1, found[1, :, -1])


def series_marginals(values: np.ndarray, walk: list[Refit]) -> np.ndarray:
    """Return loc, scale, eta, lam and whether they were forecast ``(5, rows + 1)`` of one series."""
    found = np.full((5, len(values) + 1), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    fitted = False
    for refit in walk:
        past = there[there < refit.first]
        past = past[past >= min(refit.start, past[-LEAST] if len(past) >= LEAST else 0)]
        learned = values[past]
        if len(past) < LEAST or (learned == 0).mean() > STILL:
            continue
        ahead = there[(there >= refit.first) & (there < refit.end)]
        params = garch.fit(MODEL, learned)
        known = np.concatenate([past, ahead])
        rows = np.append(known, len(values)) if refit.end > len(values) else known
        forecasts = garch.forecasts(MODEL, params, values[known], 0)
        table = forecasts[list(PARAMETERS)].to_numpy().T
        forecast = slice(len(past) - 1, len(rows) - 1)
        if not fitted:
            found[:4, rows[1:]] = table[:, : len(rows) - 1]
            found[4, rows[1:]] = 0
        found[:4, rows[1:][forecast]] = table[:, forecast]
        found[4, rows[1:][forecast]] = 1
        fitted = True
    return found
