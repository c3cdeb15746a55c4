"""Places and tick marks of dates and leads on the horizontal axis of a chart."""

from collections.abc import Callable, Sequence

import pandas as pd

from tasks.reporting import charts


def years(times: pd.Index) -> list[float]:
    """Return dates as decimal years."""
    stamps = pd.DatetimeIndex(times)
    clock = (stamps - stamps.normalize()) / pd.Timedelta(days=1)
    return (stamps.year + (stamps.dayofyear - 1 + clock) / 366).tolist()


def year_marks(first: float, last: float) -> Callable[[int], list[tuple[float, str]]]:
    """Return tick marks on 1 January, of fewer years on a narrow chart, or on first days of months.

    Months are marked if fewer than three years begin in the interval, and days if no two months do.
    """

    def marks(width: int) -> list[tuple[float, str]]:
        room = 5 if width == charts.NARROW else 12
        span = int(last) - int(first) + 1
        step = next(s for s in (1, 2, 5, 10, 20, 50) if span / s <= room)
        found = [
            (float(y), str(y))
            for y in range(int(first), int(last) + 2)
            if y % step == 0 and first <= y <= last
        ]
        return found if len(found) > 2 else shorter_marks(first, last, room // 2)

    return marks


def shorter_marks(first: float, last: float, room: int) -> list[tuple[float, str]]:
    """Return about ``room`` tick marks on first days of months, or on days, between two decimal years."""
    dates = pd.date_range(f"{int(first)}-01-01", f"{int(last)}-12-31")
    inside = [d for d, x in zip(dates, years(dates), strict=True) if first <= x <= last]
    starts = [d for d in inside if d.day == 1]
    form = "%b %Y" if len(starts) > 2 else "%d %b"
    chosen = starts if len(starts) > 2 else inside
    step = max(1, -(-len(chosen) // room))
    shown = pd.DatetimeIndex(chosen[::step])
    return list(zip(years(shown), shown.strftime(form), strict=True))


def lead_marks(leads: Sequence[int]) -> Callable[[int], list[tuple[float, str]]]:
    """Return tick marks at the leads, or at some of them if there are many."""

    def marks(width: int) -> list[tuple[float, str]]:
        step = -(-len(leads) // (8 if width == charts.NARROW else 13))
        return [(float(lead), str(lead)) for lead in leads[::-1][::step][::-1]]

    return marks
