"""Climate domain: forecasts of El Niño sea-surface temperature 1 to 12 months ahead."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.domains.domain import require_columns
from tasks.forecasters.levels.linear import near
from tasks.forecasters.levels.monthly import (
    Fit,
    averaged,
    climatology,
    damped_persistence,
    damped_ridge,
    kernel_ridge,
    persistence,
    seasonal_ridge,
    slow_ridge,
    switched,
)
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import Progress, run_units, silent
from tasks.runtime.params import FeatureParams

NORMAL_YEARS = 30
"""Number of years before a refit whose monthly means are the climatology (30, as for the WMO's normals)."""

BLOCKS = 8
"""Number of contiguous blocks in the cross-validation that estimates the spread of every model."""

LAGS = (0, 2, 6, 12)
"""Lags in months of the base. They and the constants below were chosen on targets of 1970-1989."""

PENALTY, SLOW_PENALTY, RIDGE_PENALTY, KERNEL_PENALTY = 100.0, 30.0, 10.0, 10.0
"""Penalties of the two ridges of the base, of the peer ``seasonal-ridge`` and of the base's kernel ridges."""

NARROW, WIDE = 2.0, 3.0
"""Kernel widths, in standard deviations, of the correction to the ridge and of the one to climatology."""

BARRIER = 6
"""Lead in months from which the base uses slow inputs and similar past months instead of seasonal damping.

Such forecasts usually pass the spring, in which the persistence of El Niño breaks down.
"""

REACH = 2
"""Number of months on either side of a target month whose residuals are used for its spread."""

EARLIEST = 12
"""Months of history that an origin must have to be used in a fit."""

MODELS: dict[str, Fit] = {
    "lagged-ridge": switched(
        BARRIER,
        before=kernel_ridge(damped_ridge(LAGS, PENALTY), LAGS, KERNEL_PENALTY, NARROW),
        beyond=averaged(slow_ridge(SLOW_PENALTY), kernel_ridge(climatology, LAGS, KERNEL_PENALTY, WIDE)),
    ),
    "damped-persistence": damped_persistence,
    "seasonal-ridge": seasonal_ridge((0, 1, 2), RIDGE_PENALTY),
    "climatology": climatology,
    "persistence": persistence,
}


class Climate:
    """Monthly sea-surface temperature of the region Niño 1+2 off Peru, 1950-2010, from statsmodels."""

    name = "climate"
    title = "El Niño: sea-surface temperature off Peru, 1 to 12 months ahead"
    question = (
        "At the end of each month: how much warmer or colder than normal will the sea surface off Peru "
        "(region Niño 1+2) be 1, 3, 6, 9 and 12 months later? The answer is a full probability "
        "distribution, so it also gives the probability that the anomaly exceeds a threshold. An "
        "energy-based model tilts the strongest classical forecast. Both are compared with climatology, "
        "persistence and ridge regression on months that were not used to fit them."
    )
    unit = "°C anomaly"
    frequency = "MS"
    calendar = None
    sources = ("elnino",)
    columns = ("sst",)
    leads = (1, 3, 6, 9, 12)
    peers = ("damped-persistence", "seasonal-ridge", "climatology", "persistence", "mdn")
    reference = "damped-persistence"
    base = "lagged ridge with kernel correction; from lead 6, slow ridge averaged with kernel ridge"
    pool = ("lagged-ridge",)
    prior = None
    returns = False
    state = "x_anomaly"
    state_title = "anomaly of the last month, °C"

    def parse(self, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Return the raw table with columns ``time, series, sst`` from the table ``elnino``."""
        table = tables["elnino"]
        require_columns("elnino", table, ("time", *self.columns))
        return table[["time", *self.columns]].assign(series="nino")[["time", "series", *self.columns]]

    def features(
        self,
        raw: pd.DataFrame,
        params: FeatureParams,
        start: pd.Timestamp | None = None,
        progress: Progress = silent,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the inputs known at each month and the classical densities, as defined in ``Domain``.

        The target is the temperature minus the climatology known at the last refit. All models share it, so
        that their scores can be compared.
        """
        series = raw.reset_index(drop=True)
        expected = pd.date_range(series["time"].iloc[0], series["time"].iloc[-1], freq="MS")
        absent = expected.difference(pd.DatetimeIndex(series["time"]))
        if len(absent) or len(expected) != len(series):
            first = f"{absent[0]:%Y-%m}" if len(absent) else f"{series['time'].iloc[0]:%Y-%m}"
            raise BasinError(
                f"nino: {len(series)} rows, expected {len(expected)}, one for each month from "
                f"{expected[0]:%Y-%m} to {expected[-1]:%Y-%m} (first problem: {first}); fill the gap, or "
                "remove the rows on one side of it"
            )
        least = params.min_rows + max(self.leads)
        if len(series) <= least:
            raise BasinError(
                f"nino: {len(series)} months, expected more than {least} (features.min_rows + the longest "
                "lead); give a longer history or lower features.min_rows in params.yaml"
            )
        refits = range(params.min_rows - 1, len(series), params.refit)
        units = [
            (series, at, params.refit)
            for at in refits
            if start is None or series["time"].iloc[min(at + params.refit, len(series)) - 1] >= start
        ]
        # A refit takes a fraction of a second, so several refits are sent to a worker as one unit.
        chunks = [units[i::4] for i in range(4)]
        done = run_units(_refits, [(chunk,) for chunk in chunks if chunk], "classical models", progress)
        inputs = pd.concat([i for part in done for i, _ in part])
        classical = pd.concat([c for part in done for _, c in part])
        if start is not None:
            inputs, classical = inputs[inputs["origin"] >= start], classical[classical["origin"] >= start]
        keys = ["series", "origin", "lead"]
        return (
            inputs.sort_values(keys, ignore_index=True),
            classical.sort_values(["model", *keys], ignore_index=True),
        )

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Classify months by their 3-month mean anomaly: El Niño ≥ 0.5 °C, La Niña ≤ −0.5 °C, else neutral.

        Anomalies are differences from the mean of the calendar month over all years.
        """
        anomaly = raw["sst"] - raw.groupby(raw["time"].dt.month)["sst"].transform("mean")
        smooth = anomaly.rolling(3, min_periods=1).mean()
        regime = np.select([smooth >= 0.5, smooth <= -0.5], ["el-nino", "la-nina"], "neutral")
        return pd.DataFrame({"time": raw["time"], "series": raw["series"], "regime": regime})

    def empirical(
        self, inputs: pd.DataFrame, raw: pd.DataFrame, past: pd.DataFrame, model: str
    ) -> np.ndarray:
        """Raise ``ValueError``, because this domain has no empirical peers."""
        raise ValueError(f"unknown empirical peer {model}; climate has no peers that forecast a sample")


@dataclass(frozen=True)
class _Density:
    """Location and spread of one model at one lead for each origin, and its standardised residuals."""

    loc: np.ndarray
    scale: np.ndarray
    residual: np.ndarray


def _refits(units: list[tuple[pd.DataFrame, int, int]]) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    return [_refit(*unit) for unit in units]


def _refit(series: pd.DataFrame, at: int, refit: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit all models on rows up to ``at``; return ``(inputs, classical)`` of origins in [at, at + refit)."""
    sst, time = series["sst"].to_numpy(), pd.DatetimeIndex(series["time"])
    phase = time[0].month - 1
    month = (np.arange(len(sst)) + phase) % 12
    recent = np.arange(len(sst)) <= at
    recent &= np.arange(len(sst)) > at - 12 * NORMAL_YEARS
    normal = np.array([sst[recent & (month == m)].mean() for m in range(12)])
    anomaly = sst - normal[month]
    origins = np.arange(at, min(at + refit, len(sst)))
    inputs, classical = [], []
    for lead in Climate.leads:
        ahead = [time[int(o)] + pd.DateOffset(months=lead) for o in origins]
        target = np.array([anomaly[o + lead] if o + lead < len(sst) else np.nan for o in origins])
        keys = pd.DataFrame({"series": series["series"].iloc[0], "origin": time[origins], "lead": lead})
        known = anomaly[: at + 1]
        densities = {
            name: _density(fit, known, anomaly, origins, lead, phase) for name, fit in MODELS.items()
        }
        for name, density in densities.items():
            eta, lam = _shape(density.residual)
            table = keys.assign(model=name, loc=density.loc, scale=density.scale, eta=eta, lam=lam)
            classical.append(table)
        season = 2 * np.pi * ((origins + lead + phase) % 12) / 12
        inputs.append(
            keys.assign(
                time=ahead,
                target=target,
                x_anomaly=anomaly[origins],
                x_change_3=anomaly[origins] - anomaly[origins - 3],
                x_change_12=anomaly[origins] - anomaly[origins - 12],
                x_mean_12=np.array([anomaly[o - 11 : o + 1].mean() for o in origins]),
                x_cos=np.cos(season),
                x_sin=np.sin(season),
                x_lead=lead / 12,
                x_loc=densities["lagged-ridge"].loc,
                x_log_scale=np.log(densities["lagged-ridge"].scale),
            )
        )
    return pd.concat(inputs, ignore_index=True), pd.concat(classical, ignore_index=True)


def _density(
    fit: Fit, known: np.ndarray, anomaly: np.ndarray, origins: np.ndarray, lead: int, phase: int
) -> _Density:
    """Fit one model and estimate its spread in each season from block-cross-validated residuals."""
    training = np.arange(EARLIEST, len(known) - lead)
    loc = fit(known, training, lead, phase)(anomaly, origins)
    residual = np.empty(len(training))
    gap = EARLIEST + lead
    for block in np.array_split(training, BLOCKS):
        kept = training[(training < block[0] - gap) | (training > block[-1] + gap)]
        residual[block - EARLIEST] = known[block + lead] - fit(known, kept, lead, phase)(known, block)
    month = (training + lead + phase) % 12
    spread = np.array([np.sqrt(np.mean(residual[near(month, m, REACH, 12)] ** 2)) for m in range(12)])
    return _Density(loc, spread[(origins + lead + phase) % 12], residual / spread[month])


def _shape(residual: np.ndarray) -> tuple[float, float]:
    """Fit the degrees of freedom and the skewness of standardised residuals."""
    from ebm_core.tilts.regression import fit_skewt_regression

    ones = np.ones((len(residual), 1))
    fit = fit_skewt_regression(
        residual,
        np.empty((len(residual), 0)),
        ones,
        prior_gamma=np.empty(0),
        prior_beta=np.zeros(1),
        penalty_loc=0.0,
        penalty_scale=1e6,  # keeps the scale at 1, so that only the shape is fitted
    )
    return fit.eta, fit.lam


DOMAIN = Climate()
