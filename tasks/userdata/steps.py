"""Time steps of a user's table: the frequency of its rows, and their dates on the steps of it."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from tasks.reporting.labels import count_of
from tasks.runtime.calendar import LEAP_DAY, WEEKDAYS, Calendar, infer
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import NAMES, frequency, name_of, stamp

LONGER = ((1 / 48, "h"), (0.9, "D"), (5.0, "W"), (29.0, "MS"), (85.0, "QS"), (350.0, "YS"))
"""Days between rows that have no frequency, and the step up to that number to which they can be resampled."""

NEAR = ((1 / 36, "5min"), (0.9, "h"), (4.0, "D"), (20.0, "W"), (60.0, "MS"), (200.0, "QS"))
"""Days between rows that have no frequency, and the frequency up to that number that tells their kind."""

SAME = 0.04
"""Largest relative difference between a frequency that is given and the usual step of the rows."""

EVEN = 0.7
"""Least share of steps near their median in rows of one frequency. Days have weekends."""

JITTER = 0.25
"""Largest distance of times from regular steps, in steps, that is rounded away."""

PHASES = 3
"""Most distances from regular steps of times without jitter. Bars of a day may begin anew after a break."""


LASTING = 10
"""Fewest steps in a row of another length that are a change of the frequency, and no gaps."""

CHANGED = 1.9
"""Least ratio of two lengths of steps that are different frequencies."""


@dataclass(frozen=True)
class Step:
    """Usual step of the rows of a table."""

    freq: str
    """Name of the frequency. It is an approximation unless ``regular``, for rows that will be resampled."""
    days: float
    longest: float
    """Days that nine of ten steps do not exceed."""
    regular: bool
    mixed: float | None = None
    """Days of the shortest steps, if the steps change lastingly, such as from weeks to days."""

    @property
    def words(self) -> str:
        return f"{frequency(self.freq).period}s" if self.regular else f"{_words(self.days)} apart"


@dataclass(frozen=True)
class Change:
    """Lasting change of the steps of a series."""

    times: pd.Series
    before: pd.Series
    after: pd.Series
    """Days from row to row before and after the change, with the row numbers of ``times``."""

    @property
    def words(self) -> str:
        first = self.times[self.after.index[0] - 1]
        return (
            f"rows are {_words(self.before.median())} apart before {stamp(first)} and "
            f"{_words(self.after.median())} apart from there on"
        )

    def _name(self, steps: pd.Series) -> str:
        usual = float(steps.median())
        named = name_of(self.times[steps.index], usual, steps)
        return named or next((near for most, near in NEAR if usual < most), "YS")

    def refusal(self) -> str:
        longer = self._name(max(self.before, self.after, key=pd.Series.median))
        return (
            f"{self.words}; pass --resample {longer} for one row for each {frequency(longer).period}, or "
            "give a file with the rows of one part"
        )

    def step(self) -> Step:
        """Return the step of the rows after the change."""
        name, shortest = self._name(self.after), min(self.before.median(), self.after.median())
        return Step(name, frequency(name).days, float(self.after.quantile(0.9)), True, float(shortest))


def step_of(table: pd.DataFrame, given: str | None, longer: str | None, label: str, notes: list[str]) -> Step:
    """Return the step of the rows of ``table``, which have dates.

    Raises ``BasinError`` if the rows have no frequency and are not to be resampled to the step ``longer``, or
    if the frequency ``given`` is not that of the rows.
    """
    steps = table.groupby("series", sort=False)["time"].diff().dropna()
    steps = steps.astype("timedelta64[ns]").dt.total_seconds() / 86400
    steps = steps[steps > 0]
    if steps.empty:
        raise BasinError(f"{label}: no series has more than one date; give a history of many dates")
    change = _change_in(table)
    if change is not None and longer is None:
        raise BasinError(f"{label}: {change.refusal()}")
    if change is not None:
        notes.append(f"{change.words}: periods of one row are used as well")
        return change.step()
    usual, longest = float(steps.median()), float(steps.quantile(0.9))
    name = name_of(table["time"], usual, steps)
    apart = f"a {frequency(name).period}" if name and frequency(name).calendar else _words(usual)
    if given is not None:
        length = usual if name is None else frequency(name).days
        if abs(frequency(given).days / length - 1) > SAME:
            looks = f", which is {name} ({frequency(name).period})" if name else ""
            remedy = "omit --freq" if name else ""
            if frequency(given).days > length:
                remedy += f"{', or ' if name else ''}pass --resample {given} without --freq"
            raise BasinError(
                f"{label}: --freq {given}: rows are {apart} apart{looks}; " + (remedy or _remedy(usual))
            )
        return Step(given, frequency(given).days, longest, True)
    if name is not None:
        notes.append(f"frequency {name}: rows are {apart} apart")
        return Step(name, frequency(name).days, longest, True)
    if longer is None:
        raise BasinError(f"{label}: rows are {_words(usual)} apart; expected {NAMES}: {_remedy(usual)}")
    notes.append(f"rows are {_words(usual)} apart, which is no frequency of its own")
    return Step(next((near for most, near in NEAR if usual < most), "YS"), usual, longest, False)


def _change_in(table: pd.DataFrame) -> Change | None:
    """Return the last lasting change of the steps of a series, such as from weeks to days, or None."""
    for _, group in table.groupby("series", sort=False):
        times = group["time"].drop_duplicates().sort_values().reset_index(drop=True)
        steps = times.diff().iloc[1:].astype("timedelta64[ns]").dt.total_seconds() / 86400
        around = np.log(steps.rolling(LASTING + 1, center=True, min_periods=1).median())
        part = (around.diff().abs() > np.log(CHANGED)).cumsum()
        runs = [run for _, run in steps.groupby(part) if len(run) >= LASTING and _is_even(run)]
        for before, after in reversed([*pairwise(runs)]):
            if abs(np.log(before.median() / after.median())) > np.log(CHANGED):
                return Change(times, before, after)
    return None


def _is_even(steps: pd.Series) -> bool:
    return bool(((steps / steps.median() - 1).abs() < JITTER).mean() > EVEN)


def _words(days: float) -> str:
    """Return a number of days in words, as hours or minutes if it is short."""
    for size, unit in ((1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"), (1 / 86400, "second")):
        if days >= 0.9 * size:
            count = f"{days / size:.3g}"
            return f"{count} {unit}{'' if count == '1' else 's'}"
    return f"{86400 * days:.2g} seconds"


def _remedy(days: float) -> str:
    longer = next((to for most, to in LONGER if days < most), None)
    if longer is None:
        return "give a series with rows at most a year apart"
    return f"pass --resample {longer} for one row for each {frequency(longer).period}"


def on_steps(table: pd.DataFrame, freq: str, kind: str, notes: list[str]) -> pd.DataFrame:
    """Return the table with dates on the steps of a frequency, with a note if dates are moved.

    Days and weeks have no time of day. Months, quarters and years are dated by their first or last day, and
    weeks of a level by their usual day of the week. Times within a day that vary by less than a quarter of a
    step are rounded to it.
    """
    time, step = table["time"], frequency(freq)
    if step.intraday:
        return table.assign(time=_rounded(time, step.days, notes))
    day = time.dt.normalize()
    if step.calendar and freq != "BME":
        moved = _in_periods(day, step.months, freq.endswith("S"))
        where = f"the {'first' if freq.endswith('S') else 'last'} day of their {step.period}"
        if step.months > 1 and (moved.dt.to_period("M") == day.dt.to_period("M")).all():
            where = f"the {'first' if freq.endswith('S') else 'last'} day of their month"
    elif freq == "W" and kind == "level":
        usual = int(day.dt.dayofweek.mode().iloc[0])
        moved = day + pd.to_timedelta((usual - day.dt.dayofweek + 3) % 7 - 3, unit="D")
        where = f"the {WEEKDAYS[usual]} next to them"
    else:
        moved, where = day, ""
    changed = moved != day
    if changed.any():
        first = changed.idxmax()
        notes.append(
            f"{count_of(int(changed.sum()), 'date')} moved to {where}, such as {day[first]:%Y-%m-%d} to "
            f"{moved[first]:%Y-%m-%d}"
        )
    elif (time != day).any():
        notes.append(f"the times of day are not used, because rows are {step.period}s")
    return table.assign(time=moved)


def _in_periods(day: pd.Series, months: int, start: bool) -> pd.Series:
    """Return the first or last days of periods of ``months`` months.

    Quarters and years may begin in any month if all do so in the same one, and are of the calendar otherwise.
    """
    calendar = {3: "Q", 12: "Y"}.get(months)
    same = day.dt.month.mod(months).nunique() <= 1
    period = day.dt.to_period("M" if same or calendar is None else calendar)
    return period.dt.to_timestamp(how="start" if start else "end").dt.normalize()


def _rounded(time: pd.Series, days: float, notes: list[str]) -> pd.Series:
    """Return times rounded to regular steps, if they are near them but seldom on them."""
    length = round(days * 86400e9)
    moments = time.astype("datetime64[ns]").astype("int64").to_numpy()
    rest = moments % length
    if len(np.unique(rest)) <= PHASES:
        return time
    # The middle of times on a circle, such as 59:58 and 00:03, is that of their directions.
    angle = float(np.angle(np.exp(2j * np.pi * rest / length).mean())) / (2 * np.pi)
    minute = round(60e9)
    shift = round(angle * length / minute) * minute
    moved = (moments - shift + length // 2) // length * length + shift
    if np.mean(np.abs(moved - moments) < JITTER * length) < 0.9:
        return time
    changed = int((moved != moments).sum())
    notes.append(
        f"{count_of(changed, 'time')} rounded to steps of {_words(days)}, by up to "
        f"{_words(float(np.abs(moved - moments).max()) / 86400e9)}"
    )
    return pd.Series(pd.to_datetime(moved), index=time.index)


def named_calendar(times: pd.DatetimeIndex, freq: str, exchange: str | None, name: str) -> Calendar:
    """Return the calendar of dates. That of the name noleap has no 29 February."""
    calendar = infer(times, freq, exchange)
    if name == "noleap" and frequency(freq).days <= 1:
        return replace(calendar, closed=calendar.closed | LEAP_DAY)
    return calendar


def calendar_of(
    table: pd.DataFrame, freq: str, exchange: str | None, name: str, notes: list[str], warned: list[str]
) -> Calendar:
    """Return the calendar of the rows, and warn of rows on days of the week that the file seldom has."""
    times = pd.DatetimeIndex(np.sort(table["time"].unique()))
    calendar = named_calendar(times, freq, exchange, name)
    if not frequency(freq).calendar:
        notes.append(f"calendar: {calendar.words()}" + ("" if exchange else ", as in the file"))
    if freq == "B" and exchange is None:
        odd = table[~table["time"].dt.dayofweek.isin(calendar.week)]
        if len(odd):
            where = ", ".join(
                f"row {row} ({stamp(t)}, {WEEKDAYS[t.dayofweek]})"
                for row, t in zip(odd["row"].head(3), odd["time"].head(3), strict=True)
            )
            warned.append(
                f"dates: {count_of(len(odd), 'row')} on days of the week that the file seldom has: {where}"
            )
    return calendar
