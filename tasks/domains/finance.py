"""Finance domain: one-day-ahead forecasts of stock-index returns from daily open, high, low and close."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.domains.domain import require_columns
from tasks.forecasters.returns.features import Returns
from tasks.runtime.calendar import Calendar


class Finance(Returns):
    """Daily S&P 500 and NASDAQ, 1999-2018, from the package ``arch``."""

    name = "finance"
    title = "S&P 500 and NASDAQ: return of the next trading day"
    question = (
        "After the close of each trading day: how will the index move until the next close? The answer is a "
        "full probability distribution of the return, so it also gives the probability of a fall of 3 %. "
        "An energy-based model tilts the strongest classical forecast. Both are compared with the models "
        "that practitioners use, on days that were not used to fit them."
    )
    unit = "% (100·Δlog close)"
    frequency = "B"
    calendar = "XNYS"
    sources = ("sp500", "nasdaq")
    columns = ("open", "high", "low", "close", "volume")
    ohlc = True

    def parse(self, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Stack the tables of the indices into one table in long format."""
        parts = []
        for source in self.sources:
            table = tables[source]
            require_columns(source, table, ("time", *self.columns))
            parts.append(table[["time", *self.columns]].assign(series=source))
        return pd.concat(parts, ignore_index=True)[["time", "series", *self.columns]]

    def regimes(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Classify days by 22-day root mean square return: calm < 0.7 % < normal < 1.4 % < turbulent."""
        parts = []
        for name, group in raw.groupby("series", sort=False):
            rms = np.sqrt((np.log(group["close"]).diff() ** 2).rolling(22).mean()) * 100
            regime = pd.cut(rms, [-np.inf, 0.7, 1.4, np.inf], labels=["calm", "normal", "turbulent"])
            parts.append(pd.DataFrame({"time": group["time"], "series": name, "regime": regime}).dropna())
        return pd.concat(parts, ignore_index=True).astype({"regime": str})

    def following(self, time: Any) -> np.datetime64:
        """Return the first session of the New York Stock Exchange after ``time``."""
        return Calendar("B", exchange=self.calendar).following(pd.Timestamp(time))[0].to_datetime64()


DOMAIN = Finance()
