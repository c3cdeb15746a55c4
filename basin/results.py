"""Results of an earlier call."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Union

from tasks.runtime.keywords import in_python

if TYPE_CHECKING:
    from tasks.userdata.alarm import Alarm
    from tasks.userdata.audit import Audit
    from tasks.userdata.backtest_result import Backtest
    from tasks.userdata.forecast_result import Forecast


@in_python()
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
