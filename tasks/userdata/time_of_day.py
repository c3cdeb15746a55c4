"""Size of moves by the time of day, for bars within a day: the move over the night is wider, for example."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.forecasters import sample_paths
from tasks.runtime.calendar import Calendar
from tasks.runtime.frequencies import frequency

PRIOR_MOVES = 10
"""Number of moves with which the size of moves at a time of day is shrunk to that of all moves."""


def widths_by_clock(times: pd.DatetimeIndex, size: np.ndarray, market: Calendar) -> np.ndarray:
    """Return for each row the mean size of past moves at the next time of day over that of all past moves.

    Both means are of moves known at the row. The first is shrunk to the second by ``PRIOR_MOVES`` moves.
    ``size`` has the move into each row except the first.
    """
    clock = _clock(times)
    following: dict[tuple[int, pd.Timedelta], pd.Timedelta] = {}
    sums: dict[pd.Timedelta, tuple[float, int]] = {}
    total, width = 0.0, np.ones(len(times))
    for i, (time, now) in enumerate(zip(times, clock, strict=True)):
        if i:
            past, count = sums.get(now, (0.0, 0))
            sums[now] = (past + size[i - 1], count + 1)
            total += size[i - 1]
        ahead = following.get((time.dayofweek, now))
        if ahead is None:
            later = market.following(time)[0]
            ahead = following[time.dayofweek, now] = later - later.normalize()
        past, count = sums.get(ahead, (0.0, 0))
        usual = total / i if i else 0.0
        if usual > 0:
            width[i] = (past + PRIOR_MOVES * usual) / (count + PRIOR_MOVES) / usual
    return width


def widths_ahead(times: pd.DatetimeIndex, size: np.ndarray, market: Calendar, steps: int) -> np.ndarray:
    """Return the widths of the ``steps`` moves after the last row, defined as in :func:`widths_by_clock`."""
    usual = size.mean()
    if not usual > 0:
        return np.ones(steps)
    ahead = _clock(market.following(times[-1], steps))
    past = pd.Series(size).groupby(_clock(times[1:])).agg(["sum", "count"]).reindex(ahead, fill_value=0)
    width: np.ndarray = (
        (past["sum"] + PRIOR_MOVES * usual) / (past["count"] + PRIOR_MOVES) / usual
    ).to_numpy()
    return width


def _clock(times: pd.DatetimeIndex) -> pd.TimedeltaIndex:
    return pd.TimedeltaIndex(times - times.normalize())


@dataclass(frozen=True)
class Bars:
    """Values ``(rows, series)`` and the same with every move divided by its width.

    The paths of all models are drawn from ``even`` and then widened again. Rows of a day or longer are even.
    """

    times: pd.DatetimeIndex
    values: np.ndarray
    even: np.ndarray
    kind: sample_paths.Kind
    market: Calendar | None
    """Calendar of bars within a day, or None for longer steps."""

    def widened(self, path: np.ndarray, origin: int) -> np.ndarray:
        """Return paths of ``even`` after a row, ``(samples, steps, series)``, as paths of ``values``."""
        if self.market is None:
            return path
        size = np.abs(sample_paths.moves(self.values[: origin + 1], self.kind))
        known, steps = self.times[: origin + 1], path.shape[1]
        width = np.stack([widths_ahead(known, part, self.market, steps) for part in size.T], axis=1)
        first = np.broadcast_to(self.even[origin], (len(path), 1, path.shape[2]))
        whole = np.concatenate([first, path], axis=1)
        moves = np.diff(np.log(whole) if self.kind == "price" else whole, axis=1)
        return sample_paths.follow(self.values[origin], moves * width, self.kind)


def bars(
    times: pd.DatetimeIndex, values: np.ndarray, kind: sample_paths.Kind, freq: str, market: Calendar
) -> Bars:
    """Divide the moves of bars within a day by their widths, each as it was known before the move."""
    if not frequency(freq).intraday:
        return Bars(times, values, values, kind, None)
    move = sample_paths.moves(values, kind)
    width = np.stack([widths_by_clock(times, part, market)[:-1] for part in np.abs(move).T], axis=1)
    path = sample_paths.follow(values[0], (move / width)[None], kind)[0]
    return Bars(times, values, np.concatenate([values[:1], path]), kind, market)
