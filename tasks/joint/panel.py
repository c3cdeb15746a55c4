"""Panel of returns: many series at common dates, with the refits of a walk through them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError

YEARS = 10
"""Years of history from which each refit learns."""

LEAST = 500
"""Returns that a series needs before its first fit, two years of trading days."""

STILL = 0.25
"""Share of zero returns above which a series is left out until it moves more often."""

FALL = 3.0
"""Fall of a price in per cent that is counted in all series."""

ALIKE = 0.999
"""Correlation from which two series are taken for one."""


@dataclass(frozen=True)
class Panel:
    """Returns ``(rows, series)`` in per cent at ``times``, NaN where a series has none."""

    times: pd.DatetimeIndex
    names: tuple[str, ...]
    returns: np.ndarray
    log: bool = True
    """Whether returns are 100·Δlog of prices. If not, they are differences, which add up in portfolios."""

    @property
    def fall(self) -> float:
        """Fall that is counted in all series: 3 % of prices, and else twice the median standard deviation."""
        return FALL if self.log else float(f"{2 * np.median(np.nanstd(self.returns, axis=0)):.2g}")

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        if len(self.names) < 2:
            raise BasinError(
                f"jointly: {len(self.names)} series; expected two or more; give a file of several series, or "
                "omit --jointly"
            )
        rows = int((np.isfinite(self.returns).mean(axis=1) > 0.5).sum())
        if rows <= max(LEAST, 2 * len(self.names)):
            raise BasinError(
                f"jointly: {rows} dates at which most of the {len(self.names)} series have a return; "
                f"expected more than {max(LEAST, 2 * len(self.names))}; give a longer history or fewer series"
            )
        for name, values in zip(self.names, self.returns.T, strict=True):
            known = values[np.isfinite(values)]
            if len(known) <= LEAST:
                raise BasinError(
                    f"jointly: series {name} has {len(known)} returns; expected more than {LEAST}; "
                    "leave it out"
                )
            if np.ptp(known) == 0:
                raise BasinError(f"jointly: series {name} is constant; leave it out")
        alike = pd.DataFrame(self.returns, columns=list(self.names)).corr(min_periods=LEAST).abs().to_numpy()
        first, second = np.nonzero(np.triu(np.nan_to_num(alike), 1) > ALIKE)
        if len(first):
            raise BasinError(
                f"jointly: series {self.names[first[0]]} and {self.names[second[0]]} are the same but for a "
                f"factor (correlation {alike[first[0], second[0]]:.4f}); leave one out"
            )


def panel_of(prices: pd.DataFrame, log: bool = True) -> Panel:
    """Return the panel of a table of prices, one column a series, or of differences if ``log`` is false.

    Each return is the change from the latest price of its series.
    """
    if log:
        changes = {name: 100 * np.log(column.dropna()).diff().iloc[1:] for name, column in prices.items()}
        returns = pd.DataFrame(changes).reindex(prices.index[1:])
    else:
        returns = prices
    times = pd.DatetimeIndex(returns.index)
    return Panel(times, tuple(map(str, prices.columns)), returns.to_numpy(dtype=float), log)


@dataclass(frozen=True)
class Refit:
    """Rows of a refit: it learns from ``[start, first)`` and forecasts ``[first, end)``."""

    start: int
    first: int
    end: int


def refits(times: pd.DatetimeIndex) -> list[Refit]:
    """Return the yearly refits, from the first year with ``LEAST`` rows before it, the last one open.

    The end of the last is ``len(times) + 1``, because the row after the data is forecast too.
    """
    years = times.year.to_numpy()
    firsts = [i for i in range(1, len(years)) if years[i] != years[i - 1] and i >= LEAST]
    if not firsts:
        firsts = [LEAST]
    ends = [*firsts[1:], len(times) + 1]
    starts = [int(times.searchsorted(times[first] - pd.DateOffset(years=YEARS))) for first in firsts]
    return [Refit(*rows) for rows in zip(starts, firsts, ends, strict=True)]
