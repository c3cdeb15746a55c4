"""What all commands share: ``--json``, ``--quiet``, examples in the help, and one-line errors of usage."""

import inspect
import re
import sys
from collections.abc import Callable
from shlex import quote
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from flows.cli.errors import NOTHING_CHANGED, one_line_errors, written_output
from tasks.runtime.errors import nearest

Function = TypeVar("Function", bound=Callable[..., None])

EXAMPLES = "\n\nExamples\n--------\n"
"""Heading of the examples in the docstring of a command, one on each line."""

HEADING = "Examples:\n"
"""Heading of the examples in the help."""

PLAIN = {
    "Missing": "missing",
    "Got unexpected extra argument(s)": "unexpected argument",
    "Invalid value for ": "",
    "Input should be": "expected",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "Value error, ": "",
}
"""Words of the messages of Typer and pydantic, and what is printed in their place."""

LISTS = ("--exog", "--peers", "--target", "--events")
"""Options that take several words, in the commands in which they may be repeated."""

LIST = re.compile(r",(?! )")
"""Comma between two words. A comma before a space is part of the name of a column, such as ``Price, USD``."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress: print only the result and errors.")]


def command(
    app: typer.Typer, name: str | None = None, kept: str = NOTHING_CHANGED
) -> Callable[[Function], Function]:
    """Register a function as a command of ``app``, with the options ``--json`` and ``--quiet``.

    The first argument of the function is a :class:`Display`, to which it prints. The others are the options
    of the command. ``kept`` is what the line of a stopped command says.
    """

    def register(function: Function) -> Function:
        def run(json: bool, quiet: bool, **options: Any) -> None:
            with one_line_errors(kept):
                from flows.cli.display import Display

                function(Display(json, quiet), **options)

        _, *own = inspect.signature(function).parameters.values()
        both = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
            for option, annotation in (("json", Json), ("quiet", Quiet))
        ]
        run.__signature__ = inspect.Signature([*own, *both])  # type: ignore[attr-defined]  # read by Typer
        run.__doc__ = function.__doc__
        app.command(name or function.__name__, cls=Command)(run)
        return function

    return register


class Command(TyperCommand):
    """Command whose help ends with the section *Examples* of its docstring.

    It accepts ``--exog A B`` and ``--exog A,B`` as well as ``--exog A --exog B``.
    """

    def __init__(self, *args: Any, help: str, epilog: None, **others: Any) -> None:
        text, _, examples = help.partition(EXAMPLES)
        shown = HEADING + "\n".join(f"  {line}" for line in examples.splitlines())
        super().__init__(*args, help=text, epilog=shown, **others)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        repeated = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        spread: list[str] = []
        option = None
        for word in args:
            if word.startswith("-"):
                option = word if word in LISTS and word in repeated else None
                if option is None:
                    spread.append(word)
            elif option:
                for name in filter(None, LIST.split(word)):
                    spread += [option, name]
            else:
                spread.append(word)
        return super().parse_args(ctx, spread)


class Group(TyperGroup):
    """Group of commands that reports an error of usage in one line on stderr, with exit code 2."""

    def main(self, *args: Any, **others: Any) -> Any:
        if not others.get("standalone_mode", True):
            return super().main(*args, **others)
        try:
            with written_output():
                code = super().main(*args, **(others | {"standalone_mode": False}))
        except typer.TyperException as error:
            if line := _one_line(error):  # after `basin` alone, the help is printed already
                typer.echo(f"basin: {line}", err=True)
            sys.exit(error.exit_code)
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:
        with written_output():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            ctx.fail(f"no command {args[0]}{nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


def _one_line(error: Any) -> str:
    """Return the message of an error of usage with a remedy: what was meant, an example, or the help.

    The example of a wrong value is one of the same option.
    """
    message = error.format_message().rstrip(".").replace("'", "").replace("\n", " ")
    for words, plain in PLAIN.items():
        message = message.replace(words, plain)
    if hasattr(error.__cause__, "errors"):  # of pydantic, whose message lacks the value
        given = str(error.__cause__.errors()[0]["input"])
        message = message.replace(": ", f" {quote(given)}: ", 1)
        message = message.replace(f": {given} is not one of", ": expected one of", 1)
    option = getattr(error, "option_name", None)
    parameter, context = getattr(error, "param", None), getattr(error, "ctx", None)
    if option and not hasattr(error, "possibilities"):
        return f"{option} needs a value; write it after {option}"
    shown = ""
    if option:
        message = f"no option {option}{nearest(option, error.possibilities or ())}"
    elif parameter is not None and message.startswith("missing"):
        meaning, *_ = re.split(r"\. (?=[A-Z])", parameter.help or "")
        message += f" ({meaning.rstrip('.')})"
    elif parameter is not None:
        shown = f" {parameter.opts[0]} "
    if not message or context is None or "did you mean" in message:
        return message
    _, _, examples = (context.command.epilog or "").partition(HEADING)
    if fitting := [example.strip() for example in examples.splitlines() if shown in example]:
        return f"{message}; for example `{fitting[0]}`"
    return f"{message}; see `{' '.join(('basin', *context.command_path.split()[1:]))} --help`"
