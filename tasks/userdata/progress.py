"""Stages of a command on a user's file as they are shown to the user, and how long they may take."""

import os
from collections.abc import Callable
from typing import Any, Protocol

from tasks.runtime.parallel import Progress, silent

START = 5.0
"""Seconds for imports, the audit of the file and the report."""

CLASSICAL, PEER, NETWORK = 1.5, 2.5, 0.28
"""Seconds of one core for 1,000 rows: the classical inputs, one model to compare with, and one network."""

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
