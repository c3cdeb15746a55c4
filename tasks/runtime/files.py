"""Outputs appear whole or not at all: write beside the target, then rename."""

import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from tasks.runtime.errors import BasinError


@contextmanager
def atomic_write(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Yield a temporary path for each target; rename all of them into place only if the block succeeds.

    A target may be a file or a folder (create the folder at the temporary path). On any exception the
    temporaries are removed and the last good outputs stay; a kill between two renames leaves each target
    whole, old or new. Raises ``BasinError`` when the disk is full or a folder cannot be written to.
    """
    placed = 0
    temporaries = tuple(target.with_name(f".{target.name}.{os.getpid()}.tmp") for target in targets)
    try:
        for target, temporary in zip(targets, temporaries, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(target)
            remove(temporary)
        yield temporaries
        for temporary in temporaries:
            temporary.stat()  # all are there before the first is renamed
        for target, temporary in zip(targets, temporaries, strict=True):
            if target.is_dir():
                old = target.with_name(f".{target.name}.{os.getpid()}.old")
                target.rename(old)
                try:
                    temporary.rename(target)
                except OSError:
                    old.rename(target)
                    raise
                shutil.rmtree(old)
            else:
                os.replace(temporary, target)
            placed += 1
    except FileNotFoundError as error:
        raise BasinError(
            f"{error.filename} is missing; run the stage that writes it (`basin run`)"
        ) from error
    except OSError as error:
        where = error.filename or targets[0]
        kept = "the last good outputs are untouched"
        if placed:
            kept = f"{placed} of {len(targets)} outputs are new, the others as they were"
        raise BasinError(
            f"cannot write {where}: {error.strerror or error}; free some space or make the folder "
            f"writable, then run again ({kept})"
        ) from error
    finally:
        for temporary in temporaries:
            with suppress(OSError):  # the reason is already on its way to the user
                remove(temporary)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder of this process inside ``folder``, which is made where it is missing; removed at the end.

    A ``folder`` that was made and got nothing else goes with it. Raises ``BasinError`` where ``folder`` is a
    file or cannot be written to.
    """
    work = folder / f".scratch.{os.getpid()}.tmp"
    made = not folder.exists()
    if not made and not folder.is_dir():
        raise BasinError(f"{folder}: a file; expected a folder")
    try:
        _sweep(folder / "scratch")
        remove(work)  # of a killed process that had our number
        work.mkdir(parents=True)
    except OSError as error:
        raise BasinError(
            f"cannot write {folder}: {error.strerror or error}; free some space or make the folder writable"
        ) from error
    try:
        yield work
    finally:
        with suppress(OSError):  # the reason is already on its way to the user
            remove(work)
            if made:
                folder.rmdir()  # fails where there is something in it


def _sweep(target: Path) -> None:
    """Delete what processes that were killed left beside ``target``."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*"):
        *_, process, kind = left.name.rsplit(".", 2)
        if kind in ("tmp", "old") and process.isdigit() and not psutil.pid_exists(int(process)):
            remove(left)


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file; raises ``BasinError`` where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise BasinError(f"{path} is missing; run the stage that writes it (`basin run`)") from error


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_yaml(path: Path, remedy: str) -> Any:
    """Read YAML safely; raises ``BasinError`` where it is missing, with ``remedy``, or broken."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BasinError(f"{path} is missing; {remedy}") from error
    except OSError as error:
        raise BasinError(f"cannot read {path}: {error.strerror}; {remedy}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BasinError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def write_json(path: Path, content: Any) -> None:
    """Write deterministic JSON: keys in the order given, two spaces, no NaN or infinity."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON; raises ``BasinError`` naming the stage to run when the file is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BasinError(f"{path} is missing; run the stage that writes it (`basin run`)") from error
    except ValueError as error:
        raise BasinError(f"{path} is not valid JSON ({error}); delete it and run again") from error
