"""Notebooks: their run, which stores the outputs, and the pages of the site that show them.

``python docs/generate/notebooks.py`` runs every notebook of ``docs/notebooks`` and stores its outputs,
without Jupyter.
"""

import ast
import base64
import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "notebooks"

DISPLAYS = {"text/html": "_repr_html_", "image/png": "_repr_png_", "text/plain": "__repr__"}
"""Methods that show a value, by the type of what they return."""

STYLE = re.compile(r"<style scoped>.*?</style>\s*", re.DOTALL)
"""Style that pandas writes in each table, in place of which the site has its own."""


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with the outputs of its code cells, which share one namespace."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            outputs = _outputs("".join(cell["source"]), names, count)
            cell = cell | {"execution_count": count, "outputs": outputs}
        cells.append(cell)
    return notebook | {"cells": cells}


def _outputs(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Run a cell, and return what it prints and the value of its last expression."""
    tree, value = ast.parse(source), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    outputs: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, f"<cell {count}>", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"<cell {count}>", "eval"), names)
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None:
        outputs.append(
            {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": _data(value)}
        )
    return outputs


def _data(value: Any) -> dict[str, Any]:
    """Return a value in every type in which it can be shown."""
    found = {}
    for mime, method in DISPLAYS.items():
        content = getattr(value, method)() if hasattr(value, method) else None
        if isinstance(content, bytes):
            found[mime] = base64.b64encode(content).decode()
        elif content is not None:
            found[mime] = content.splitlines(keepends=True)
    return found


def page(notebook: dict[str, Any], name: str) -> str:
    """Return the page of a notebook, with its stored outputs, and a link to the file ``name``."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [_shown(output) for output in cell["outputs"]]
    parts.append(f'This page is the notebook <a href="{name}" download>{name}</a> with its outputs.')
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any]) -> str:
    """Return an output as Markdown: a picture, a table in HTML or text."""
    data = output.get("data", {"text/plain": output.get("text")})
    if "image/png" in data:
        return f"![Output of the cell above](data:image/png;base64,{data['image/png']})"
    if "text/html" in data:
        return f'<div class="output">{STYLE.sub("", "".join(data["text/html"]))}</div>'
    return "````text\n" + "".join(data["text/plain"]).rstrip() + "\n````"


def pages() -> dict[str, str]:
    """Return the page of each notebook by its path in ``docs/``."""
    return {
        f"notebooks/{path.stem}.md": page(read(path), path.name) for path in sorted(FOLDER.glob("*.ipynb"))
    }


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for path in sorted(FOLDER.glob("*.ipynb")):
        done = run(read(path))
        path.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
