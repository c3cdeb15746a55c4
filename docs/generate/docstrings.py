"""Extension of Griffe: prepares docstrings for Markdown."""

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:func|class|meth|mod|attr|exc|data):`~?([^`]+)`")
LITERAL_BLOCK = re.compile(r"::(?=\n\s*\n|\Z)")
TYPE = re.compile(r"^( *[*\w, ]+ : )(.+)$", re.MULTILINE)
SHAPE = re.compile(r",\sshape \(")
SPACE = "\N{NO-BREAK SPACE}"


def markdown(text: str) -> str:
    """Turn roles into code, and the double colon before an indented block into a single one.

    A no-break space keeps Griffe from reading ``Tensor, shape (B,)`` as a tuple and a call of Python.
    """
    text = LITERAL_BLOCK.sub(":", ROLE.sub(r"`\1`", text))
    text = TYPE.sub(lambda match: match[1] + match[2].replace(", ", f",{SPACE}"), text)
    return SHAPE.sub(f",{SPACE}shape{SPACE}(", text)


class Markdown(Extension):
    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
