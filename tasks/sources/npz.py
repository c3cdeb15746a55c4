"""Reading of arrays from a user's ``.npz`` file, without pickle."""

import zipfile
from pathlib import Path

import numpy as np

from tasks.runtime.errors import BasinError


def read_arrays(path: Path, needed: tuple[str, ...], used: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read the arrays ``needed``, and those of ``used`` that exist. Other arrays are not read.

    Raises ``BasinError`` if the file is not an ``.npz`` file, lacks a needed array or stores one as objects.
    """
    remedy = f"write it with numpy.savez(path, {', '.join(f'{name}=array' for name in needed)})"
    if not path.is_file():
        raise BasinError(f"{path}: no such file; {remedy}")
    if not zipfile.is_zipfile(path):  # NumPy would assume a pickle, and its error would advise to allow it
        raise BasinError(f"{path}: not an .npz file of plain arrays; {remedy}")
    found: dict[str, np.ndarray] = {}
    name = ""
    try:
        with np.load(path, allow_pickle=False) as held:
            for name in needed:
                if name not in held:
                    there = ", ".join(held.files) or "nothing"
                    raise BasinError(f"{path}: no array {name}; found {there}; {remedy}")
            for name in (*needed, *(extra for extra in used if extra in held)):
                found[name] = held[name]
    except (BasinError, MemoryError):
        raise
    except Exception as error:  # a damaged archive can raise any error, and for objects NumPy advises pickle
        which = f"array {name} is damaged or holds objects" if name else "the file is damaged"
        raise BasinError(f"{path}: not an .npz file of plain arrays ({which}); {remedy}") from error
    return found
