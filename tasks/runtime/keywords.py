"""Error messages for Python, in which the options of the command line are keywords."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.runtime.errors import BasinError

FLAGS = ("dev", "overwrite", "strict")
"""Options without a value, which are True in Python."""

STEP = r"\d*(?:min|h)\b|[A-Z]+\b(?:-[A-Z]+)?"
VALUES = {
    "accept": r'[\w-]+="?[^":]+"?',
    "event": r"[^:]+(?=: )",
    "events": r"[^:]+(?=: )",
    "exog": r"(?<=pass --exog )[^;]+?(?=,? or |; | and |$)",
    "freq": STEP,
    "kind": r"price|return|rate|level",
    "leads": r"[\d,]+",
    "model": r"\S+(?= (?:is not|was) )",
    "on-bad-row": r"stop|drop|interpolate",
    "resample": STEP,
    "series": r"(?<=pass --series )\S+",
    "targets": r"all",
    "test-from": r"\d{4}-\d\d-\d\d",
    "test-to": r"\d{4}-\d\d-\d\d",
}
"""Values of options within a sentence. A word between an option and a colon is always its value."""

OPTION = re.compile(
    r"(?P<command>`[^`]*`)|(?P<not>(?:omit|without) )?(?<![\w-])--(?P<name>[a-z]+(?:-[a-z]+)*)(?: (?P<value>"
    + "|".join(f"(?<=--{name} )(?:{value})" for name, value in VALUES.items())
    + r"|[^\s:]*(?=: ))(?P<further>(?= --))?)?"
)


@contextmanager
def in_python() -> Iterator[None]:
    """Name options as keywords, such as ``test_from=``, in the message of a ``BasinError`` of the block."""
    try:
        yield
    except BasinError as error:
        error.args = (with_keywords(str(error)),)
        raise


def with_keywords(message: str) -> str:
    """Return a message with the keywords of Python in place of the options of the command line.

    Examples
    --------
    >>> with_keywords("give the column as --time, or pass --kind price --on-bad-row drop to leave it out")
    'give the column as time=, or pass kind="price", on_bad_row="drop" to leave it out'
    >>> with_keywords("--leads 3,3: expected different numbers of steps, each 1 or more")
    'leads=[3, 3]: expected different numbers of steps, each 1 or more'
    """
    return OPTION.sub(_with_keyword, message)


def _with_keyword(found: "re.Match[str]") -> str:
    name, value = found["name"], found["value"]
    if found["command"]:
        return found["command"]
    before = f"{found['not'] or ''}{name.replace('-', '_')}="
    if value is None:
        return before + ("True" if name in FLAGS and not found["not"] else "")
    return before + _literal(name, value) + ("" if found["further"] is None else ",")


def _literal(name: str, value: str) -> str:
    """Return the value of an option as it is written in Python."""
    if name == "accept":
        check, _, reason = value.partition("=")
        return f'{{"{check}": "{reason.strip(chr(34)) or "..."}"}}'
    if name == "leads":
        return f"[{', '.join(value.split(','))}]"
    if name == "exog" and len(columns := shlex.split(value)) != 1:
        return f"[{', '.join(_literal('', column) for column in columns)}]"
    return value if re.fullmatch(r"-?\d+(\.\d+)?", value) else f'"{value}"'
