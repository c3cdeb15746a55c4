"""The tutorial runs as it stands, and the page in the repository is what it prints."""

import codeop
import importlib.util
import re
import shutil
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_walk_runs_and_its_page_is_that_of_the_repository(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(project_root / "prefect.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("render", project_root / "docs/tutorial/render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    render.render(tmp_path)
    page, kept = ((f / "README.md").read_text() for f in (tmp_path, project_root / "docs/tutorial"))
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert len(headings) == 10
    assert headings == [line for line in kept.splitlines() if line.startswith("## ")]
    for picture in ("landscape", "samples", "overfit", "hybrid"):
        assert (tmp_path / f"{picture}.png").stat().st_size > 5000
    assert "exit code 1" in page and "less than a third" in page
    assert list((tmp_path / "runs/tutorial").glob("events*"))


def test_every_block_of_the_page_can_be_pasted_at_a_prompt(project_root: Path) -> None:
    page = (project_root / "docs/tutorial/README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        pending = ""
        for line in [*block.splitlines(), ""]:
            pending += line + "\n"
            if codeop.compile_command(pending[:-1]) is not None:
                pending = ""
        assert not pending
