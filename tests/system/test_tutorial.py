"""The tutorial runs, and its page shows what the script prints, within the tolerance that the page states."""

import codeop
import importlib.util
import re
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import pytest
import torch

NUMBER = r"[-+]?\d+\.\d+"


@pytest.fixture
def page(project_root: Path) -> str:
    return (project_root / "docs/tutorial/README.md").read_text(encoding="utf-8")


@pytest.fixture
def renderer(project_root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", project_root / "docs/tutorial/render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def threads() -> Iterator[None]:
    """Undo the tutorial's choice of one thread for the tests that follow in this process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def tolerances(page: str) -> tuple[float, float]:
    """The stated tolerance of the page and that of section 8, whose training is not reproducible."""
    stated = rf"differences of up to ({NUMBER}), and of up to ({NUMBER}) in section 8"
    (found,) = re.findall(stated, " ".join(page.split()))
    return float(found[0]), float(found[1])


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def differences(printed: str, on_page: str, allowed: float) -> list[tuple[str, str]]:
    """Pairs of lines that differ in their words, their integers, or by more than ``allowed`` in a decimal."""
    pairs = zip_longest(printed.splitlines(), on_page.splitlines(), fillvalue="")
    return [pair for pair in pairs if not _alike(*pair, allowed)]


def _alike(line: str, other: str, allowed: float) -> bool:
    words, others = (re.sub(NUMBER, "#", text).split() for text in (line, other))
    numbers, kept = ([float(found) for found in re.findall(NUMBER, text)] for text in (line, other))
    close = all(abs(a - b) <= allowed + 1e-9 for a, b in zip(numbers, kept, strict=False))
    return words == others and len(numbers) == len(kept) and close


@pytest.mark.slow
def test_the_tutorial_prints_the_numbers_of_its_page(
    page: str,
    renderer: ModuleType,
    threads: None,
    project_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(project_root / "prefect.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    renderer.render(tmp_path)
    made = (tmp_path / "README.md").read_text(encoding="utf-8")
    printed, kept = blocks(made, "text"), blocks(page, "text")
    assert len(printed) == len(kept)
    usual, section_8 = tolerances(page)
    for block, other in zip(printed, kept, strict=True):
        assert not differences(block, other, section_8 if block.startswith("seed ") else usual)
    for picture in re.findall(r"!\[\w+\]\((\w+\.png)\)", page):
        assert (tmp_path / picture).stat().st_size > 5000


def test_a_printed_number_that_is_off_is_a_difference() -> None:
    line = "2 hidden units: gain +0.120, exit code 1"
    assert not differences(line, line.replace("0.120", "0.139"), 0.02)
    assert differences(line, line.replace("0.120", "0.141"), 0.02)
    assert differences(line, line.replace("+0.120", "-0.120"), 0.02)
    assert differences(line, line.replace("code 1", "code 0"), 0.02)
    assert differences(line, line.replace("gain", "loss"), 0.02)
    assert differences(line, "", 0.02)


def test_the_page_is_made_from_the_script(page: str, renderer: ModuleType, project_root: Path) -> None:
    script = (project_root / "docs/tutorial/tutorial.py").read_text(encoding="utf-8")
    without_results = re.sub(r"```text\n.*?```\n*|!\[\w+\]\(\w+\.png\)\n*", "", page, flags=re.DOTALL)
    parts = [text if is_text else f"```python\n{text}\n```" for is_text, text in renderer.cells(script)]
    assert without_results.strip() == "\n\n".join(parts)


def test_every_block_of_the_page_can_be_pasted_at_a_prompt(page: str) -> None:
    for block in blocks(page, "python"):
        pending = ""
        for line in [*block.splitlines(), ""]:
            pending += line + "\n"
            if codeop.compile_command(pending[:-1]) is not None:
                pending = ""
        assert not pending
