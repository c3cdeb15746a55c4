"""Order of day, month and year in dates of three numbers, and the century of years of two digits."""

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import frequency, name_of
from tasks.sources.dates.times import Dates, distinct, in_order, regular, several_a_day, to_times

NEWEST = 2029
"""Last year that the newest two-digit year of a file may mean."""

FEW = 0.05
"""Share of dates that do not fit an order up to which they may be errors."""

ODD = 5
"""Most years between rows beside each other that are no error."""

UNSURE = range(30, 40)
"""Two-digit years that may be of the 1930s or of the 2030s, if they are the newest of a file."""

ORDERS = {"dmy": "the day", "mdy": "the month", "ymd": "the year"}
"""Orders of day, month and year, with what they begin with."""


class UnknownOrder(BasinError):
    """Dates that may begin with the day or the month."""

    def __init__(self, message: str, months: Dates | None = None) -> None:
        super().__init__(message)
        self.months = months
        """Dates in the only order in which all are on one day of the month, if there is one."""


def century(years: pd.Series, label: str) -> tuple[pd.Series, str]:
    """Return two-digit years as years of four digits, with a note.

    The years of a file follow each other: they begin behind the longest run of years that do not occur, or,
    if all years occur, where the rows begin. The newest year is at most 2029, whatever today's date. Raises
    ``BasinError`` if two centuries fit.
    """
    every = years.dropna().astype(int)
    if every.empty:
        return years, ""
    known = every[~_odd(every.to_numpy())]
    used = np.unique(known)
    gaps = np.diff(np.append(used, used[0] + 100))
    widest = np.flatnonzero(gaps == gaps.max())
    if len(widest) == 1:
        first = int(used[(widest[0] + 1) % len(used)])
        count = (known - first) % 100
    else:
        steps = (known.diff().fillna(0).astype(int) + 50) % 100 - 50
        if not ((steps >= 0).all() or (steps <= 0).all()) or steps.abs().max() > 5:
            raise _unsure(f"rows are not in order, and years such as {used[0]:02d}", label)
        count = steps.cumsum() + int(known.iloc[0])
    last = int(count.max())
    newest = int(known[count == last].iloc[0])
    if newest in UNSURE:
        raise _unsure(f"years such as {newest:02d}", label)
    end = 2000 + newest if 2000 + newest <= NEWEST else 1900 + newest
    found = count + end - last
    note = f"years of two digits are read as {found.min():.0f} to {found.max():.0f}"
    odd = every.drop(known.index)
    return pd.concat([found, end - (newest - odd) % 100]).reindex(years.index).astype(float), note


def _odd(years: np.ndarray) -> np.ndarray:
    """Return which years of two digits are far from those of the rows beside them, which are near each other.

    Such years are errors of single rows and do not tell the century of the others.
    """
    if len(years) < 10:
        return np.zeros(len(years), dtype=bool)

    def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.abs((one - other + 50) % 100 - 50)

    before = np.append(years[1], years[:-1])  # the first year is compared with the two below it
    after = np.append(years[1:], years[-2])
    middle = distance(before, after) <= 1
    middle[0], middle[-1] = distance(years[1], years[2]) <= 1, distance(years[-2], years[-3]) <= 1
    odd: np.ndarray = middle & (np.minimum(distance(years, before), distance(years, after)) > ODD)
    return odd & (odd.sum() <= FEW * len(years))


def _unsure(what: str, label: str) -> BasinError:
    return BasinError(f"{label}: {what} may be of two centuries; write years of four digits")


def three_numbers(text: pd.Series, parts: pd.DataFrame, clock: pd.Series, label: str) -> Dates:
    """Read dates such as 31/12/2018, 12/31/18 and 18-12-31 with the order that fits all rows.

    ``parts`` has the three numbers of each row. If several orders fit, the one is taken whose dates are in
    order, or else follow each other in regular steps. Steps longer than a day do not tell the day from the
    month. Raises ``BasinError`` if no order or several are left.
    """
    numbers = [pd.to_numeric(parts[k], errors="coerce").astype(float) for k in "abc"]
    short = bool((parts["c"].str.len() == 2).any())
    orders = ("dmy", "mdy", "ymd") if short else ("dmy", "mdy")
    valid = {order: _valid(numbers, order) for order in orders}
    readable = np.any(list(valid.values()), axis=0)
    if not readable.any():
        return Dates(pd.Series(pd.NaT, index=text.index))
    fitting = [order for order in orders if not (readable & ~valid[order]).any()]
    if not fitting:
        raise _mixed(text, valid, readable, label)
    readings = _readings(numbers, fitting, short, readable, clock, label)
    if not any(in_order(found.time) for found in readings.values()):
        # One wrong date, such as 01/13/2010 among days and months, must not decide.
        for order in [order for order in orders if order not in fitting]:
            right = readable & valid[order]
            few = right.sum() >= (1 - FEW) * readable.sum()
            if few and _are_in_order(numbers, order, short, right, clock, label):
                raise _mixed(text, valid, readable, label, order)
    left = [
        order
        for k, order in enumerate(readings)
        if not any(found.time.equals(readings[order].time) for found in list(readings.values())[:k])
    ]  # of years such as 1/1/1960, all orders are the same
    why = ""
    for test, reason in ((in_order, "are in order"), (regular, "have regular steps")):
        if len(left) > 1 and (test is in_order or "ymd" in left or several_a_day(readings[left[0]].time)):
            passed = [order for order in left if test(readings[order].time)]
            left, why = passed or left, f", as only then they {reason}"
    if len(left) != 1:
        raise _unknown(text[readable].iloc[0], {order: readings[order] for order in left}, label)
    return _noted(text[readable].iloc[0], readings, left[0], why if len(fitting) > 1 else "")


def _noted(example: str, readings: dict[str, Dates], order: str, why: str) -> Dates:
    note = f"dates such as {example} begin with {ORDERS[order]}{why}"
    return Dates(readings[order].time, "; ".join(filter(None, (note, readings[order].note))))


def _unknown(example: str, readings: dict[str, Dates], label: str) -> UnknownOrder:
    """Return the error that several orders fit, with the remedy for months, which tell the order."""
    remedy, months = "write YYYY-MM-DD", None
    monthly = [order for order, found in readings.items() if found.time.dropna().dt.day.nunique() == 1]
    if len(monthly) == 1:
        times = distinct(readings[monthly[0]].time).sort_values()
        steps = times.diff().dropna().dt.days.astype(float)
        freq = name_of(times, float(steps.median()), steps)
        if freq is not None and frequency(freq).calendar:
            remedy += f", or pass --freq {freq} if rows are {frequency(freq).period}s"
            months = _noted(example, readings, monthly[0], f", as rows are {frequency(freq).period}s")
    first = " or ".join(ORDERS[order] for order in readings)
    return UnknownOrder(
        f"{label}: dates such as {example!r} may begin with {first}, and no row of the file tells which; "
        f"{remedy}",
        months,
    )


def _are_in_order(
    numbers: list[pd.Series], order: str, short: bool, right: np.ndarray, clock: pd.Series, label: str
) -> bool:
    """Return whether the dates ``right`` are in order if they are read in an order that fits most."""
    try:
        return in_order(_readings(numbers, [order], short, right, clock, label)[order].time)
    except BasinError:  # of the century
        return False


def _valid(numbers: list[pd.Series], order: str) -> np.ndarray:
    month, day = numbers[order.index("m")], numbers[order.index("d")]
    return (month.between(1, 12) & day.between(1, 31)).to_numpy()


def _readings(
    numbers: list[pd.Series],
    orders: list[str],
    short: bool,
    readable: np.ndarray,
    clock: pd.Series,
    label: str,
) -> dict[str, Dates]:
    """Return the dates in each order. Of several, those without a century are left out."""
    found: dict[str, Dates] = {}
    for order in orders:
        year, month, day = (numbers[order.index(part)].where(readable) for part in "ymd")
        note = None
        try:
            if short:
                year, note = century(year, label)
        except BasinError:
            if order == orders[-1] and not found:
                raise
            continue
        found[order] = Dates(to_times(year, month, day, label=label) + clock, note)
    return found


def _mixed(
    text: pd.Series, valid: dict[str, np.ndarray], readable: np.ndarray, label: str, usual: str | None = None
) -> BasinError:
    usual = usual or max(valid, key=lambda order: valid[order].sum())
    row = int(np.flatnonzero(readable & ~valid[usual])[0])
    other = next(order for order in valid if valid[order][row])
    return BasinError(
        f"{label}: some dates begin with {ORDERS[usual]}, and others, such as {text.iloc[row]!r} in row "
        f"{row + 1}, with {ORDERS[other]}; write YYYY-MM-DD"
    )
