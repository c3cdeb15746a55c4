"""Results of a command, which are files in a folder."""

import shutil
import weakref
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, TypeVar

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write
from tasks.runtime.keywords import in_python
from tasks.runtime.outputs import claim, files_of

R = TypeVar("R")


def in_folder(out: str | PathLike[str] | None, run: Callable[[Path], R]) -> R:
    """Return ``run(folder)`` for the folder ``out``, or for one that is deleted with the result."""
    if out is not None:
        return run(folder_of(out))
    folder = TemporaryDirectory(prefix="basin-")
    try:
        result = run(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(result, folder.cleanup)
    return result


def folder_of(out: str | PathLike[str]) -> Path:
    """Return the folder as a path, or raise ``BasinError`` if it is none."""
    if not isinstance(out, str | PathLike):
        raise BasinError(f"out={out!r}: expected a path, found {type(out).__name__}")
    return Path(out)


class Stored:
    """Result whose files are in the folder ``folder``."""

    command: ClassVar[str]
    """Command that wrote the files."""
    folder: Path

    @in_python()
    def save(self, out: str | PathLike[str], overwrite: bool = False) -> Path:
        """Copy the files of the result to the folder ``out``, to use them in a later session.

        Parameters
        ----------
        out : str or Path
            Folder for the results. It must be new, empty, or hold earlier results of the same command.
        overwrite : bool, default False
            Replace files in ``out`` that the same command did not write. Other files stay.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        BasinError
            If the files are gone, or if files in ``out`` would be lost.
        """
        folder = folder_of(out)
        names = files_of(self.folder, self.command)
        if not names:
            raise BasinError(f"{self.folder} has no results of `basin {self.command}`; run it again")
        if folder.resolve() == self.folder.resolve():
            return folder
        earlier = files_of(folder, self.command)
        with (
            claim(folder, self.command, sorted({*names, *earlier}), overwrite),
            atomic_write(*(folder / name for name in names)) as targets,
        ):
            for name, target in zip(names, targets, strict=True):
                shutil.copyfile(self.folder / name, target)
        return folder
