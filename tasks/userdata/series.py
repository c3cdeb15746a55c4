"""Domains made for one file: what the stages need to know about a user's own series."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.forecasters.levels.features import SeasonalLevels
from tasks.forecasters.returns.features import Returns
from tasks.tilts.global_prior import GLOBAL_TILT

PERIODS = {"B": "trading day", "D": "day", "W": "week", "MS": "month", "h": "hour"}


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
    """Root mean square of 22 returns up to which a day is calm, from which it is turbulent."""
    sources: tuple[str, ...] = ()
    prior: Path | None = GLOBAL_TILT

    calendar = None

    @property
    def columns(self) -> tuple[str, ...]:
        return ("close", *self.exog, *(("open", "high", "low") if self.ohlc else ()))

    @property
    def unit(self) -> str:
        return "change" if self.kind == "rate" else "% (100·Δlog)"

    @property
    def question(self) -> str:
        return (
            f"After each {PERIODS[self.frequency]}: how will the value move until the next? The answer is a "
            "whole probability distribution. An energy-based model tilts the strongest classical forecast; "
            "both are judged, beside the models that practitioners use, on dates not used in fitting."
        )

    def energy_inputs(self, table: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
        """All in the market's own measure, so that one energy serves markets of any volatility: the EGARCH
        volatility against its past mean, the base's against EGARCH's, its location in its own scale."""
        x = super().energy_inputs(table, base)
        past = table["egarch"].expanding().mean()[base["row"]].to_numpy()
        return x.assign(
            x_log_egarch=x["x_log_egarch"] - past,
            x_log_scale=x["x_log_scale"] - x["x_log_egarch"],
            x_loc=base["loc"] / base["scale"],
        )

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Calm, normal, turbulent, by the root mean square of the last 22 returns."""
        parts = []
        for name, group in raw.groupby("series", sort=False):
            squared = pd.Series(np.append(np.nan, self.steps(group)) ** 2, index=group.index)
            rms = np.sqrt(squared.rolling(22).mean())
            regime = pd.cut(
                rms, [-np.inf, self.calm, self.wild, np.inf], labels=["calm", "normal", "turbulent"]
            )
            parts.append(pd.DataFrame({"time": group["time"], "series": name, "regime": regime}).dropna())
        return pd.concat(parts, ignore_index=True).astype({"regime": str})

    def following(self, time: Any) -> np.datetime64:
        """The next period of the frequency; holidays to come are not known."""
        offset = {"h": pd.Timedelta(hours=1), "W": pd.Timedelta(days=7)}.get(self.frequency)
        after = pd.Timestamp(time) + (offset or pd.tseries.frequencies.to_offset(self.frequency))
        return after.to_datetime64()


@dataclass(frozen=True, kw_only=True)
class OwnLevels(SeasonalLevels):
    """Levels with a cycle, of a user's file: their anomalies several steps ahead."""

    name: str
    title: str
    frequency: str
    shown: str
    """The target's own name."""
    peers: tuple[str, ...]
    low: float
    high: float
    """Levels below and above which a row counts as low or high."""
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
        return f"{self.shown} (anomaly)"

    @property
    def question(self) -> str:
        steps = ", ".join(map(str, self.leads))
        return (
            f"At each {PERIODS[self.frequency]}: how far from its season will the value be {steps} steps "
            "later? The answer is a whole probability distribution. An energy-based model tilts the "
            "strongest classical forecast; both are judged, beside the models that practitioners use, on "
            "dates not used in fitting."
        )

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Low, middle, high: thirds of the values before the test block."""
        regime = pd.cut(
            raw["value"], [-np.inf, self.low, self.high, np.inf], labels=["low", "middle", "high"]
        )
        return raw[["time", "series"]].assign(regime=regime.astype(str))

    def empirical(
        self, inputs: pd.DataFrame, raw: pd.DataFrame, past: pd.DataFrame, model: str
    ) -> np.ndarray:
        raise ValueError(f"no empirical peer {model}")


def suite(domain: Any) -> dict[str, Any]:
    """The expectation suite of a user's file: what every stage relies on."""

    def expect(kind: str, why: str, **kwargs: Any) -> dict[str, Any]:
        return {"type": kind, "kwargs": kwargs, "meta": {"why": why}}

    numbers = [
        expect("expect_column_values_to_not_be_null", "no gaps filled in silently", column=column)
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
            expect("expect_compound_columns_to_be_unique", "one row a date", column_list=["series", "time"]),
            expect("expect_column_values_to_be_between", "dates strictly increase",
                   column="days_since_previous", min_value=0, strict_min=True),
            *(positive if getattr(domain, "kind", "level") == "price" else []),
        ],
    }  # fmt: skip
