"""Reading of CSV and Parquet files, with checks of their existence, size and format."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tasks.runtime.errors import BasinError

MISSING = ("", ".", "NA", "NaN", "nan", "NULL", "null", "None", "-")
"""Texts of a CSV that are read as missing values."""

MOST_ROWS = 2_000_000
"""Most rows of a CSV."""


def load_rows(path: Path, kinds: str) -> pd.DataFrame:
    """Read all columns of a CSV or Parquet file. ``kinds`` names the formats in error messages."""
    return read_file(path, pd.read_parquet if file_suffix(path) in (".parquet", ".pq") else _csv, kinds)


def file_suffix(path: Path) -> str:
    """Return the last suffix that is not that of a compression, such as ``.csv`` for ``prices.csv.gz``."""
    return next((s for s in reversed(path.suffixes) if s not in (".gz", ".bz2", ".xz", ".zip", ".zst")), "")


def read_file(path: Path, read: Callable[[Path], pd.DataFrame], kinds: str) -> pd.DataFrame:
    """Call ``read(path)``; raise ``BasinError`` if the file is absent, empty or not readable."""
    if not path.is_file():
        raise BasinError(f"{path}: no such file; give the path of a {kinds} file")
    if path.stat().st_size == 0:
        raise BasinError(f"{path}: is empty; give a {kinds} file with data")
    try:
        return read(path)
    except BasinError:
        raise
    except pd.errors.EmptyDataError as error:  # a file of blank lines
        raise BasinError(f"{path}: is empty; give a {kinds} file with data") from error
    except Exception as error:  # pandas, pyarrow and h5netcdf raise errors of many types
        reason = " ".join(str(error).split())[:200]
        raise BasinError(
            f"{path}: not readable as {file_suffix(path) or 'CSV'} ({reason}); give a {kinds} file"
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
        nrows=MOST_ROWS + 1,  # limits memory, because a small compressed file may have far more rows
    )
    if len(table) > MOST_ROWS:
        raise BasinError(f"{path}: more than {MOST_ROWS:,} rows; give a shorter file, or Parquet")
    return table
