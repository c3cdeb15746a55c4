"""Folders and files for the results of a command, in which nothing is lost that the command did not write.

The file ``.basin.json`` in a folder of results lists every file that Basin wrote there, with its command.
While a command runs, the file also has the names that it may write, so that a killed run can be repeated.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, cleanup, remove, write_json

MARKER = ".basin.json"

ASIDE = ".basin-kept"
"""Folder in which files of others are kept while Basin replaces the folder that they are in."""

SHOWN = 3
"""Number of files that an error message names."""

OVERWRITE = "or add --overwrite"


@contextmanager
def claim(folder: Path, command: str, names: Sequence[str], overwrite: bool = False) -> Iterator[None]:
    """Reserve ``names`` in ``folder`` for the results of ``command`` while the block runs.

    Names are relative paths of files or folders, and a folder is replaced as a whole. ``folder`` is created
    if it is missing, and removed again if the block leaves no file in it. If the block ends well, files at
    ``names`` that an earlier run of the command wrote, and this one did not, are deleted. With ``overwrite``,
    the block may replace files at ``names`` that this command did not write. All other files stay, also those
    in a folder that is replaced.

    Raises
    ------
    BasinError
        Before the block, if ``folder`` cannot be written to. Unless ``overwrite`` is true, also if
        ``folder`` has files but no marker, or files at ``names`` that the same command did not write.
    """
    made = _make(folder)
    try:
        _put_back(folder)
        owners = _owners(folder)
        _require_folders(folder, names)
        if not overwrite:
            _require_free(folder, command, names, owners)
        owners = owners or {}
        found = {path: _version(folder / path) for path in _files(folder, names)}
        earlier = {path: version for path, version in found.items() if owners.get(path) == command}
        before = {path: version for path, version in found.items() if path not in earlier}
        others = [path for path in before if path not in owners]
        running = {"command": command, "names": list(names), "others": others}
        _write(folder, {"files": owners, "running": running})
        for path in others:
            if path not in names:
                _move(folder / path, folder / ASIDE / path)
    except (BasinError, OSError) as error:
        with suppress(OSError):
            _put_back(folder)
        _unmake(made)
        if isinstance(error, OSError):
            raise _not_writable(folder, error) from error
        raise

    def release() -> None:
        with suppress(OSError):  # an error of the block must not be hidden; the next run does the same
            _put_back(folder)
            kept = {path: owner for path, owner in owners.items() if os.path.lexists(folder / path)}
            for path in _files(folder, names):
                if before.get(path) != _version(folder / path):
                    kept[path] = command
            if kept or any(path.name != MARKER for path in folder.iterdir()):
                _write(folder, {"files": dict(sorted(kept.items()))})
            else:
                remove(folder / MARKER)
                _unmake(made)

    with cleanup(release):
        yield
        _delete(folder, [path for path, version in earlier.items() if version == _version(folder / path)])


def require_file(path: Path, overwrite: bool = False, option: str = "--out") -> None:
    """Raise ``BasinError`` if ``path`` cannot be written, or if it exists and ``overwrite`` is false."""
    made = _make(path.parent)
    try:
        if path.is_dir():
            raise BasinError(f"{path} is a folder; give the path of a file as {option}")
        if os.path.lexists(path) and not overwrite:
            raise BasinError(
                f"{path} exists already; give another file as {option}, {OVERWRITE} to replace it"
            )
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _not_writable(path, error) from error
    finally:
        _unmake(made)


def _make(folder: Path) -> list[Path]:
    """Create a folder with its parents, and return those that were missing, the deepest first."""
    try:
        made, above = [], folder
        while not above.exists() and above != above.parent:
            made.append(above)
            above = above.parent
        if not above.is_dir():
            raise BasinError(f"{above} is a file, not a folder; give another place for the results")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    return made


def _unmake(made: list[Path]) -> None:
    with suppress(OSError):  # of a folder that is not empty
        for folder in made:
            folder.rmdir()


def _not_writable(path: Path, error: OSError) -> BasinError:
    return BasinError(f"cannot write {path}: {error.strerror or error}; give another place for the results")


def files_of(folder: Path, command: str) -> list[str]:
    """Return the files in ``folder`` that a command wrote and that are still there, as relative paths."""
    owners = _owners(folder) or {}
    return sorted(path for path, owner in owners.items() if owner == command and (folder / path).is_file())


def _owners(folder: Path) -> dict[str, str] | None:
    """Return the command that wrote each file, or None if the folder has no marker of Basin."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        owners = {str(path): str(command) for path, command in content["files"].items()}
        if "running" in content:  # the run was killed
            command, names, others = (content["running"][key] for key in ("command", "names", "others"))
            written = [path for path in _files(folder, names) if path not in others]
            owners |= dict.fromkeys(written, str(command))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return owners


def _require_folders(folder: Path, names: Sequence[str]) -> None:
    """Raise ``BasinError`` if a file is where one of the ``names`` needs a folder."""
    for name in names:
        for path in (folder / above for above in Path(name).parents):
            if os.path.lexists(path) and not path.is_dir():
                raise BasinError(f"{path} is a file, not a folder as Basin needs there; give another folder")


def _require_free(folder: Path, command: str, names: Sequence[str], owners: dict[str, str] | None) -> None:
    """Raise ``BasinError`` if a file would be replaced, or stands beside, that Basin did not write."""
    known = owners or {}
    taken = [path for path in _files(folder, names) if known.get(path) != command]
    if owners is None and os.path.lexists(folder / MARKER):
        taken.append(MARKER)
    if taken:
        raise BasinError(
            f"{folder} has {_listed(taken)}, which `basin {command}` did not write and would replace; give "
            f"another folder, {OVERWRITE}"
        )
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if owners is None and others:
        raise BasinError(
            f"{folder} has {_listed(others)} and no results of Basin; give a new folder, {OVERWRITE} to "
            "write beside them"
        )


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def _files(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the files and links at ``names`` and in folders at ``names``, relative to ``folder``."""
    found = []
    for name in names:
        path = folder / name
        inside = [path, *(path.rglob("*") if not path.is_symlink() else ())]
        found += [p for p in inside if p.is_symlink() or (p.exists() and not p.is_dir())]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _version(path: Path) -> tuple[int, int, int] | None:
    """Return what differs between a file and one that replaced it, or None if there is no file."""
    if not os.path.lexists(path):
        return None
    found = path.lstat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _delete(folder: Path, paths: list[str]) -> None:
    """Delete files and then their folders inside ``folder`` that are left empty."""
    for path in paths:
        remove(folder / path)
        with suppress(OSError):  # of a folder that is not empty
            for above in Path(path).parents[:-1]:
                (folder / above).rmdir()


def _put_back(folder: Path) -> None:
    """Move files back that were kept aside, also by a killed run, unless Basin wrote a file of that name."""
    aside = folder / ASIDE
    for path in _files(aside, ["."]):
        if os.path.lexists(folder / path):
            remove(aside / path)
        else:
            with suppress(OSError):  # where Basin wrote a file in place of a folder, it stays aside
                _move(aside / path, folder / path)
    if not _files(aside, ["."]):
        remove(aside)


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)


def _write(folder: Path, content: dict[str, Any]) -> None:
    with atomic_write(folder / MARKER) as (path,):
        write_json(path, content)
