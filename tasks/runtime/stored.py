"""Results of a command, which are files in a folder."""

import shutil
from os import PathLike
from pathlib import Path
from typing import ClassVar

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write
from tasks.runtime.outputs import claim, files_of


class Stored:
    """Result whose files are in the folder ``folder``."""

    command: ClassVar[str]
    """Command that wrote the files."""
    folder: Path

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
        folder = Path(out)
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
