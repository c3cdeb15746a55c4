"""Evidence for the checks of a table: the roles of its columns, and its series with their changes in time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from tasks.runtime.calendar import Calendar, infer
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_yaml
from tasks.runtime.frequencies import frequency, name_of
from tasks.runtime.params import Strict, Waiver, wrong_content
from tasks.sources.dates import as_dates

NAMED = 5
"""Most rows that are named for each series and kind of fault."""


class Spec(Strict):
    """Columns of a table, as in ``SPEC.yaml``."""

    time: str | None = None
    target: str | None = None
    inputs: tuple[str, ...] = ()
    series: str | None = None
    kind: Literal["price", "return", "level", "rate"] | None = None
    freq: str | None = Field(None, description="time step, such as B, MS or h")
    horizon: int = Field(1, ge=1, description="number of rows from a forecast to its target")
    test_from: date | None = None
    embargo: int | None = Field(None, ge=0, description="number of rows left out before test_from")
    published: str | None = Field(None, description="column of the date on which a row was known")
    label: str | None = Field(None, description="binary column that a classifier learns")
    prediction: str | None = Field(None, description="binary column of the classifier's predictions")
    source: tuple[str, ...] = Field(
        (), description="columns that say where a row comes from, such as the device or site"
    )
    protected: tuple[str, ...] = Field(
        (), description="columns that divide persons into groups, such as age or sex"
    )
    split: str | None = Field(None, description="column with the values train and test")
    latitude: str | None = None
    longitude: str | None = None
    limits: dict[str, tuple[float, float]] = Field(
        {}, description="lowest and highest physically possible value, by column"
    )
    thresholds: dict[str, float] = Field({}, description="thresholds of checks, by `check.name`")
    waive: tuple[Waiver, ...] = ()

    @property
    def named(self) -> set[str]:
        """Columns that have another role in the spec and are therefore not inputs by default."""
        single: tuple[str | None, ...] = (self.time, self.target, self.series, self.published)
        single += (self.label, self.prediction, self.split)
        places = (self.latitude, self.longitude)
        return {name for name in (*single, *places, *self.source, *self.protected) if name}


def read_spec(source: Path | Mapping[str, Any] | None, **given: str | None) -> Spec:
    """Read a spec from a file or a mapping. Options ``given`` by themselves take precedence.

    Raises ``BasinError`` for unknown keys or wrong values.
    """
    path = source if isinstance(source, Path) else None
    content: dict[str, Any] = dict(source) if isinstance(source, Mapping) else {}
    if path is not None:
        content = read_yaml(path, "give the path of a spec") or {}
        if not isinstance(content, dict):
            raise BasinError(f"{path}: expected keys such as `time: date`, found {type(content).__name__}")
    content |= {name: value for name, value in given.items() if value is not None}
    unknown = [str(key) for key in content if key not in Spec.model_fields]
    if unknown:
        known = ", ".join(Spec.model_fields)
        raise BasinError(f"{path or 'options'}: no key {unknown[0]}; the keys are {known}")
    try:
        spec = Spec(**content)
    except ValidationError as error:
        raise wrong_content(path or "options", error) from None
    if spec.freq is not None:
        frequency(spec.freq)
    return spec


@dataclass(frozen=True)
class Series:
    """One series in order of time, with the first row of each date."""

    name: str
    places: np.ndarray
    """Places of the rows in the table, from 0."""
    rows: np.ndarray
    """Numbers of the rows in the file, from 1."""
    time: pd.DatetimeIndex
    value: np.ndarray
    move: np.ndarray
    """Change from the row before, of the same length as ``value`` and NaN in the first row.

    It is Δlog of a price, Δ of a rate, and Δ of a level's anomaly from its season.
    """


@dataclass(frozen=True)
class TableEvidence:
    """A table and its spec, with the columns and series that the checks of tables need."""

    frame: pd.DataFrame
    spec: Spec
    numbered: np.ndarray | None = None
    """Numbers of the rows in the file, from 1, if they are not their places in the table."""
    absent: frozenset[tuple[int, int]] = frozenset()
    """Months and days that the calendar of the file does not have, such as 29 February."""

    @cached_property
    def rows(self) -> np.ndarray:
        """Numbers of the rows in the file, from 1."""
        return np.arange(1, len(self.frame) + 1) if self.numbered is None else self.numbered

    def threshold(self, name: str, default: float) -> float:
        return self.spec.thresholds.get(name, default)

    @property
    def target(self) -> str:
        """Column of the target. Only the checks of series use it, and their tables always have one."""
        assert self.spec.target is not None
        return self.spec.target

    @cached_property
    def time(self) -> pd.Series:
        """Column of times as dates, with NaT for cells that are not dates."""
        assert self.spec.time is not None  # only the checks of series use it
        return self.dates(self.spec.time)

    def dates(self, column: str) -> pd.Series:
        """Return a column as dates, with NaT for cells that are not dates."""
        return as_dates(self.frame[column], f"column {column}").time

    def numbers(self, column: str) -> pd.Series:
        """Return a column as numbers, with NaN for cells that are not numbers."""
        values = self.frame[column]
        if values.dtype == float:
            return values  # not a copy, which would double the memory of a large table
        if values.dtype.kind == "c":
            raise BasinError(
                f"column {column} holds complex numbers; give a column of their real parts or sizes"
            )
        return values.astype(float) if values.dtype.kind in "iub" else pd.to_numeric(values, errors="coerce")

    @cached_property
    def inputs(self) -> list[str]:
        """Columns that a model would learn from: those of the spec, or all others that are mostly numbers."""
        if self.spec.inputs:
            return list(self.spec.inputs)
        others = [str(name) for name in self.frame.columns if name not in self.spec.named]
        return [name for name in others if self.numbers(name).notna().mean() > 0.5]

    @cached_property
    def freq(self) -> str:
        if self.spec.freq:
            return self.spec.freq
        steps = [
            np.diff(time.to_numpy()).astype("timedelta64[s]").astype(float) / 86400
            for _, _, time in self._parts
        ]
        all_steps = np.concatenate(steps) if steps else np.zeros(0)
        usual = float(np.median(all_steps)) if len(all_steps) else 1.0
        dates = pd.Series(
            np.concatenate([time.to_numpy() for _, _, time in self._parts] or [np.zeros(0, "M8[ns]")])
        )
        return name_of(dates, usual, pd.Series(all_steps)) or (
            "B" if usual < 3 else "W" if usual < 15 else "MS"
        )

    @cached_property
    def calendar(self) -> Calendar:
        """Days of the week and times of day of the rows of all series."""
        times = [time.to_numpy() for _, _, time in self._parts]
        dates = pd.DatetimeIndex(np.unique(np.concatenate(times or [np.zeros(0, "M8[ns]")])))
        found = infer(dates, self.freq)
        return replace(found, closed=found.closed | self.absent)

    @cached_property
    def kind(self) -> str:
        if self.spec.kind:
            return self.spec.kind
        value = self.numbers(self.target).dropna()
        if frequency(self.freq).calendar:
            return "level"
        return "price" if len(value) and (value <= 0).mean() < 0.01 else "rate"

    @cached_property
    def _parts(self) -> list[tuple[str, np.ndarray, pd.DatetimeIndex]]:
        """Name, positions and times of each series, in order of time, with the first row of each time."""
        time = self.time
        known = np.flatnonzero(time.notna())
        groups = (
            self.frame[self.spec.series].astype(str).to_numpy()[known]
            if self.spec.series
            else np.full(len(known), self.spec.target)
        )
        parts = []
        for name in dict.fromkeys(groups):
            rows = known[groups == name]
            rows = rows[np.argsort(time.to_numpy()[rows], kind="stable")]
            rows = rows[~pd.Index(time.to_numpy()[rows]).duplicated()]
            parts.append((str(name), rows, pd.DatetimeIndex(time.to_numpy()[rows])))
        return parts

    @cached_property
    def series(self) -> list[Series]:
        numbers = self.numbers(self.target).to_numpy()
        return [
            Series(name, at, self.rows[at], time, numbers[at], self.moves(numbers[at], time))
            for name, at, time in self._parts
        ]

    def moves(self, value: np.ndarray, time: pd.DatetimeIndex) -> np.ndarray:
        """Return the changes from row to row, as defined in :attr:`Series.move`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.kind == "price":
                level = np.log(np.where(value > 0, value, np.nan))
            elif self.kind == "return":
                return value
            elif self.kind == "level" and (frequency(self.freq).calendar or self.freq == "W"):
                season = time.month.to_numpy()
                normals = pd.Series(value).groupby(season).transform("median").to_numpy()
                level = value - normals
            else:
                level = value
            return np.concatenate([[np.nan], np.diff(level)]) if len(level) else level
