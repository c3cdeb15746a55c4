"""Errors and signals of a command: one-line messages, and no child process left running."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import typer

from tasks.runtime.errors import BasinError

NOTHING_CHANGED = "no result was changed"
STAGES_KEPT = "finished stages are kept"
OUTPUT = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Errors of writing, which do not tell the file."""

FROM_THE_FIRST = "the next run begins with the first stage"


@contextmanager
def one_line_errors(kept: str = NOTHING_CHANGED) -> Iterator[None]:
    """Report a ``BasinError`` as one line on stderr with exit code 1 instead of a traceback.

    ``kept`` is what the line of a stopped command says.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_stop, kept))
    try:
        yield
    except BasinError as error:
        for line in str(error).splitlines():
            typer.echo(f"basin: {line}", err=True)
        sys.exit(1)


@contextmanager
def written_output() -> Iterator[None]:
    """Write what was printed; end with exit code 1 if standard output cannot be written to.

    One line on stderr says why, but not if the program that read the output, such as ``head``, has ended.
    """
    try:
        yield
    except OSError as error:
        if error.errno in OUTPUT and error.filename is None:
            _flush("\n")  # fails again if the error is that of standard output, which may have no buffer
        if error.errno == errno.EPIPE:  # Typer would end without a message
            raise ConnectionError("a connection was closed by the other side") from error
        raise
    finally:
        _flush()


def _flush(ending: str = "") -> None:
    if sys.stdout is None:  # closed, as by `>&-` in a shell
        return
    try:
        sys.stdout.write(ending)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest at its exit
        if error.errno != errno.EPIPE:
            remedy = "free some space, or write it to another place"
            typer.echo(f"basin: cannot write the output: {error.strerror}; {remedy}", err=True)
        sys.exit(1)


def _stop(kept: str, number: int, _frame: Any) -> None:
    """End this process and its children at once, without temporary files of theirs.

    That is safe because outputs are written atomically.
    """
    import psutil

    from tasks.runtime.files import clean_up

    terminal = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # Ray prints errors of the tasks that end here
    # Prefect and Ray would otherwise wait for servers that received the same Ctrl-C and have ended.
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    for child in psutil.wait_procs(children, timeout=3)[1]:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    clean_up()  # `finally` is not reached below
    # A terminal has an unfinished line, beside whose progress bar Rich hides the cursor.
    ending = "\x1b[?25h\n" if os.isatty(terminal) else ""
    os.write(terminal, f"{ending}basin: stopped; {kept}\n".encode())
    os._exit(128 + number)
