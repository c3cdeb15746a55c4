"""Finance: one-day-ahead densities of stock-index returns from daily open, high, low, close."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.domains.domain import require_columns
from tasks.forecasters.returns.features import Returns


class Finance(Returns):
    """S&P 500 and NASDAQ daily, 1999-2018, shipped with the package ``arch``."""

    name = "finance"
    title = "S&P 500 and NASDAQ: tomorrow's return"
    question = (
        "After the close of each trading day: how will the index move until the next close? The answer is a "
        "whole probability distribution of the return, so that it also says how likely a fall of 3 % is. "
        "An energy-based model tilts the strongest classical forecast; both are judged, beside the models "
        "that practitioners use, on days none of them had seen when they were fitted."
    )
    unit = "% (100·Δlog close)"
    frequency = "B"
    calendar = "XNYS"
    sources = ("sp500", "nasdaq")
    columns = ("open", "high", "low", "close", "volume")
    ohlc = True

    def parse(self, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Stack the index tables (``time`` and OHLCV) into one long table."""
        parts = []
        for source in self.sources:
            table = tables[source]
            require_columns(source, table, ("time", *self.columns))
            parts.append(table[["time", *self.columns]].assign(series=source))
        return pd.concat(parts, ignore_index=True)[["time", "series", *self.columns]]

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Calm, normal, turbulent: the 22-day root mean square return below 0.7 %, up to 1.4 %, above."""
        parts = []
        for name, group in raw.groupby("series", sort=False):
            rms = np.sqrt((np.log(group["close"]).diff() ** 2).rolling(22).mean()) * 100
            regime = pd.cut(rms, [-np.inf, 0.7, 1.4, np.inf], labels=["calm", "normal", "turbulent"])
            parts.append(pd.DataFrame({"time": group["time"], "series": name, "regime": regime}).dropna())
        return pd.concat(parts, ignore_index=True).astype({"regime": str})

    def following(self, time: Any) -> np.datetime64:
        """The New York session after ``time``."""
        import exchange_calendars

        day = pd.Timestamp(time)
        calendar = exchange_calendars.get_calendar(
            "XNYS", start=day - pd.Timedelta(days=10), end=day + pd.Timedelta(days=20)
        )
        following: pd.Timestamp = calendar.sessions[calendar.sessions > day][0]
        return following.to_datetime64()


DOMAIN = Finance()
