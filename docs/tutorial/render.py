"""Run the walk and write it as a page with what it printed and drew: ``python docs/tutorial/render.py``.

Comments that begin a block of ``walk.py`` are text, all else is code. In place of the page's own
``show(figure, name)``, which saves a picture, one here puts it on the page too.
"""

import contextlib
import io
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def cells(source: str) -> list[tuple[bool, str]]:
    """``(is text, content)`` in order: text lines without their ``#``, code as it is."""
    found, lines = [], source.splitlines()
    for text, group in groupby(lines, key=lambda line: line == "#" or line.startswith("# ")):
        body = [line[2:] if text else line for line in group]
        content = "\n".join(body).strip("\n")
        if content:
            found.append((text, content))
    return found


def render(out: Path) -> None:
    """Run every cell in order in one namespace; page and pictures are written to ``out``."""
    page: list[str] = []

    def show(figure: Any, name: str) -> None:
        figure.savefig(out / f"{name}.png", dpi=80, metadata={"Software": None})
        page.append(f"![{name}]({name}.png)")

    names: dict[str, Any] = {}
    for text, content in cells((HERE / "walk.py").read_text(encoding="utf-8")):
        if text:
            page.append(content)
            continue
        page.append(f"```python\n{content}\n```")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(content, "walk.py", "exec"), names)
        names["show"] = show
        if printed.getvalue():
            page.append(f"```text\n{printed.getvalue().rstrip()}\n```")
    (out / "README.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    render(HERE)
