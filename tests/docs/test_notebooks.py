"""Notebooks run from the first cell to the last, and their pages show the stored outputs."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NAMES = ("alarm", "el-nino", "returns")


@pytest.fixture
def notebooks(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(project_root / "docs/generate"))
    return importlib.import_module("notebooks")


def code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def kinds(notebook: dict[str, Any]) -> list[list[list[str]]]:
    """Return the types in which each output of each cell is shown."""
    return [[sorted(output.get("data", ["text"])) for output in cell["outputs"]] for cell in code(notebook)]


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_shown_with_its_output(notebooks: ModuleType, name: str) -> None:
    notebook = notebooks.read(notebooks.FOLDER / f"{name}.ipynb")
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    cells = code(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    page = notebooks.pages()[f"notebooks/{name}.md"]
    assert all(cell["outputs"] for cell in cells)
    assert page.count("```python\n") == len(cells) and "data:image/png;base64," in page
    assert "<style scoped>" not in page and f'<a href="{name}.ipynb" download>' in page


def test_a_cell_shows_what_it_prints_and_its_last_value(notebooks: ModuleType) -> None:
    def cell(source: str) -> dict[str, Any]:
        return {"cell_type": "code", "id": source, "metadata": {}, "source": [source], "outputs": []}

    cells = [cell("x = 2"), cell("print('a')\nx * 3")]
    done = notebooks.run({"cells": [{"cell_type": "markdown", "source": ["# A"]}, *cells], "nbformat": 4})
    first, second = code(done)
    assert first["outputs"] == []
    assert [output["output_type"] for output in second["outputs"]] == ["stream", "execute_result"]
    page = notebooks.page(done, "a.ipynb")
    assert page.startswith("# A\n\n```python\nx = 2\n```\n") and "````text\na\n````" in page
    assert "````text\n6\n````" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_has_outputs_of_the_stored_kinds(notebooks: ModuleType, name: str) -> None:
    notebook = json.loads((notebooks.FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert kinds(notebooks.run(notebook)) == kinds(notebook)
