"""The arrays of a user's ``.npz`` file, without pickle."""

import zipfile
from pathlib import Path

import numpy as np

from tasks.errors import BasinError


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays by name. Raises ``BasinError`` for what is no ``.npz`` and for arrays of objects."""
    remedy = "write it with numpy.savez from arrays of numbers"
    if not path.is_file():
        raise BasinError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):  # NumPy would take it for a pickle and advise to trust it
        raise BasinError(f"{path}: no .npz file of plain arrays; {remedy}")
    found = {}
    try:
        with np.load(path, allow_pickle=False) as held:
            for name in held.files:
                found[name] = held[name]
    except Exception as error:  # a broken archive raises what it likes; objects make NumPy advise pickle
        raise BasinError(
            f"{path}: no .npz file of plain arrays (one is broken or of objects); {remedy}"
        ) from error
    return found
