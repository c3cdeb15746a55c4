"""A user's table of examples: numbers from CSV, Parquet or ``.npz``, or one line that says what is wrong."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.errors import BasinError
from tasks.own.question import Question
from tasks.own.reading import load


def read_numbers(path: Path, label: str | None) -> pd.DataFrame:
    """All columns as floats, the rows in the order of the file; ``label``, if any, must be among them.

    A ``.npz`` file holds ``X`` ``(n, d)`` and, for the label, ``y`` ``(n,)``. Raises ``BasinError`` for an
    unreadable or empty file, an unknown label, and cells that are empty or no numbers, naming row and column.
    """
    frame = (
        _npz(path, label) if path.suffix == ".npz" else load(path, Question(time="", target=label or "label"))
    )
    if label is not None and label not in frame:
        found = ", ".join(map(str, frame.columns[:20]))
        raise BasinError(f"{path}: no column {label}; found {found}; name the label with --label")
    if frame.empty:
        raise BasinError(f"{path}: no rows; give a file with data")
    if label is not None and len(frame.columns) < 3:
        raise BasinError(f"{path}: {len(frame.columns) - 1} column beside the label; expected 2 or more")
    numbers = frame.apply(pd.to_numeric, errors="coerce").astype(float)
    for column in frame:
        bad = np.flatnonzero(~np.isfinite(numbers[column]))
        if len(bad):
            raise BasinError(
                f"{path}: column {column}, row {bad[0] + 1}: {frame[column].iloc[bad[0]]!r} is no number "
                f"({len(bad)} such rows); write categories as numbers (one column of 0 and 1 each), fill or "
                "drop empty cells"
            )
    return numbers.rename(columns=str)


def _npz(path: Path, label: str | None) -> pd.DataFrame:
    if not zipfile.is_zipfile(path):
        # NumPy would take it for a pickle and advise to trust it.
        raise BasinError(f"{path}: expected an .npz file with arrays X and y; this is none")
    try:
        with np.load(path, allow_pickle=False) as held:
            x = held["X"]
            y = held["y"] if label is not None else np.zeros(x.shape[:1])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:160]
        raise BasinError(f"{path}: expected an .npz file with arrays X and y ({reason})") from error
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise BasinError(f"{path}: X is {x.shape} and y is {y.shape}; expected (n, d) and (n,)")
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    return frame if label is None else frame.assign(**{label: y})
