"""The pages that ``docs/generate`` writes, and the links of all pages."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.tracked import tracked

LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@pytest.fixture
def generator(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports a module of ``docs/generate``."""
    monkeypatch.syspath_prepend(str(project_root / "docs/generate"))
    return importlib.import_module


def test_every_command_and_its_options_are_on_the_page(generator) -> None:
    page = generator("command_line").page()
    assert "\n## `basin field fill`\n" in page
    assert "`--max-false-alarms-per-year`" in page
    assert "\nbasin stage STAGE [OPTIONS]\n" in page


def test_every_parameter_is_on_the_page_with_its_limits(generator, project_root: Path) -> None:
    page = generator("parameters").page(project_root)
    assert "| `validation_share` | number, > 0, < 1 |" in page
    assert "| `refit` | integer, ≥ 1 |" in page and "| required | `63` | `12` |" in page
    assert "\n## An entry of `waive`\n" in page


def test_every_part_of_a_schema_is_on_its_page(generator, project_root: Path) -> None:
    schemas = generator("schemas")
    pages = {path: schemas.page(project_root / path) for path in schemas.PAGES.values()}
    assert set(pages) == {f"docs/{path.name}" for path in (project_root / "docs").glob("*.schema.json")}
    scores = pages["docs/scores.schema.json"]
    assert "| `var.*.kupiec_p` | number, ≥ 0, ≤ 1 |" in scores
    assert "| `test` | list of 2 dates | yes |" in scores
    forecast = pages["docs/forecast.schema.json"]
    assert "| `steps` | list of [step](#step) | yes |" in forecast
    assert "| `history.value` | list of numbers | yes |" in forecast
    assert "| `threshold` | any | yes |" in pages["docs/audit.schema.json"]


def test_every_term_is_in_the_glossary_once_and_in_order(generator, project_root: Path) -> None:
    rows = generator("glossary").table().splitlines()[2:]
    names = [row.split(" | ")[0].removeprefix("| ").lower() for row in rows]
    assert names == sorted(set(names)) and "crps" in names
    assert "<!-- glossary -->" in (project_root / "docs/concepts/glossary.md").read_text(encoding="utf-8")


def test_the_picture_leaves_out_imports_that_follow_from_others(generator) -> None:
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert generator("architecture").without_detours(graph) == {
        "a": {"b"},
        "b": {"c"},
        "c": {"d"},
        "d": set(),
    }


def test_every_arrow_of_the_picture_leads_downwards(generator, project_root: Path) -> None:
    picture = generator("architecture").diagram(project_root)
    arrows = re.findall(r'd="M\S+ (\S+)C\S+ \S+ \S+ \S+ \S+ (\S+)"', picture)
    assert len(arrows) > 20
    assert all(float(start) < float(end) for start, end in arrows)


def test_links_between_files_of_the_repository_lead_somewhere(project_root: Path) -> None:
    pages = [project_root / name for name in tracked(project_root) if name.endswith(".md")]
    broken = [
        f"{page.relative_to(project_root)}: {link}"
        for page in pages
        for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
        if ":" not in link and not (page.parent / link).exists()
    ]
    assert broken == []


def test_lines_of_the_changelog_have_at_most_120_characters(project_root: Path) -> None:
    lines = (project_root / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > 120] == []
