"""Run the tutorial and write its page with what it prints and draws: ``python docs/tutorial/render.py``.

The page is made from ``tutorial.py``. Lines that are comments become text, and all other lines become code.
Its function ``show(figure, name)`` saves a picture. Here it is replaced by one that also puts the picture on
the page.
"""

import contextlib
import io
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def cells(source: str) -> list[tuple[bool, str]]:
    """Split a script into ``(is_text, content)`` in order. Text lines lose their ``#``."""
    parts = []
    for is_text, group in groupby(source.splitlines(), key=lambda line: line == "#" or line.startswith("# ")):
        content = "\n".join(line[2:] if is_text else line for line in group).strip("\n")
        if content:
            parts.append((is_text, content))
    return parts


def render(out: Path) -> None:
    """Run all code in order in one namespace, and write ``README.md`` and its pictures to ``out``."""
    page: list[str] = []

    def show(figure: Any, name: str) -> None:
        figure.savefig(out / f"{name}.png", dpi=80, metadata={"Software": None})
        page.append(f"![{name}]({name}.png)")

    names: dict[str, Any] = {}
    for is_text, content in cells((HERE / "tutorial.py").read_text(encoding="utf-8")):
        if is_text:
            page.append(content)
            continue
        page.append(f"```python\n{content}\n```")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(content, "tutorial.py", "exec"), names)
        names["show"] = show
        if printed.getvalue():
            page.append(f"```text\n{printed.getvalue().rstrip()}\n```")
    (out / "README.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    render(HERE)
