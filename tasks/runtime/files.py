"""Atomic writing of files and folders, and reading of YAML and JSON with clear errors."""

import glob
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import yaml

from tasks.runtime.errors import BasinError

_cleanups: list[tuple[int, Callable[[], None]]] = []
"""What is left to do by blocks that a signal may end, with the number of the process of each."""


@contextmanager
def cleanup(act: Callable[[], None]) -> Iterator[None]:
    """Call ``act`` after the block, or in :func:`clean_up` if a signal ends the process before.

    ``act`` may be called twice, if the signal arrives while it runs.
    """
    entry = (os.getpid(), act)
    _cleanups.append(entry)
    try:
        yield
    finally:
        act()
        _cleanups.remove(entry)


def clean_up() -> None:
    """Do what the running blocks of :func:`cleanup` have left, for a process that ends without them.

    Blocks of a parent process, whose state a fork copies, are left to it.
    """
    for process, act in reversed(list(_cleanups)):
        if process == os.getpid():
            with suppress(Exception):  # the others are still to be done
                act()


@contextmanager
def atomic_write(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Yield a temporary path for each target; rename all of them into place only if the block succeeds.

    A target may be a file or a folder (create the folder at the temporary path). On any exception the
    temporary files are removed and the earlier outputs stay. If the process is killed between two renames,
    each target is complete, either in its old or in its new version. Raises ``BasinError`` if the disk is
    full or a folder cannot be written to.
    """
    placed = 0
    temporaries = tuple(target.with_name(f".{target.name}.{os.getpid()}.tmp") for target in targets)
    for target, temporary in zip(targets, temporaries, strict=True):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(target)
            remove(temporary)
        except OSError as error:
            raise BasinError(
                f"cannot write {error.filename or target}: {error.strerror or error}; free some space or "
                "make the folder writable, or give another one"
            ) from error
    with cleanup(partial(_discard, *temporaries)):
        try:
            yield temporaries
            for temporary in temporaries:
                temporary.stat()  # raises if one is missing, before the first is renamed
            for target, temporary in zip(targets, temporaries, strict=True):
                # Only a file is replaced by a file in one step.
                if os.path.lexists(target) and (target.is_dir() or temporary.is_dir()):
                    old = target.with_name(f".{target.name}.{os.getpid()}.old")
                    target.rename(old)
                    try:
                        temporary.rename(target)
                    except OSError:
                        old.rename(target)
                        raise
                    remove(old)
                else:
                    os.replace(temporary, target)
                placed += 1
        except FileNotFoundError as error:
            raise BasinError(
                f"{error.filename} is missing; run the stage that writes it (`basin run`)"
            ) from error
        except OSError as error:
            where = error.filename or targets[0]
            kept = "the earlier outputs are unchanged"
            if placed:
                kept = f"{placed} of {len(targets)} outputs were replaced, the others are unchanged"
            raise BasinError(
                f"cannot write {where}: {error.strerror or error}; free some space or make the folder "
                f"writable, then run again ({kept})"
            ) from error


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside ``folder`` and remove it at the end.

    Raises ``BasinError`` if ``folder`` cannot be written to.
    """
    work = folder / f".scratch.{os.getpid()}.tmp"
    try:
        _sweep(folder / "scratch")
        remove(work)  # left by a killed process with the same process number
        work.mkdir(parents=True)
    except OSError as error:
        raise BasinError(
            f"cannot write {folder}: {error.strerror or error}; free some space or make the folder writable"
        ) from error
    with cleanup(partial(_discard, work)):
        yield work


def _discard(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):  # an error of the block must not be hidden by one of the clean-up
            remove(path)


def _sweep(target: Path) -> None:
    """Delete temporary files that killed processes left beside ``target``."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*"):
        *_, process, kind = left.name.rsplit(".", 2)
        if kind in ("tmp", "old") and process.isdigit() and not psutil.pid_exists(int(process)):
            remove(left)


def sha256(path: Path) -> str:
    """Return the hexadecimal sha256 of a file; raises ``BasinError`` if the file is missing."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise BasinError(f"{path} is missing; run the stage that writes it (`basin run`)") from error


def remove(path: Path) -> None:
    """Delete a file, a folder or a link, but not what the link points to, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_yaml(path: Path, remedy: str) -> Any:
    """Read YAML safely; raises ``BasinError``, with ``remedy``, if the file is missing or not readable."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BasinError(f"{path} is missing; {remedy}") from error
    except OSError as error:
        raise BasinError(f"cannot read {path}: {error.strerror}; {remedy}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BasinError(f"{path} is not valid YAML: {' '.join(str(error).split())}; correct it") from error


def write_json(path: Path, content: Any) -> None:
    """Write deterministic JSON: keys in the order given, two spaces, no NaN or infinity."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def without_nan(content: Any) -> Any:
    """Return content of JSON with None in place of numbers that are NaN or infinite.

    Examples
    --------
    >>> without_nan({"crps": float("inf"), "n": 3, "leads": [float("nan"), 1.5]})
    {'crps': None, 'n': 3, 'leads': [None, 1.5]}
    """
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path, remedy: str = "run the stage that writes it (`basin run`)") -> Any:
    """Read JSON; raises ``BasinError``, with ``remedy``, if the file is missing or not readable."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BasinError(f"{path} is missing; {remedy}") from error
    except OSError as error:
        raise BasinError(f"cannot read {path}: {error.strerror}; {remedy}") from error
    except ValueError as error:
        raise BasinError(f"{path} is not valid JSON ({error}); {remedy}") from error
