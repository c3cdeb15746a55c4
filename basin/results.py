"""Folders of results: those of a call without ``out``, and those of an earlier call."""

import weakref
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar, Union

if TYPE_CHECKING:
    from tasks.userdata.alarm import Alarm
    from tasks.userdata.audit import Audit
    from tasks.userdata.results import Backtest, Forecast

R = TypeVar("R")


def in_folder(out: str | PathLike[str] | None, run: Callable[[Path], R]) -> R:
    """Return ``run(folder)`` for the folder ``out``, or for one that is deleted with the result."""
    if out is not None:
        return run(Path(out))
    folder = TemporaryDirectory(prefix="basin-")
    try:
        result = run(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(result, folder.cleanup)
    return result


def load(out: str | PathLike[str]) -> Union["Backtest", "Forecast", "Alarm", "Audit"]:
    """Return the result of an earlier backtest, forecast, alarm or audit from its folder.

    Results of the command line can be loaded too.

    Parameters
    ----------
    out : str or Path
        Folder that was given as ``out``.

    Returns
    -------
    Backtest, Forecast, Alarm or Audit
        The same result as the call returned.

    Raises
    ------
    BasinError
        If the folder has no results, or those of several commands.

    Examples
    --------
    >>> import basin
    >>> basin.forecast("prices.csv", target="close", out="out/tomorrow")  # doctest: +SKIP
    >>> basin.load("out/tomorrow").quantiles  # doctest: +SKIP
    """
    from tasks.userdata.loading import load_results

    return load_results(Path(out))
