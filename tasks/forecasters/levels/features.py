"""Forecasts of seasonal levels: monthly, weekly, daily or hourly series of a user, with or without inputs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from tasks.forecasters.levels.ensemble import MEMBERS, PEERS, UNLEARNT, locations
from tasks.forecasters.levels.linear import harmonics, near
from tasks.forecasters.levels.season import normals
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import FeatureParams

PERIODS = {"YS": 1, "YE": 1, "QS": 4, "QE": 4, "MS": 12, "ME": 12, "W": 52, "D": 7, "h": 24}
"""Number of rows in a seasonal cycle for each pandas frequency. Years have no season."""

ANCHORED = ("YS", "YE", "QS", "QE", "W")
"""Frequencies whose month or weekday is inferred from the dates."""

CYCLES = 30
"""Number of cycles before a refit whose means are the normals."""

WARM_UP = 3
"""Number of cycles of out-of-sample errors before the first forecast."""

BASE = "ensemble"

HALF_LIFE = 10
"""Number of cycles after which an error has half its weight in the ensemble weights."""

PRIOR_CYCLES = 10
"""Strength, in cycles, with which the squared error of each member is shrunk to the mean over members."""

PRIOR_ERRORS = 30
"""Strength, as a number of errors, with which the spread of a season is shrunk to that of all seasons."""

LEARNING = 0.8
"""Effective number of parameters of a fit, in cycles of rows for each series (see :meth:`_Walk._spread`)."""


def cycle_of(times: pd.DatetimeIndex, series: str, freq: str | None = None) -> tuple[str, int]:
    """Return the pandas frequency of an ascending index without gaps, and the number of rows in its cycle.

    ``freq`` is a key of :data:`PERIODS`, or None to infer it. Raises ``BasinError`` for a gap or an unknown
    frequency.
    """
    fixed = None if freq in ANCHORED else freq
    found = fixed or pd.infer_freq(times[:10]) or pd.infer_freq(times[-10:])
    name = (found or "").split("-")[0]
    if found is None or name not in PERIODS or freq not in (None, name):
        expected = freq or f"one of {', '.join(PERIODS)}"
        raise BasinError(
            f"{series}: found frequency {found}, expected {expected}; correct the dates or give the frequency"
        )
    absent = pd.date_range(times[0], times[-1], freq=found).difference(times)
    if len(absent):
        raise BasinError(
            f"{series}: {len(absent)} {found} rows absent, first {absent[0]}; add them, or remove the rows "
            "on one side of the gap"
        )
    return found, PERIODS[name]


@dataclass(frozen=True)
class SeasonalLevels:
    """Classical forecasts of anomalies of ``target`` from past values of ``target`` and ``exog``.

    ``freq`` is a pandas frequency of :data:`PERIODS`, or None to infer it from the dates. ``leads`` are in
    rows.
    """

    target: str
    exog: tuple[str, ...] = ()
    leads: tuple[int, ...] = (1, 3, 6, 12)
    freq: str | None = None

    peers = PEERS
    pool = (BASE,)
    prior = None
    base = "mean of ridges about damped persistence, inverse model and oscillator, weighted by past errors"

    def features(
        self,
        raw: pd.DataFrame,
        params: FeatureParams,
        start: pd.Timestamp | None = None,
        progress: Progress = silent,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return ``(inputs, classical)`` as defined in ``tasks.domains.domain.Domain``.

        The models are refitted every ``params.refit`` rows. Normals, standardisation, coefficients, weights
        of the ensemble and spreads of a refit use rows up to it only. ``inputs`` also has the normal of the
        target, and the first and last date of the rows of which it is the mean, ``normal_from`` and
        ``normal_to``. A level is the sum of its anomaly and its normal. Raises ``BasinError`` for gaps,
        missing values and too few rows.
        """
        done = [self._one(str(name), table, params) for name, table in raw.groupby("series", sort=True)]
        inputs, classical = (pd.concat(part, ignore_index=True) for part in zip(*done, strict=True))
        if start is not None:
            inputs, classical = inputs[inputs["origin"] >= start], classical[classical["origin"] >= start]
        keys = ["series", "origin", "lead"]
        return (
            inputs.sort_values(keys, ignore_index=True),
            classical.sort_values(["model", *keys], ignore_index=True),
        )

    def _one(
        self, name: str, table: pd.DataFrame, params: FeatureParams
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        times = pd.DatetimeIndex(table["time"])
        least = params.min_rows + max(self.leads)
        if len(table) <= least:
            raise BasinError(
                f"{name}: {len(table)} rows, expected more than {least} for one fit (features.min_rows "
                "+ the longest lead); give a longer history or lower features.min_rows"
            )
        freq, period = cycle_of(times, name, self.freq)
        first = first_origin(period, self.leads, params)
        if params.min_rows < 3 * period + max(self.leads) or len(table) <= first:
            raise BasinError(
                f"{name}: {len(table)} rows and features.min_rows = {params.min_rows}; a cycle of {period} "
                f"rows and lead {max(self.leads)} need min_rows ≥ {3 * period + max(self.leads)} and more "
                f"than {first} rows; give a longer history or change features.min_rows"
            )
        values = table[[self.target, *self.exog]].to_numpy(float)
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise BasinError(
                f"{name}: {[self.target, *self.exog][column]} is missing at {times[row]}; fill it, or "
                "remove the rows on one side of it"
            )
        phase = (times[0].month - 1) * period // 12 if period in (4, 12) else 0
        season = (np.arange(len(values)) + phase) % period
        walk = _Walk(self.leads, period, season, values.shape[1])
        parts = []
        for at in range(params.min_rows - 1, len(values), params.refit):
            origins = np.arange(at, min(at + params.refit, len(values)))
            part = walk.refit(values, at, origins)
            kept = part["origin"] >= first
            parts.append({key: value[kept] for key, value in part.items()})
        return self._tables(name, times, freq, period, walk.season, parts)

    def _tables(
        self,
        name: str,
        times: pd.DatetimeIndex,
        freq: str,
        period: int,
        season: np.ndarray,
        parts: list[dict[str, np.ndarray]],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        at = whole["origin"].astype(int)
        step = to_offset(freq)
        inputs, classical = [], []
        for i, lead in enumerate(self.leads):
            keys = pd.DataFrame({"series": name, "origin": times[at], "lead": lead})
            wave = harmonics((season[at] + lead) % period, period, 1)
            table = keys.assign(
                time=[time + lead * step for time in times[at]],
                target=whole["target"][:, i],
                normal=whole["normal"][:, i],
                normal_from=times[whole["normal_from"]],
                normal_to=times[whole["normal_to"]],
                x_anomaly=whole["state"][:, 0],
                x_change=whole["change"],
                x_cos=wave[:, 1],
                x_sin=wave[:, 2],
                x_lead=lead / max(self.leads),
                x_loc=whole["loc"][:, i, -1],
                x_log_scale=np.log(whole["scale"][:, i, -1]),
                x_disagreement=whole["loc"][:, i, _members()].std(axis=1),
            )
            for j, column in enumerate(self.exog):
                table[f"x_{column}"] = whole["state"][:, j + 1]
            inputs.append(table)
            for k, model in enumerate(_MODELS):
                classical.append(
                    keys.assign(
                        model=model,
                        loc=whole["loc"][:, i, k],
                        scale=whole["scale"][:, i, k],
                        eta=1e6,
                        lam=0.0,
                    )
                )
        return pd.concat(inputs, ignore_index=True), pd.concat(classical, ignore_index=True)


_SINGLE = tuple(dict.fromkeys((*PEERS, *MEMBERS)))
_MODELS = (*_SINGLE, BASE)
_LEARNT = np.array([name not in UNLEARNT for name in _MODELS])


class _Walk:
    """Walk-forward evaluation of one series, which stores the out-of-sample errors of every model."""

    def __init__(self, leads: tuple[int, ...], period: int, season: np.ndarray, columns: int) -> None:
        self.leads, self.period, self.season, self.columns = leads, period, season, columns
        self.error = np.full((len(season), len(leads), len(_MODELS)), np.nan)
        self.rows = np.zeros(len(season))

    def refit(self, values: np.ndarray, at: int, origins: np.ndarray) -> dict[str, np.ndarray]:
        """Fit on rows up to ``at``; return means, spreads and inputs of ``origins`` in the target's unit."""
        recent = np.arange(max(0, at + 1 - CYCLES * self.period), at + 1)
        normal = normals(values[recent], self.season[recent], self.period)
        anomaly = values - normal[self.season]
        sigma = np.maximum(anomaly[: at + 1].std(axis=0), 1e-9)
        # Rows after the last origin are not known at any of the origins.
        seen = (anomaly / sigma)[: origins[-1] + 1]
        fitted = locations(seen, at + 1, self.season[: len(seen)], self.period, self.leads)
        loc = np.stack([fitted[name][origins] for name in _SINGLE], axis=2) * sigma[0]
        mean = (loc[:, :, _members()] * self._weights(at)).sum(axis=2)
        loc = np.concatenate([loc, mean[:, :, None]], axis=2)
        scale = self._spread(at, origins, sigma[0])
        target = np.full((len(origins), len(self.leads)), np.nan)
        for i, lead in enumerate(self.leads):
            ahead = origins + lead
            inside = ahead < len(values)
            target[inside, i] = anomaly[ahead[inside], 0]
        self.error[origins], self.rows[origins] = target[:, :, None] - loc, at + 1
        change = anomaly[origins, 0] - anomaly[origins - max(1, self.period // 4), 0]
        return {
            "origin": origins,
            "loc": loc,
            "scale": scale,
            "target": target,
            "normal": normal[(self.season[origins, None] + np.array(self.leads)) % self.period, 0],
            "normal_from": np.full(len(origins), recent[0]),
            "normal_to": np.full(len(origins), at),
            "state": np.column_stack([anomaly[origins, 0], seen[origins, 1:]]),
            "change": change,
        }

    def _past(self, at: int, i: int) -> np.ndarray:
        """Return the origins whose error at lead ``self.leads[i]`` is known at row ``at``."""
        return np.flatnonzero(np.isfinite(self.error[: max(0, at + 1 - self.leads[i]), i, 0]))

    def _weights(self, at: int) -> np.ndarray:
        """Return weights ``(leads, members)`` by inverse past squared error, equal if there are none yet."""
        weights = np.ones((len(self.leads), len(MEMBERS)))
        for i in range(len(self.leads)):
            past = self._past(at, i)
            if len(past):
                discount = 0.5 ** ((at - past) / (HALF_LIFE * self.period))
                square = self.error[past, i][:, _members()] ** 2
                total, prior = (discount[:, None] * square).sum(axis=0), PRIOR_CYCLES * self.period
                weights[i] = 1 / (total + prior * total.mean() / discount.sum())
        share: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
        return share

    def _spread(self, at: int, origins: np.ndarray, sigma: float) -> np.ndarray:
        """Return σ ``(origins, leads, models)``, the root mean squared past error near the target's season.

        A fit of p effective parameters to n rows has error variance σ²·(1 + p/n). The square of an error made
        by a fit to n rows is therefore multiplied by (1 + p/n_now) / (1 + p/n), where n_now is the number of
        rows at ``at``. p is :data:`LEARNING` cycles of rows for each series, and 0 for ``UNLEARNT`` models.
        The variance is shrunk to that of all seasons, with the weight of :data:`PRIOR_ERRORS` errors. Without
        past errors it is the climatological ``sigma``².
        """
        spread = np.full((len(origins), len(self.leads), len(_MODELS)), sigma)
        reach, learning = max(1, self.period // 6), LEARNING * self.period * self.columns
        for i, lead in enumerate(self.leads):
            past = self._past(at, i)
            if not len(past):
                continue
            learnt = (1 + learning / (at + 1)) / (1 + learning / self.rows[past])
            square = self.error[past, i] ** 2 * np.where(_LEARNT, learnt[:, None], 1.0)
            phase = (self.season[past] + lead) % self.period
            overall = square.mean(axis=0)
            for row, origin in enumerate(origins):
                close = near(phase, (self.season[origin] + lead) % self.period, reach, self.period)
                total = square[close].sum(axis=0) + PRIOR_ERRORS * overall
                spread[row, i] = np.sqrt(total / (close.sum() + PRIOR_ERRORS))
        return np.maximum(spread, 1e-6 * sigma + 1e-12)


def first_origin(period: int, leads: tuple[int, ...], params: FeatureParams) -> int:
    """Return the row of the first forecast, after ``WARM_UP`` cycles of out-of-sample errors at all leads."""
    return params.min_rows - 1 + WARM_UP * period + max(leads)


def _members() -> list[int]:
    return [_SINGLE.index(name) for name in MEMBERS]
