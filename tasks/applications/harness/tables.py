"""Reading of a user's table of numbers from CSV, Parquet or ``.npz``, with clear errors."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError, counted
from tasks.sources.npz import read_arrays
from tasks.userdata.files.table import load


def read_numbers(path: Path, label: str | None, marks: str | None = None) -> pd.DataFrame:
    """Read a table with all columns as floats, in file order.

    ``label``, if given, must be one of the columns. A ``.npz`` file holds ``X`` ``(n, d)`` and, with a label,
    ``y`` ``(n,)``. ``marks`` describes the expected labels, for the error message. Raises ``BasinError`` for
    an unreadable or empty file, an unknown label column, and cells that are empty or not numbers.
    """
    frame = _npz(path, label) if path.suffix == ".npz" else load(path).frame
    if label is not None and label not in frame:
        found = ", ".join(map(str, frame.columns[:20]))
        raise BasinError(f"{path}: no column {label}; found {found}; name the label with --label")
    if frame.empty:
        raise BasinError(f"{path}: no rows; give a file with data")
    if label is not None and len(frame.columns) < 3:
        raise BasinError(f"{path}: {len(frame.columns) - 1} column besides the label; expected 2 or more")
    numbers = frame.apply(pd.to_numeric, errors="coerce").astype(float)
    for column in frame:
        bad = np.flatnonzero(~np.isfinite(numbers[column]))
        if len(bad):
            remedy = "encode categories as columns of 0 and 1, and fill empty cells or drop their rows"
            if marks is not None and column == label:
                remedy = f"expected {marks}"
            raise BasinError(
                f"{path}: column {column}, row {bad[0] + 1}: {frame[column].iloc[bad[0]]!r} is not a finite "
                f"number ({counted(len(bad), 'such row')}); {remedy}"
            )
    return numbers.rename(columns=str)


def _npz(path: Path, label: str | None) -> pd.DataFrame:
    found = read_arrays(path, ("X",) if label is None else ("X", "y"))
    x = found["X"]
    y = found["y"] if label is not None else np.zeros(x.shape[:1])
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise BasinError(f"{path}: X is {x.shape} and y is {y.shape}; expected (n, d) and (n,)")
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    return frame if label is None else frame.assign(**{label: y})
