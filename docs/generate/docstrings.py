"""Extension of Griffe: turns the reStructuredText of docstrings into Markdown."""

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:func|class|meth|mod|attr|exc|data):`~?([^`]+)`")
LITERAL_BLOCK = re.compile(r"::(?=\n\s*\n|\Z)")


def markdown(text: str) -> str:
    """Roles become code, and the double colon before an indented block becomes a single one."""
    return LITERAL_BLOCK.sub(":", ROLE.sub(r"`\1`", text))


class Markdown(Extension):
    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
