"""Domains for the series of a user's file, which are made when the file is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.forecasters.levels.features import SeasonalLevels
from tasks.forecasters.returns.features import Returns
from tasks.reporting.labels import CHANGE, listed, periods
from tasks.runtime.calendar import Calendar
from tasks.runtime.frequencies import frequency
from tasks.tilts.global_prior import GLOBAL_TILT
from tasks.userdata.time_of_day import widths_by_clock

METHOD = (
    "The forecast is a probability distribution. An energy-based model tilts the strongest classical "
    "forecast. Both are compared with other classical models, on dates not used in fitting."
)
"""Description of the method in the question of a report."""


@dataclass(frozen=True, kw_only=True)
class OwnReturns(Returns):
    """Prices or rates of a user's file, one step ahead."""

    name: str
    title: str
    frequency: str
    kind: str
    ohlc: bool
    exog: tuple[str, ...]
    logged: tuple[str, ...]
    peers: tuple[str, ...]
    calm: float
    wild: float
    """Root mean squares of 22 returns up to which a row is calm, and from which it is turbulent."""
    market: Calendar
    """Calendar of the file, which gives the dates to come."""
    sources: tuple[str, ...] = ()
    prior: Path | None = GLOBAL_TILT

    calendar = None

    @property
    def columns(self) -> tuple[str, ...]:
        return ("close", *self.exog, *(("open", "high", "low") if self.ohlc else ()))

    @property
    def unit(self) -> str:
        return {"rate": CHANGE, "return": "%"}.get(self.kind, "% (100·Δlog)")

    @property
    def question(self) -> str:
        return (
            f"At the end of each {frequency(self.frequency).period}, how will the value move until the next? "
            + METHOD
        )

    def energy_inputs(self, table: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
        """Return inputs relative to the volatility of the series, so that one energy suits all volatilities.

        The EGARCH volatility is relative to its past mean, the scale of the base to that of EGARCH, and the
        location of the base to its scale.
        """
        x = super().energy_inputs(table, base)
        return x.assign(
            x_log_egarch=x["x_log_egarch"] - table["usual_egarch"][base["row"]].to_numpy(),
            x_log_scale=x["x_log_scale"] - x["x_log_egarch"],
            x_loc=base["loc"] / base["scale"],
        )

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Classify rows as calm, normal or turbulent by the root mean square of the last 22 returns."""
        parts = []
        for name, group in raw.groupby("series", sort=False):
            squared = pd.Series(np.append(np.nan, self.steps(group)) ** 2, index=group.index)
            rms = np.sqrt(squared.rolling(22).mean())
            regime = pd.cut(
                rms, [-np.inf, self.calm, self.wild, np.inf], labels=["calm", "normal", "turbulent"]
            )
            parts.append(pd.DataFrame({"time": group["time"], "series": name, "regime": regime}).dropna())
        return pd.concat(parts, ignore_index=True).astype({"regime": str})

    def widths(self, group: pd.DataFrame) -> np.ndarray:
        """Return the mean size of moves at the time of day of the next row over that of all moves.

        Only moves up to each row are used. The first move of a day spans the night, for example, and is
        wider than the others.
        """
        if not frequency(self.frequency).intraday:
            return super().widths(group)
        return widths_by_clock(pd.DatetimeIndex(group["time"]), np.abs(self.moves(group)), self.market)

    def following(self, time: Any) -> np.datetime64:
        """Return the next date by the calendar of the file."""
        return self.market.following(pd.Timestamp(time))[0].to_datetime64()


@dataclass(frozen=True, kw_only=True)
class OwnLevels(SeasonalLevels):
    """Levels of a user's file, forecast several steps ahead and scored as anomalies from their normal."""

    name: str
    title: str
    frequency: str
    shown: str
    """Name of the target's column."""
    peers: tuple[str, ...]
    low: float
    high: float
    """Levels below and above which a row counts as low or high."""
    measure: str = ""
    """Unit of the values, such as °C, or empty if it is not known."""
    lowest: float | None = None
    """Least value that is possible, or None if there is none."""
    sources: tuple[str, ...] = ()

    reference = "seasonal-ridge"
    returns = False
    calendar = None
    state = "x_anomaly"
    state_title = "anomaly at the origin"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("value", *self.exog)

    @property
    def unit(self) -> str:
        return f"{self.measure} anomaly".lstrip()

    @property
    def level_unit(self) -> str:
        """Unit of the values, or empty if it is not known."""
        return self.measure

    @property
    def question(self) -> str:
        *near, furthest = self.leads
        ahead = listed([*near, periods(self.frequency, furthest)])
        return (
            f"At the end of each {frequency(self.frequency).period}, how far from its normal, the mean of "
            "past "
            f"values, will {self.shown} be {ahead} later? " + METHOD
        )

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Classify rows as low, middle or high by the thirds of the values before the test block."""
        regime = pd.cut(
            raw["value"], [-np.inf, self.low, self.high, np.inf], labels=["low", "middle", "high"]
        )
        return raw[["time", "series"]].assign(regime=regime.astype(str))

    def empirical(
        self, inputs: pd.DataFrame, raw: pd.DataFrame, past: pd.DataFrame, model: str
    ) -> np.ndarray:
        raise ValueError(f"unknown empirical peer {model}; this series has no peers that forecast a sample")


def lowest_of(values: pd.Series) -> float | None:
    """Return the least value that a level can have: 0 if it is the least of its record, as of rain."""
    return 0.0 if values.min() == 0 else None


def suite(domain: Any) -> dict[str, Any]:
    """Return the expectation suite of a user's file: the conditions that every stage relies on."""

    def expect(kind: str, why: str, **kwargs: Any) -> dict[str, Any]:
        return {"type": kind, "kwargs": kwargs, "meta": {"why": why}}

    numbers = [
        expect("expect_column_values_to_not_be_null", "no missing values", column=column)
        for column in ("time", "series", *domain.columns)
    ]
    positive = [
        expect("expect_column_values_to_be_between", "prices are positive", column="close", min_value=0,
               strict_min=True)
    ]  # fmt: skip
    return {
        "suite": domain.name,
        "expectations": [
            expect(
                "expect_table_columns_to_match_set",
                "the columns that every stage reads",
                column_set=["time", "series", *domain.columns],
                exact_match=False,
            ),
            *numbers,
            expect("expect_compound_columns_to_be_unique", "one row for each date of a series",
                   column_list=["series", "time"]),
            expect("expect_column_values_to_be_between", "dates increase within each series",
                   column="days_since_previous", min_value=0, strict_min=True),
            *(positive if getattr(domain, "kind", "level") == "price" else []),
        ],
    }  # fmt: skip
