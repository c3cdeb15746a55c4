"""A file as a table of text: CSV or Parquet, its size limit and its words for a missing value."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tasks.runtime.errors import BasinError

MISSING = ("", ".", "NA", "NaN", "nan", "NULL", "null", "None", "-")

MOST_ROWS = 2_000_000
"""Of a CSV."""


def load_rows(path: Path, kinds: str) -> pd.DataFrame:
    """All columns of a CSV or Parquet file; ``kinds`` are the files that a ``BasinError`` asks for."""
    return read_file(path, pd.read_parquet if file_suffix(path) in (".parquet", ".pq") else _csv, kinds)


def file_suffix(path: Path) -> str:
    return next((s for s in reversed(path.suffixes) if s not in (".gz", ".bz2", ".xz", ".zip", ".zst")), "")


def read_file(path: Path, read: Callable[[Path], pd.DataFrame], kinds: str) -> pd.DataFrame:
    if not path.is_file():
        raise BasinError(f"{path}: no such file; give the path of a {kinds} file")
    if path.stat().st_size == 0:
        raise BasinError(f"{path}: is empty; give a {kinds} file with data")
    try:
        return read(path)
    except BasinError:
        raise
    except pd.errors.EmptyDataError as error:  # blank lines
        raise BasinError(f"{path}: is empty; give a {kinds} file with data") from error
    except Exception as error:  # pandas, pyarrow and h5netcdf raise what they like
        reason = " ".join(str(error).split())[:200]
        raise BasinError(
            f"{path}: not readable as {file_suffix(path) or 'CSV'} ({reason}); expected {kinds}"
        ) from error


def _csv(path: Path) -> pd.DataFrame:
    first = pd.read_csv(path, nrows=1, header=None, sep="\x00", dtype=str, engine="python", quoting=3)
    header = str(first.iloc[0, 0])
    separator = max(";\t,", key=header.count)
    table = pd.read_csv(
        path,
        sep=separator,
        dtype=str,
        keep_default_na=False,
        na_values=list(MISSING),
        skipinitialspace=True,
        nrows=MOST_ROWS + 1,  # a small compressed file may hold far more
    )
    if len(table) > MOST_ROWS:
        raise BasinError(f"{path}: more than {MOST_ROWS:,} rows; give a shorter file, or Parquet")
    return table
