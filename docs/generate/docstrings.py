"""Griffe extension that converts docstrings to Markdown."""

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:func|class|meth|mod|attr|exc|data):`~?([^`]+)`")
LITERAL_BLOCK = re.compile(r"::(?=\n\s*\n|\Z)")
TYPE = re.compile(r"^( *[*\w, ]+ : )(.+)$", re.MULTILINE)
SHAPE = re.compile(r",\sshape \(")
SPACE = "\N{NO-BREAK SPACE}"


def markdown(text: str) -> str:
    """Turn Sphinx roles into code, and the double colon before an indented block into a single one.

    No-break spaces keep Griffe from parsing a type such as ``Tensor, shape (B,)`` as a Python expression.
    """
    text = LITERAL_BLOCK.sub(":", ROLE.sub(r"`\1`", text))
    text = TYPE.sub(lambda match: match[1] + match[2].replace(", ", f",{SPACE}"), text)
    return SHAPE.sub(f",{SPACE}shape{SPACE}(", text)


class Markdown(Extension):
    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
