"""Errors of standard output end a command in one line or none, and those of other files are not hidden."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import socket, typer
from flows.cli.command import Group, command

app = typer.Typer(cls=Group, pretty_exceptions_enable=False)

@app.callback()
def group():
    pass

@command(app)
def talk(display):
    '''Talk to a program that has ended.

    Examples
    --------
    basin talk
    '''
    near, far = socket.socketpair()
    far.close()
    near.send(b"words")

@command(app)
def store(display):
    '''Store words.

    Examples
    --------
    basin store
    '''
    with open("/dev/full", "w") as result:
        result.write("words")

@command(app)
def find(display):
    '''Find words.

    Examples
    --------
    basin find
    '''
    open("no such file")

@command(app)
def show(display):
    '''Show words.

    Examples
    --------
    basin show
    '''
    print("words " * 10_000)

app()
"""


def run(command: str, shell: str = "", **others: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of ``SCRIPT``, whose output the words of a shell redirect."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | others.pop("env", {})
    words = ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, "-c", SCRIPT, command]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | others
    return subprocess.run(words, env=environment, text=True, **streams)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("talk", "ConnectionError: a connection was closed by the other side"),
        ("store", "OSError: [Errno 28] No space left on device"),
    ],
)
def test_an_error_of_another_file_is_not_taken_for_one_of_the_output(command: str, error: str) -> None:
    done = run(command)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == error
    assert "cannot write the output" not in done.stderr


def test_an_error_of_another_file_writes_nothing_to_the_output() -> None:
    done = run("find")
    assert done.stdout == "" and "No such file or directory: 'no such file'" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_ends_with_one_line_or_none(unbuffered: str) -> None:
    environment = {"PYTHONUNBUFFERED": unbuffered}
    reader, writer = os.pipe()
    os.close(reader)
    ended = run("show", stdout=writer, env=environment)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")
    full = run("show", ">/dev/full", env=environment)
    assert full.returncode == 1
    assert full.stderr == (
        "basin: cannot write the output: No space left on device; free some space, or write it to another "
        "place\n"
    )


@pytest.mark.parametrize("command", ["show", "--help"])
def test_an_output_that_is_closed_is_no_error(command: str) -> None:
    done = run(command, ">&-")
    assert (done.returncode, done.stderr) == (0, "")
