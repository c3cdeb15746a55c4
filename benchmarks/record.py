"""Results of the benchmarks: one JSON file per row, ``benchmarks/results/ROW.json``."""

import datetime
import platform
import subprocess
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from benchmarks import ROOT
from benchmarks.row import Comparison, Row
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write

RESULTS = ROOT / "benchmarks" / "results"
WRITTEN = ("benchmarks/results", "docs/results")
"""Folders with results. Changes in them do not count as changes of the measured code."""


class Figure(BaseModel):
    """One measured figure and its target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str = Field(min_length=1)
    target: str = Field(min_length=1)
    measured: str = Field(min_length=1)
    met: bool
    value: FiniteFloat | None = None
    unit: str | None = None
    interval: tuple[FiniteFloat, FiniteFloat] | None = None
    comparison: Comparison | None = None

    @model_validator(mode="after")
    def _number(self) -> Self:
        if self.value is None and (self.unit is not None or self.interval is not None):
            raise ValueError("a unit or an interval needs a value")
        if self.interval is not None and self.interval[0] > self.interval[1]:
            raise ValueError("the interval's lower bound is above its upper bound")
        return self

    @classmethod
    def of(cls, row: Row) -> Self:
        """Return the figure of a row, with NumPy numbers converted to Python numbers."""
        interval = None if row.interval is None else (float(row.interval[0]), float(row.interval[1]))
        value = None if row.value is None else float(row.value)
        return cls(
            what=row.what,
            target=row.target,
            measured=row.measured,
            met=bool(row.met),
            value=value,
            unit=row.unit,
            interval=interval,
            comparison=row.comparison,
        )


class Result(BaseModel):
    """Figures of one row of the benchmarks, with the commit, date, processor and code of the measurement.

    ``commit`` ends with ``+`` if there were uncommitted changes. A ``carried`` result was copied from a table
    of the README at that commit; its processor and the hashes of its sources are not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: str
    command: str
    commit: str = Field(pattern=r"^[0-9a-f]{7,40}\+?$")
    date: datetime.date
    processor: str | None
    carried: bool = False
    sources: dict[str, str]
    figures: tuple[Figure, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _measured_with(self) -> Self:
        if not self.carried and not (self.processor and self.sources):
            raise ValueError("a measured result names its processor and its sources")
        names = [figure.what for figure in self.figures]
        if len(set(names)) < len(names):
            raise ValueError("two figures have the same name")
        return self


def write(result: Result, folder: Path = RESULTS) -> Path:
    """Write the result of a row atomically and return its path."""
    path = folder / f"{result.row}.json"
    with atomic_write(path) as (temporary,):
        temporary.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def read(folder: Path = RESULTS) -> dict[str, Result]:
    """Read all results by row; raises ``BasinError`` for a file that does not match schema and name."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            result = Result.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise BasinError(
                f"{path}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}; restore it from git or "
                f"run `python -m benchmarks {path.stem}` again"
            ) from error
        if result.row != path.stem:
            raise BasinError(f"{path}: holds the row {result.row}; rename it to {result.row}.json")
        found[result.row] = result
    return found


def commit(root: Path = ROOT) -> str:
    """Return the short hash of HEAD, with ``+`` if files other than results have uncommitted changes."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    dirty = git("status", "--porcelain", "--", ".", *(f":!{folder}" for folder in WRITTEN))
    return git("rev-parse", "--short=7", "HEAD") + ("+" if dirty else "")


def processor() -> str:
    """Return the name of the processor as reported by the kernel."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
