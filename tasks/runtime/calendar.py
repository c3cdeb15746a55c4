"""Calendar of a file: its days of the week and times of day, and the dates that follow its last."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError, nearest
from tasks.runtime.frequencies import Frequency, frequency

SELDOM = 0.1
"""Share of the rows of the most frequent weekday below which a weekday is not one of the market's."""

WEEKS = (
    (0, 1, 2, 3, 4),
    (0, 1, 2, 3, 6),
    (0, 1, 2, 5, 6),
    (0, 1, 2, 3, 4, 5),
    (0, 1, 2, 3, 5, 6),
    (0, 1, 2, 3, 4, 6),
    (0, 1, 2, 3, 4, 5, 6),
)
"""Days on which markets are open, such as Monday to Friday or Sunday to Thursday. Monday is 0."""

CLOSED_YEARS = 3
"""Number of years in which a date such as 25 December fell on a day of the market and never had a row."""

FILLED = 0.8
"""Least share of days with rows in a year that tells holidays, relative to the fullest year."""

DAYS_OF_CLOCKS = 2.5
"""Most times of day that are usual, in rows of a day. Clocks that change for the summer have two."""

LEAP_DAY = frozenset({(2, 29)})
"""Days that the calendar noleap does not have."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Calendar:
    """Dates that a series has, inferred from its past, or the sessions of an exchange."""

    freq: str
    week: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """Days of the week with rows, from Monday, which is 0."""
    clock: tuple[tuple[pd.Timedelta, ...], ...] = ()
    """Times of day with rows on each day of the week, of an intraday series. If none is usual, all are empty,
    and the dates to come are steps of the frequency."""
    closed: frozenset[tuple[int, int]] = frozenset()
    """Months and days on which the market was closed in every year of the file."""
    exchange: str | None = None
    """Name of an exchange in ``exchange_calendars``, whose sessions replace week and closed days."""

    def following(self, last: pd.Timestamp, steps: int = 1) -> pd.DatetimeIndex:
        """Return the next ``steps`` dates after ``last``."""
        of_step = frequency(self.freq)
        if of_step.calendar or self.freq == "W":
            return pd.DatetimeIndex(list(self._periods(last, steps, of_step)))
        if of_step.intraday and not any(self.clock):
            return pd.DatetimeIndex(list(self._steps(last, steps, of_step)))
        found: list[pd.Timestamp] = []
        for day in self._days(last.normalize(), steps):
            times = self.clock[day.dayofweek] if of_step.intraday else (pd.Timedelta(0),)
            first = bisect_right(times, last - day)
            found += [day + time for time in times[first : first + steps - len(found)]]
            if len(found) >= steps:
                break
        return pd.DatetimeIndex(found)

    def _steps(self, last: pd.Timestamp, steps: int, of_step: Frequency) -> Iterator[pd.Timestamp]:
        time = last
        while steps:
            time += of_step.offset
            if self._opens(time):
                yield time
                steps -= 1

    def _periods(self, last: pd.Timestamp, steps: int, of_step: Frequency) -> Iterator[pd.Timestamp]:
        for k in range(1, steps + 1):
            if self.freq == "W":
                # A row may be dated a day early where its own day was a holiday.
                usual = last + pd.Timedelta(days=(self.week[0] - last.dayofweek + 3) % 7 - 3)
                yield usual + pd.Timedelta(weeks=k)
            else:
                yield last + k * of_step.offset

    def _days(self, first: pd.Timestamp, steps: int) -> Iterator[pd.Timestamp]:
        if self.exchange is not None:
            yield from sessions(self.exchange, first, first + pd.Timedelta(days=30 + 3 * steps))
            return
        day = first
        while True:
            if self._opens(day):
                yield day
            day += pd.Timedelta(days=1)

    def _opens(self, day: pd.Timestamp) -> bool:
        return day.dayofweek in self.week and (day.month, day.day) not in self.closed

    def expected(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """Return the dates expected from ``first`` to ``last``."""
        of_step = frequency(self.freq)
        if of_step.calendar or self.freq == "W":
            return pd.date_range(first, last, freq=of_step.offset)
        days = (
            sessions(self.exchange, first.normalize(), last.normalize())
            if self.exchange is not None
            else pd.date_range(first.normalize(), last.normalize(), freq="D")
        )
        if self.exchange is None:
            days = days[np.array([self._opens(day) for day in days], dtype=bool)]
        if not of_step.intraday:
            return days
        if not any(self.clock):
            times = pd.date_range(first, last, freq=of_step.offset)
            return times[times.normalize().isin(days)]
        found = pd.DatetimeIndex([day + time for day in days for time in self.clock[day.dayofweek]])
        return found[(found >= first) & (found <= last)]

    def words(self) -> str:
        """Return the calendar in words, for the notes of a result."""
        if self.exchange is not None:
            return f"the sessions of {self.exchange}"
        if frequency(self.freq).calendar:
            return f"every {frequency(self.freq).period}"
        if self.freq == "W":
            return f"every week, on {WEEKDAYS[self.week[0]]}"
        if self.week == (0, 1, 2, 3, 4, 5, 6):
            days = "every day"
        elif self.week == (0, 1, 2, 3, 4):
            days = "Monday to Friday"
        else:
            days = ", ".join(WEEKDAYS[day] for day in self.week)
        if frequency(self.freq).intraday and not any(self.clock):
            days += ", at no usual times of day"
        elif self.clock:
            busy = max(self.clock, key=len)
            first, last = (str(time).split(" ")[-1][:5] for time in (busy[0], busy[-1]))
            days += f", {len(busy)} rows a day from {first} to {last}"
        if self.closed == LEAP_DAY:
            days += ", without 29 February"
        elif self.closed:
            shown = ", ".join(
                f"{day} {pd.Timestamp(2000, month, day):%B}" for month, day in sorted(self.closed)
            )
            days += f", closed on {shown}"
        return days


def require_exchange(exchange: str) -> None:
    """Raise ``BasinError`` if there is no exchange of this name in ``exchange_calendars``."""
    import exchange_calendars

    names = exchange_calendars.get_calendar_names()
    if exchange not in names:
        raise BasinError(
            f"--calendar {quote(exchange)}: no such exchange; expected its name in exchange_calendars, such "
            f"as XNYS, XLON, XTKS or XETR{nearest(exchange, names)}"
        )


def sessions(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Return the sessions of an exchange from ``first`` to ``last``, as far as its calendar is known."""
    import exchange_calendars

    require_exchange(exchange)
    try:
        # exchange_calendars refuses a bound that is a holiday, so the calendar is wider than needed.
        margin = pd.Timedelta(days=15)
        calendar = exchange_calendars.get_calendar(exchange, start=first - margin, end=last + margin)
    except (exchange_calendars.errors.CalendarError, ValueError) as error:
        raise BasinError(
            f"--calendar {quote(exchange)}: {' '.join(str(error).split())[:120].rstrip('.')}; omit "
            "--calendar to use the weekdays of the file"
        ) from error
    found: pd.DatetimeIndex = calendar.sessions
    return found[(found >= first) & (found <= last)]


def infer(times: pd.DatetimeIndex, freq: str, exchange: str | None = None) -> Calendar:
    """Infer the calendar of a file from its dates, in order and without repeats."""
    if frequency(freq).calendar:
        return Calendar(freq)
    counts = np.bincount(times.dayofweek, minlength=7)
    if freq == "W":
        return Calendar(freq, (int(counts.argmax()),))
    leapless = _closed(times, tuple(range(7))) & LEAP_DAY
    if frequency(freq).intraday:
        days = np.bincount(times.normalize().unique().dayofweek, minlength=7)
        seen = {int(d) for d in np.flatnonzero(days > SELDOM * days.max())}
        clock = _clock(times)
        if _is_short(times) and _is_whole(clock[0]):
            spanned = pd.date_range(times[0].normalize(), times[-1].normalize(), freq="D").dayofweek
            seen |= set(range(7)) - set(spanned)
        return Calendar(freq, tuple(sorted(seen)), clock, leapless, exchange)
    if freq == "D":
        return Calendar(freq, closed=leapless, exchange=exchange)
    week = tuple(int(d) for d in np.flatnonzero(counts > SELDOM * counts.max()))
    return Calendar(freq, week, closed=_closed(times, week), exchange=exchange)


def _clock(times: pd.DatetimeIndex) -> tuple[tuple[pd.Timedelta, ...], ...]:
    """Return the times of day that at least a fifth of the days with rows have, for each day of the week.

    Those of a record of a few days are the times that it has twice, on all days alike. None is usual if they
    are many more than a day has rows, as of bars of 11 minutes around the clock.
    """
    table = pd.DataFrame(
        {"weekday": times.dayofweek, "day": times.normalize(), "clock": times - times.normalize()}
    )
    short, found = _is_short(times), []
    for weekday in range(7):
        part = table if short else table[table["weekday"] == weekday]
        count = part["clock"].value_counts()
        usual = count >= (2 if short else 0.2 * max(part["day"].nunique(), 1))
        found.append(tuple(sorted(pd.Timedelta(clock) for clock in count.index[usual])))
    daily = table.groupby("day").size().median() if len(table) else 0
    return tuple(found) if len(set().union(*found)) <= DAYS_OF_CLOCKS * daily else ((),) * 7


def _is_whole(clock: tuple[pd.Timedelta, ...]) -> bool:
    """Return whether times of day are spread over all of the day, as those of a market without pauses."""
    hours = [time / pd.Timedelta(hours=1) for time in clock]
    return len(hours) > 1 and bool(np.ptp(np.diff([*hours, hours[0] + 24])) < 1e-9)


def _is_short(times: pd.DatetimeIndex) -> bool:
    """Return whether dates span three days or more, but too few to see each day of the week in full."""
    return bool(len(times)) and pd.Timedelta(days=2) < times[-1] - times[0] < pd.Timedelta(days=14)


def _closed(times: pd.DatetimeIndex, week: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """Return months and days that fell on a day of the week of the market for years, and never had a row.

    Years with few rows, such as those of sparse early records, do not count.
    """
    if not len(times):
        return frozenset()
    days = pd.date_range(times[0].normalize(), times[-1].normalize(), freq="D")
    days = days[days.dayofweek.isin(week)]
    table = pd.DataFrame({"month": days.month, "day": days.day, "row": days.isin(times.normalize())})
    filled = table["row"].groupby(days.year).transform("mean")
    table["told"] = filled >= FILLED * filled.max()
    by_date = table.groupby(["month", "day"]).agg(years=("told", "sum"), any=("row", "any"))
    never = by_date[~by_date["any"] & (by_date["years"] >= CLOSED_YEARS)]
    return frozenset((int(month), int(day)) for month, day in never.index)
