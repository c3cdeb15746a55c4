"""Reference page of the command line, generated from the Typer application."""

from typing import Any

import typer
import typer.main

from flows.cli.app import app
from flows.cli.command import HEADING

INTRODUCTION = """# Command line

All commands of `basin` with their arguments and options, as printed by `basin COMMAND --help`. The guides
explain the commands by example, starting with [Your own file](../../docs/guides/own-files.md).

A command prints its result on standard output, and its progress and errors on standard error. Every command
but `basin serve` has two more options. With `--json`, the result is printed as JSON and nothing else. It is
the content of the JSON file that the command writes, if it writes one: `forecast.json`, `scores.json` (for
`basin run`, by the name of the domain or application), `alarm.json`, `audit.json` or `validation.json`. With
`--quiet`, no progress is shown. A table is as wide as it needs to be in a file or a pipe. `NO_COLOR=1` turns
colours off.

An error is one line that begins with `basin: ` and says what to do. These commands end with exit code 1 if a
check of the data failed, after they printed the result: `basin audit`, `basin validate`, and `basin inspect`
if the file cannot be forecast.
"""

SHARED = {"--json", "--quiet"}
"""Options of every command, described in the introduction."""


def page() -> str:
    return "\n".join([INTRODUCTION, *_sections(typer.main.get_command(app), "basin")])


def _sections(command: Any, path: str) -> list[str]:
    """Return the sections of a command, with its examples and options, and of its subcommands."""
    commands = getattr(command, "commands", {})
    context = command.make_context(path, [], resilient_parsing=True)
    arguments = [p.name.upper() for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *arguments, *(["COMMAND"] if commands else []), "[OPTIONS]"])
    section = [f"## `{path}`", "", *_plain(command.help or ""), "", "```text", usage, "```", ""]
    if command.epilog:
        _, heading, examples = command.epilog.rpartition(HEADING)
        lines = [line.removeprefix("  ") for line in examples.splitlines()]
        section += ["```bash" if heading else "```text", *lines, "```", ""]
    shown = [parameter for parameter in command.params if not SHARED & set(parameter.opts)]
    records = [parameter.get_help_record(context) for parameter in shown]
    if rows := [_row(*record) for record in records if record]:
        section += ["| option | type | meaning |", "|---|---|---|", *rows, ""]
    for name, inner in commands.items():
        section += _sections(inner, f"{path} {name}")
    return section


def _row(declaration: str, meaning: str) -> str:
    name, _, kind = declaration.partition(" ")
    kind = kind.strip("<>")
    return f"| `{name}` | {f'`{kind}`' if kind else 'flag'} | {' '.join(_plain(meaning))} |"


def _plain(text: str) -> list[str]:
    """Return the lines of a help text, with characters escaped that are markup in Markdown or HTML."""
    return [
        line.strip().replace("<", "&lt;").replace("|", "\\|").replace("*", "\\*")
        for line in text.splitlines()
    ]
