"""Stages of a command on a user's file as they are shown to the user, and how long they may take."""

import os
from collections.abc import Callable
from typing import Any, Protocol

from tasks.runtime.parallel import Progress, silent

START = 5.0
"""Seconds for imports, the audit of the file and the report."""

CLASSICAL, PEER, NETWORK = 1.5, 2.5, 0.28
"""Seconds of one core for 1,000 rows: the classical inputs, one model to compare with, and one network."""

YEAR, STEP, INTERVALS = 0.2, 0.02, 1.0
"""Seconds of an alarm: fits of a simulated year, its paths for each step, and intervals of one model."""

TILT, PATHS, SUMMARY, DENSITY = 0.6, 0.3, 0.55, 0.05
"""Seconds of a series in joint paths: tilt for 1,000 rows, window, and scores or density of a lead."""

VOLATILITY, COPULA, DRAWN = 0.06, 0.5, 2.5
"""Seconds of a series in a refit of joint densities: marginal, copula and tilt, and peers with scores."""

CORES = 4
"""Cores from which on more do not shorten a run much."""


class Stages(Protocol):
    """Runs named stages. It is called as ``stages(name, run)``, where ``run(progress)`` does the work."""

    def expect(self, seconds: float) -> None:
        """Receive the expected duration of all stages together."""

    def __call__(self, name: str, run: Callable[[Progress], Any]) -> None: ...


class _WithoutProgress:
    def expect(self, seconds: float) -> None: ...

    def __call__(self, name: str, run: Callable[[Progress], Any]) -> None:
        run(silent)


without_progress: Stages = _WithoutProgress()
"""Runs stages without showing their progress."""


def expected_seconds(rows: int, peers: int, networks: int) -> float:
    """Return about how long a forecast (without ``peers``) or a backtest takes on this machine.

    The rule of thumb was measured on daily closes and monthly levels. It serves the message at the beginning
    of a run and nothing else.

    Parameters
    ----------
    rows : int
        Rows of all series together, times the number of steps ahead.
    peers : int
        Number of models to compare with.
    networks : int
        Number of networks, that is seeds times capacities.

    Examples
    --------
    >>> expected_seconds(0, 0, 15)
    5.0
    """
    work = rows / 1000 * (CLASSICAL + PEER * peers + NETWORK * networks)
    return START + work / min(os.cpu_count() or 1, CORES)


def expected_alarm_seconds(years: int, steps: int, models: int) -> float:
    """Return about how long an alarm takes, which computes on one core.

    The rule of thumb was measured on 10 to 20 years of daily closes.

    Parameters
    ----------
    years : int
        Number of years that are simulated.
    steps : int
        Number of steps of the event.
    models : int
        Number of models that are scored.

    Examples
    --------
    >>> expected_alarm_seconds(0, 21, 0)
    5.0
    """
    return START + years * (YEAR + STEP * steps) + models * INTERVALS


def expected_paths_seconds(rows: int, series: int, leads: int, windows: int = 0) -> float:
    """Return about how long a forecast, or a backtest on ``windows``, of joint paths takes on one core.

    The rule of thumb was measured on daily closes of 1 to 30 series.

    Parameters
    ----------
    rows : int
        Dates to which the tilt is fitted.
    series : int
        Number of series.
    leads : int
        Number of steps ahead that are described.
    windows : int, default 0
        Number of windows of the test block.

    Examples
    --------
    >>> expected_paths_seconds(0, 0, 5)
    5.0
    """
    described = series * leads * (SUMMARY if windows else DENSITY)
    return START + rows / 1000 * TILT * (1 + series) + windows * series * PATHS + described


def expected_panel_seconds(series: int, refits: int, tested: int = 0) -> float:
    """Return about how long a joint forecast, or a backtest of ``tested`` refits, takes on this machine.

    The rule of thumb was measured on daily closes of 12 and 28 series.

    Parameters
    ----------
    series : int
        Number of series.
    refits : int
        Number of refits.
    tested : int, default 0
        Number of refits that are scored.

    Examples
    --------
    >>> expected_panel_seconds(0, 3)
    5.0
    """
    work = series * (refits * (VOLATILITY + COPULA) + tested * DRAWN)
    return START + work / min(os.cpu_count() or 1, CORES)
