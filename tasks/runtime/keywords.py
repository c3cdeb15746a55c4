"""Error messages for Python, in which the options of the command line are keywords."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.runtime.errors import BasinError

OPTIONS = (
    "accept", "calendar", "data", "dev", "epochs", "event", "events", "exog", "freq", "horizon", "jointly",
    "kind", "leads", "max-false-alarms-per-year", "model", "on-bad-row", "out", "overwrite", "peers", "refit",
    "resample", "seed", "seeds", "series", "spec", "strict", "target", "targets", "test-from", "test-to",
    "time", "until", "variable", "weights", "width",
)  # fmt: skip
"""Options of the command line that are keywords in Python."""

FLAGS = ("dev", "jointly", "overwrite", "strict")
"""Options without a value, which are True in Python."""

NUMBERS = ("epochs", "horizon", "max-false-alarms-per-year", "refit", "seed", "seeds", "width")
"""Options whose value is a number."""

QUOTED = r"""'[^']*'(?:"'"'[^']*')*"""
"""Word that needs quotes in a shell, as :func:`shlex.quote` writes it."""

WORD = rf"""(?:{QUOTED}|[^\s'"\\]+)"""
STEP = r"(?:\d*(?:min|h)|[A-Z]+(?:-[A-Z]+)?)\b"
VALUES = {
    "accept": r'[\w-]+="[^"\\]*"',
    "exog": rf"(?<=pass --exog ){WORD}(?: {WORD})*?(?=, or )",
    "freq": STEP,
    "kind": r"(?:price|return|rate|level)\b",
    "leads": r"[\d,]*\d",
    "model": rf"{WORD}(?= (?:is not|was) )",
    "on-bad-row": r"(?:stop|drop|interpolate)\b",
    "resample": STEP,
    "series": rf"(?<=pass --series ){WORD}",
    "targets": r"all\b",
    "test-from": r"\d{4}-\d\d-\d\d",
    "test-to": r"\d{4}-\d\d-\d\d",
}
"""Values of options within a sentence. A quoted word and one before a colon are always values."""

VERBATIM = r"""`[^`]*`|(?<!\w)'[^']*'(?!\w)|(?<!\w)"[^"]*"(?!\w)"""
"""Commands and quoted texts, such as names of columns, which have no keywords."""

OPTION = re.compile(
    rf"(?P<verbatim>{VERBATIM})|(?P<not>(?:omit|without) )?(?<![^\s(])"
    rf"--(?P<name>{'|'.join(OPTIONS)})(?![\w/-]|\.\w)(?: (?P<value>"
    + "|".join(f"(?<=--{name} )(?:{value})" for name, value in VALUES.items())
    + rf"|{QUOTED}|{WORD}(?=: ))(?P<further>(?= --))?)?"
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
    if found["verbatim"]:
        return found["verbatim"]
    before = f"{found['not'] or ''}{name.replace('-', '_')}="
    if value is None:
        return before + ("True" if name in FLAGS and not found["not"] else "")
    return before + _literal(name, shlex.split(value)) + ("" if found["further"] is None else ",")


def _literal(name: str, words: list[str]) -> str:
    """Return the value of an option, which is one word or several, as it is written in Python."""
    if name == "accept":
        check, _, reason = words[0].partition("=")
        return f"{{{_text(check)}: {_text(reason or '...')}}}"
    if name == "leads":
        return f"[{', '.join(words[0].split(','))}]"
    if len(words) > 1:
        return f"[{', '.join(map(_text, words))}]"
    return words[0] if name in NUMBERS else _text(words[0])


def _text(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
