"""Data frames as plain tables: the index becomes columns, and the columns have one level."""

import re
from collections.abc import Sequence
from typing import Any, cast

import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.sources.dates import written_as_dates
from tasks.userdata.files.columns import OHLC, counts_years, names_dates

PRICES = re.compile(r"open|high|low|close|adj\.?.?close", re.IGNORECASE)
"""Names of prices in a level of the columns. The other level then has the names of series."""

STATISTICS = re.compile(
    r"first|last|min|max|mean|median|std|sem|sum|count|size|var|prod|nunique|skew|mode|quantile|"
    r"idxmin|idxmax|\d+(\.\d+)?%|0?\.\d+|<lambda(_\d+)?>"
)
"""Names of statistics in a level of the columns, as an aggregation writes them. They name no series."""

INDEX = "index"
"""Name of the column of an index without a name."""


def name_of(label: Any) -> str:
    """Return the label of a column as text; the levels of a tuple are joined."""
    parts = filter(None, map(str, label)) if isinstance(label, tuple) else (str(label),)
    return " ".join(" ".join(parts).split())


def plain(
    frame: pd.DataFrame, label: str, notes: list[str], target: Sequence[str] = (), exog: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a frame with the levels of its index as first columns and one level of columns.

    ``target`` and ``exog`` are names of columns, those of several levels joined as by :func:`name_of`.
    Periods become their first times, and weeks their last days, on which their prices are known. Row numbers
    are left out. Other numbers of an index identify the rows, unless they are dates such as years, so that
    they are never forecast.
    """
    frame = frame.copy(deep=False)
    if isinstance(frame.columns, pd.MultiIndex):
        frame = _one_level(frame, notes, target, exog)
    frame.columns = pd.Index([name_of(label) for label in frame.columns])
    frame = _with_index(frame, notes)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise BasinError(f"{label}: two columns are called {twice}; rename one of them")
    for column in frame.columns:
        dtype = frame[column].dtype
        if isinstance(dtype, pd.PeriodDtype) and isinstance(dtype.freq, pd.offsets.Week):
            frame[column] = frame[column].dt.to_timestamp(how="end").dt.normalize()
            notes.append(f"the weeks of {column} are dated by their last days")
        elif isinstance(dtype, pd.PeriodDtype):
            # pandas warns of its periods of business days when it keeps their frequency.
            days = "D" if isinstance(dtype.freq, pd.offsets.BusinessDay) else None
            try:
                frame[column] = frame[column].dt.to_timestamp(freq=days)
            except pd.errors.OutOfBoundsDatetime as error:
                raise BasinError(
                    f"{label}: column {column} has dates after 2262 or before 1678 ({error}); leave them out"
                ) from error
    return frame


def _one_level(
    frame: pd.DataFrame, notes: list[str], target: Sequence[str], exog: Sequence[str]
) -> pd.DataFrame:
    """Return a frame whose columns have one level.

    All levels are joined if a ``target`` or ``exog`` is the joined name of a column. Otherwise, where a level
    has prices, such as Close, the names of another one are series, with a row each for every date, unless
    they are statistics. In other frames the levels that vary are joined, and all levels of statistics.
    """
    joined = {label: name_of(label) for label in frame.columns if sum(part != "" for part in label) > 1}
    if {*target, *exog} & {*joined.values()}:
        notes.append("the columns have several levels, which are joined")
        targets = [label for label in joined if joined[label] in target]
        plain_names = joined | _range_of(targets, joined, exog)
        columns = [plain_names.get(label, name_of(label)) for label in frame.columns]
        return frame.set_axis(pd.Index(columns), axis=1)
    levels = [frame.columns.get_level_values(k) for k in range(frame.columns.nlevels)]
    varying = [k for k, level in enumerate(levels) if level[level != ""].nunique() > 1] or [0]
    prices = [k for k in varying if any(PRICES.fullmatch(str(name)) for name in levels[k])]
    if any(level[level != ""].map(_is_statistic).all() for level in levels):
        varying = list(range(len(levels)))
    elif len(varying) == 2 and len(prices) == 1:
        (of,) = (k for k in varying if k not in prices)
        shared = levels[of] == ""  # columns of all series, such as dates that were reset from the index
        if shared.any():
            names = [str(name) for name in levels[prices[0]][shared]]
            frame = frame.set_index(list(frame.columns[shared])).rename_axis(names)
        frame.columns = pd.MultiIndex.from_arrays([levels[of][~shared], levels[prices[0]][~shared]])
        name = str(levels[of].name or "series")
        notes.append(f"the columns have several levels: {name} names the series")
        frame.columns.names = [name, None]
        return cast(pd.DataFrame, frame.stack(0, future_stack=True)).dropna(how="all")
    frame.columns = pd.Index([name_of(parts) for parts in zip(*(levels[k] for k in varying), strict=True)])
    notes.append("the columns have several levels, which are joined")
    return frame


def _range_of(targets: list[Any], joined: dict[Any, str], exog: Sequence[str]) -> dict[Any, str]:
    """Return the columns open, high and low of the one series of the targets, with these words as names."""

    def of(label: Any) -> list[Any]:
        return [part for part in label if not PRICES.fullmatch(str(part))]

    if not targets or any(of(label) != of(targets[0]) for label in targets):
        return {}
    beside = [label for label in joined if of(label) == of(targets[0]) and joined[label] not in exog]
    return {label: part for label in beside for part in label if str(part).lower() in OHLC}


def _is_statistic(name: Any) -> bool:
    return STATISTICS.fullmatch(str(name)) is not None


def _with_index(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a frame whose index is row numbers, with its earlier levels as first columns."""
    columns, names, alone = [], [], frame.index.nlevels == 1
    for k, given in enumerate(frame.index.names):
        level = frame.index.get_level_values(k)
        name = " ".join(str(given).split()) if given is not None else INDEX if alone else f"level {k}"
        column = pd.Series(level, index=frame.index)
        numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        nameless = given is None and alone
        if name in frame and column.equals(frame[name]):
            continue
        if numbers and nameless and (_row_numbers(level) or _has_dates(frame)):
            continue
        if numbers and not (nameless or names_dates(name) or counts_years(column)):
            column = column.astype("category")
        columns.append(column)
        names.append(f"{name} (index)" if name in frame else name)
    if columns:
        frame = pd.concat([pd.concat(columns, axis=1, keys=names), frame], axis=1)
        notes.append(f"the index is read as the column {', '.join(names)}")
    return frame.reset_index(drop=True)


def _row_numbers(level: pd.Index) -> bool:
    return level.equals(pd.RangeIndex(len(level)))


def _has_dates(frame: pd.DataFrame) -> bool:
    """Return whether a column has dates, so that numbers of an index without a name are those of rows."""
    return any(names_dates(column) or written_as_dates(frame[column]) for column in frame.columns)
