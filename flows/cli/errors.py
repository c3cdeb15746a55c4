"""How a command ends: one line for what a user can mend, and nothing left running when it is stopped."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer

from tasks.runtime.errors import BasinError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can mend ends as one line on stderr and exit code 1, never as a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        yield
    except BasinError as error:
        for line in str(error).splitlines():
            typer.echo(f"basin: {line}", err=True)
        sys.exit(1)


def _stop(number: int, _frame: Any) -> None:
    """End at once, with the processes that this one started: outputs appear whole or not at all."""
    import psutil

    # Prefect and Ray would otherwise wait for servers that the same Ctrl-C has ended.
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    for child in psutil.wait_procs(children, timeout=3)[1]:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os.write(2, b"\nbasin: stopped; finished stages are kept\n")
    os._exit(128 + number)
