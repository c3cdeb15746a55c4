"""The arrays of a user's ``.npz`` file, without pickle."""

import zipfile
from pathlib import Path

import numpy as np

from tasks.runtime.errors import BasinError


def read_arrays(path: Path, needed: tuple[str, ...], used: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """The arrays ``needed``, and of those ``used`` what there is, by name; others are not looked at.

    Raises ``BasinError`` for what is no ``.npz``, lacks one or holds it as objects.
    """
    remedy = f"write it with numpy.savez(path, {', '.join(f'{name}=array' for name in needed)})"
    if not path.is_file():
        raise BasinError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):  # NumPy would take it for a pickle and advise to trust it
        raise BasinError(f"{path}: no .npz file of plain arrays; {remedy}")
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
    except Exception as error:  # a broken archive raises what it likes; objects make NumPy advise pickle
        which = f"array {name} is broken or of objects" if name else "it is broken"
        raise BasinError(f"{path}: no .npz file of plain arrays ({which}); {remedy}") from error
    return found
