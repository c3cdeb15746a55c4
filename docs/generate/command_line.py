"""Reference page of the command line, generated from the Typer application."""

from typing import Any

import typer
import typer.main

from flows.cli.app import app

INTRODUCTION = """# Command line

All commands of `basin` with their arguments and options, as printed by `basin COMMAND --help`. If an error
can be corrected by the user, a command prints one line on standard error and ends with exit code 1. The
guides explain the commands by example, starting with [Your own file](../../docs/guides/own-files.md).
"""


def page() -> str:
    return "\n".join([INTRODUCTION, *_sections(typer.main.get_command(app), "basin")])


def _sections(command: Any, path: str) -> list[str]:
    """Return heading, usage, help and options of a command, followed by those of its subcommands."""
    commands = getattr(command, "commands", {})
    context = command.make_context(path, [], resilient_parsing=True)
    arguments = [p.name.upper() for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *arguments, *(["COMMAND"] if commands else []), "[OPTIONS]"])
    section = [f"## `{path}`", "", *_plain(command.help or ""), "", "```text", usage, "```", ""]
    records = [parameter.get_help_record(context) for parameter in command.params]
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
