"""Forecasts of returns of prices and changes of rates, by volatility models and scale regressions."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tasks.forecasters.returns import frozen, garch
from tasks.forecasters.returns.scale_regression import (
    REGRESSIONS,
    VOLATILITIES,
    base_forecasts,
    first_base,
    scaled,
    walk_forward,
)
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import Progress, run_units, silent
from tasks.runtime.params import FeatureParams

HISTORY = 1000
"""Number of past returns in a sample of the peer ``historical-simulation``."""


class Returns:
    """Base class of domains that forecast returns (see ``tasks.domains.domain.Domain``).

    The raw table has a column ``close``, and also ``open``, ``high`` and ``low`` if ``ohlc`` is true. The
    columns ``exog`` are further inputs, known at the origin. The target is 100·Δlog close, Δclose if
    ``kind`` is ``rate``, and the next ``close`` itself if ``kind`` is ``return``.
    """

    frequency: str
    ohlc: bool = False
    exog: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    """Columns of ``exog`` that are positive and are used as logarithms."""
    kind: str = "price"
    leads = (1,)
    peers: tuple[str, ...] = (
        "scale-regression",
        "egarch-skewt",
        "gjr-skewt",
        "garch-t",
        "gjr-filtered-simulation",
        "historical-simulation",
        "mdn",
    )
    reference = "egarch-skewt"
    base = "pool of scale regressions on all and on the last 500 rows and of EGARCH-skew-t"
    pool: ClassVar[tuple[str, ...]] = (*REGRESSIONS, "egarch-skewt")
    prior: Path | None = None
    returns = True
    state = "x_z"
    state_title = "last return, in standard deviations predicted by EGARCH"

    @property
    def volatilities(self) -> tuple[str, ...]:
        """Volatility models that are fitted: those of the base and those among the peers."""
        return tuple(model for model in garch.MODELS if model in (*VOLATILITIES.values(), *self.peers))

    def following(self, time: Any) -> np.datetime64:
        """Return the time at which the step after ``time`` ends."""
        raise NotImplementedError

    def features(
        self,
        raw: pd.DataFrame,
        params: FeatureParams,
        start: pd.Timestamp | None = None,
        progress: Progress = silent,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the inputs known at each close and the classical forecasts, as defined in ``Domain``."""
        groups = {
            str(name): group.reset_index(drop=True) for name, group in raw.groupby("series", sort=False)
        }
        short = [name for name, group in groups.items() if len(group) <= first_base(params)]
        if start is not None and len(short) < len(groups):
            # When past forecasts are recomputed, series that were too short at that time have none.
            groups = {name: group for name, group in groups.items() if name not in short}
        for name, group in groups.items():
            if len(group) <= first_base(params):
                raise BasinError(
                    f"{name}: {len(group)} rows, expected more than {first_base(params)} (twice "
                    "features.min_rows, in steps of features.refit); give a longer history or lower "
                    "features.min_rows in params.yaml"
                )
        units = [
            (model, self.steps(group), params) for group in groups.values() for model in self.volatilities
        ]
        forecasts = iter(run_units(walk_forward, units, "volatility models", progress))
        prepared = {name: {m: next(forecasts) for m in self.volatilities} for name in groups}
        bases = run_units(
            base_forecasts,
            [(self, group, prepared[name], params, start) for name, group in groups.items()],
            "base models",
            progress,
        )
        inputs, classical = [], []
        for (name, group), (measures, regressions) in zip(groups.items(), bases, strict=True):
            base = regressions["scale-regression"]
            rows = base["row"].to_numpy()
            keys = self.keys(name, group, rows)
            inputs.append(pd.concat([keys, self.energy_inputs(measures, base)], axis=1))
            for model, table in {**regressions, **prepared[name]}.items():
                chosen = table.set_index("row").loc[rows].reset_index(drop=True)
                chosen = scaled(chosen, self.widths(group)[rows])
                classical.append(
                    pd.concat([keys[["series", "origin", "lead"]].assign(model=model), chosen], axis=1)
                )
        return pd.concat(inputs, ignore_index=True), pd.concat(classical, ignore_index=True)

    def energy_inputs(self, table: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
        """Return the inputs of the energy at the rows of ``base``.

        They are the columns ``x_*`` of ``table`` and the location and log scale of the base.
        """
        x = table.loc[base["row"], [c for c in table.columns if c.startswith("x_")]].reset_index(drop=True)
        return x.assign(x_log_scale=np.log(base["scale"]), x_loc=base["loc"])

    def empirical(
        self, inputs: pd.DataFrame, raw: pd.DataFrame, past: pd.DataFrame, model: str
    ) -> np.ndarray:
        """Return a sample ``(len(inputs), HISTORY)`` of the forecast of a peer at each origin.

        For historical simulation it is the last ``HISTORY`` returns. For filtered historical simulation it is
        ``HISTORY`` quantiles of all past standardised errors of GJR, with GJR's present location and scale
        (Barone-Adesi et al. 1999).
        """
        samplers = {"historical-simulation": self._latest, "gjr-filtered-simulation": self._filtered}
        if model not in samplers:
            raise ValueError(f"unknown empirical peer {model}; expected one of {', '.join(samplers)}")
        samples = np.empty((len(inputs), HISTORY))
        for name, rows in inputs.groupby("series", sort=False):
            group = raw[raw["series"] == name]
            at = inputs.index.get_indexer(rows.index)
            samples[at] = samplers[model](group, rows, past[past["series"] == name])
        return samples

    def _latest(self, group: pd.DataFrame, rows: pd.DataFrame, past: pd.DataFrame) -> np.ndarray:
        position = pd.Index(group["time"]).get_indexer(rows["origin"])
        if position.min() < HISTORY:
            raise BasinError(
                f"{group['series'].iloc[0]}: historical simulation needs {HISTORY} returns before its first "
                f"forecast, but {rows['origin'].min():%Y-%m-%d} has {position.min()}; set split.test_from "
                "later"
            )
        windows = np.lib.stride_tricks.sliding_window_view(self.moves(group), HISTORY)
        latest: np.ndarray = windows[position - HISTORY]
        return latest

    def _filtered(self, group: pd.DataFrame, rows: pd.DataFrame, past: pd.DataFrame) -> np.ndarray:
        gjr = past[past["model"] == "gjr-skewt"].sort_values("origin", ignore_index=True)
        loc, scale = gjr["loc"].to_numpy(), gjr["scale"].to_numpy()
        returns = np.append(self.moves(group), np.nan)
        error = (returns[pd.Index(group["time"]).get_indexer(gjr["origin"])] - loc) / scale
        levels = (np.arange(HISTORY) + 0.5) / HISTORY
        # The error of the forecast from one origin is known at the next origin. `np.quantile` takes ten times
        # as long as to sort.
        return np.stack(
            [
                loc[k] + scale[k] * np.interp(levels * (k - 1), np.arange(k), np.sort(error[:k]))
                for k in pd.Index(gjr["origin"]).get_indexer(rows["origin"])
            ]
        )

    def frozen_parameters(
        self, raw: pd.DataFrame, classical: pd.DataFrame, params: FeatureParams
    ) -> dict[str, Any]:
        """Return the parameters of the classical models at their last refit, for ``classical.json``."""
        return frozen.frozen_parameters(self, raw, classical, params)

    def forecast_frozen(
        self, raw: pd.DataFrame, stored: dict[str, Any], since: pd.Timestamp | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return ``(inputs, classical)`` for the last origins from ``classical.json``, without a refit."""
        return frozen.forecast_frozen(self, raw, stored, since)

    def frozen_inputs(self) -> dict[str, Any]:
        """Return the properties that a file must have for stored parameters to apply to it."""
        return frozen.inputs_of(self)

    def steps(self, group: pd.DataFrame) -> np.ndarray:
        """Return the moves over their widths expected for the time of day. The models are fitted to them."""
        adjusted: np.ndarray = self.moves(group) / self.widths(group)[:-1]
        return adjusted

    def widths(self, group: pd.DataFrame) -> np.ndarray:
        """Return the size of the move after each row relative to that of all moves, as expected at the row.

        It is 1 unless the size depends on the time of day.
        """
        return np.ones(len(group))

    def moves(self, group: pd.DataFrame) -> np.ndarray:
        """Return the target of each row except the last, of which element i is the return of row i + 1."""
        close = group["close"].to_numpy()
        if self.kind == "return":
            returns: np.ndarray = close[1:]
        else:
            returns = np.diff(close) if self.kind == "rate" else 100 * np.diff(np.log(close))
        return returns

    def keys(self, name: str, group: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        """Return ``series``, ``origin``, ``lead``, ``time`` and ``target`` for the origins ``rows``."""
        times = group["time"].to_numpy()
        following = np.append(times[1:], self.following(times[-1]))
        target = np.append(self.moves(group), np.nan)
        return pd.DataFrame(
            {
                "series": name,
                "origin": times[rows],
                "lead": 1,
                "time": following[rows],
                "target": target[rows],
            }
        )
