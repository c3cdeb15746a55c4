"""Parallel computation on Ray: run independent units and return their results in order."""

import ctypes
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.runtime.errors import BasinError

Progress = Callable[[str, int, int], None]
"""Progress callback of long computations, called as ``progress(label, done, total)``."""

ROOT = Path(__file__).resolve().parents[2]
STARTING = 5.0
"""Seconds that Ray takes to start on this machine. Units are computed here if Ray would not save as many."""

RETRIES = 3
"""Number of restarts of a unit whose worker or node died. An exception of the unit itself is not retried."""

_starting = threading.Lock()


def silent(label: str, done: int, total: int) -> None:
    """Ignore progress. This is the default progress callback."""


def connect() -> None:
    """Connect to the cluster at ``RAY_ADDRESS``, or start Ray on this machine without a dashboard.

    Further calls do nothing. Raises ``BasinError`` if Ray cannot be used.

    On Linux the processes of Ray end with the *thread* that started them, and the threads of a Prefect flow
    are short-lived. Ray is therefore started by a thread that stays until the process ends.
    """
    # In a notebook it asks for ipywidgets on import, of which nothing here makes use.
    logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)
    import ray

    address = os.environ.get("RAY_ADDRESS")
    failures: list[Exception] = []
    started = threading.Event()

    def host() -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address:
            # The nodes of a cluster need only the installed packages: Ray sends them the project's code.
            options["runtime_env"] = {"py_modules": [str(ROOT / name) for name in ("ebm_core", "tasks")]}
        else:
            options |= {"include_dashboard": False, "num_cpus": os.cpu_count()}
        try:
            _knock(address)
            with _handler_of_sigterm_kept():
                ray.init(address or "local", **options)
        except Exception as failure:
            failures.append(failure)
        started.set()
        threading.Event().wait()

    with _starting:
        if ray.is_initialized():
            return
        threading.Thread(target=host, name="ray", daemon=True).start()
        started.wait()
    if failures:
        where = address or "this machine"
        reason = " ".join(str(failures[0]).split())[:200]
        raise BasinError(
            f"cannot use Ray at {where}: {reason}; check RAY_ADDRESS, or unset it to start Ray here"
        ) from failures[0]


@contextmanager
def _handler_of_sigterm_kept() -> Iterator[None]:
    """Restore the process's handler of SIGTERM, which Ray replaces by one that prints a dump and ends.

    Python can set handlers only in the main thread; the function of the system can in any.
    """
    if os.name != "posix":
        yield
        return
    system, handler = ctypes.CDLL(None), ctypes.create_string_buffer(256)  # larger than `struct sigaction`
    system.sigaction(signal.SIGTERM, None, handler)
    try:
        yield
    finally:
        system.sigaction(signal.SIGTERM, handler, None)


def disconnect() -> None:
    """Disconnect from Ray if :func:`connect` was called."""
    if _ray_runs():
        sys.modules["ray"].shutdown()


def _ray_runs() -> bool:
    """Return whether this process is connected to Ray. Another thread may be importing it just now."""
    return bool(getattr(sys.modules.get("ray"), "is_initialized", bool)())


def _knock(address: str | None) -> None:
    """Raise ``OSError`` if nothing answers at HOST:PORT, where Ray itself would wait for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def run_units(
    function: Callable[..., Any],
    units: Sequence[tuple[Any, ...]],
    label: str,
    progress: Progress = silent,
    gpus: float = 0.0,
    seconds: float = 0.0,
) -> list[Any]:
    """Compute ``[function(*unit) for unit in units]``, here or on Ray, with one thread per unit.

    The units are computed here, in the main thread, as long as Ray would take longer to start than it would
    save, unless it runs already or ``RAY_ADDRESS`` names a cluster. ``seconds`` is about how long a unit
    takes; by default it is measured, from the first unit on. The result of a unit depends only on its
    arguments, so it does not change with the place, with the number of workers, or if the unit runs again
    because its worker or node died. ``gpus`` is the share of a GPU that each unit takes if the cluster has
    GPUs. An exception of a unit is raised again. Raises ``BasinError`` if a unit's worker died
    ``RETRIES`` + 1 times.
    """
    results: list[Any] = []
    progress(label, 0, len(units))
    began = time.monotonic()
    while len(results) < len(units) and not _ray_pays(len(units) - len(results), seconds):
        results.append(single_threaded(function, units[len(results)]))
        seconds = (time.monotonic() - began) / len(results)
        progress(label, len(results), len(units))
    rest = units[len(results) :]
    return results + (_on_ray(function, rest, label, progress, gpus, len(results)) if rest else [])


def _ray_pays(count: int, seconds: float) -> bool:
    """Return whether ``count`` units of so many seconds end earlier on Ray than here."""
    if os.environ.get("RAY_ADDRESS") or _ray_runs():
        return True
    if threading.current_thread() is not threading.main_thread():
        return True  # the number of threads of a computation is one for the whole process
    rounds = -(-count // (os.cpu_count() or 1))
    return (count - rounds) * seconds > STARTING


def _on_ray(
    function: Callable[..., Any],
    units: Sequence[tuple[Any, ...]],
    label: str,
    progress: Progress,
    gpus: float,
    before: int,
) -> list[Any]:
    """Compute units on Ray, ``before`` of them being done already."""
    import ray

    connect()
    available = ray.cluster_resources().get("GPU", 0)
    options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus if available else 0, "max_retries": RETRIES}
    remote = ray.remote(**options)(single_threaded)
    results: list[Any] = [None] * len(units)
    waiting = deque(enumerate(units))
    running: dict[Any, int] = {}
    while waiting or running:
        # Two units a core, and none in advance, so that after a failure nothing has to be cancelled: Ray ends
        # this process if it cancels a task just as a worker takes it.
        while waiting and len(running) < 2 * ray.cluster_resources().get("CPU", 1):
            i, unit = waiting.popleft()
            running[remote.remote(function, unit)] = i
        (ready, *_), _rest = ray.wait(list(running), num_returns=1)
        try:
            results[running.pop(ready)] = ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:200]
            raise BasinError(
                f"{label}: a worker died {RETRIES + 1} times ({reason}); check the memory of the machine"
            ) from error
        done = len(units) - len(waiting) - len(running)
        progress(label, before + done, before + len(units))
    return results


def single_threaded(function: Callable[..., Any], unit: tuple[Any, ...]) -> Any:
    """Compute ``function(*unit)`` with one thread, as :func:`run_units` does, for bitwise equal results."""
    from threadpoolctl import threadpool_limits

    if "torch" in sys.modules:
        import torch

        torch.get_num_threads()  # initialises torch's thread count, which would otherwise undo the limit
    with threadpool_limits(1):
        return function(*unit)
