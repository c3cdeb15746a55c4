"""Every command of the README is run by a test: here, or by the test that is named beside it."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from arch.data import sp500
from typer.testing import CliRunner

from flows.cli.app import app
from tests.system import test_entry_points, test_pictures, test_serve

PIPELINE = test_entry_points.test_flow_and_repro_agree_byte_for_byte_and_nothing_runs_twice
ELSEWHERE: dict[str, Callable[..., None]] = {
    "make run": PIPELINE,
    "make repro": PIPELINE,
    "dvc metrics diff": PIPELINE,
    "dvc params diff": PIPELINE,
    "dvc push": PIPELINE,
    "basin models list": PIPELINE,
    "basin serve": test_serve.test_a_schedule_fires_a_failure_is_told_and_the_end_is_clean,
    "basin run --domain images": test_pictures.test_images_of_a_user,
}
CHECKS = ("make test", "make test-slow", "make docs")
"""Run by `.ci/run` itself, which runs this test too."""


@pytest.fixture
def page(project_root: Path) -> str:
    return (project_root / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the `prices.csv` that the README speaks of, of fewer years."""
    table = sp500.load().loc["2008-01-01":"2014-06-30", ["Adj Close"]].rename(columns={"Adj Close": "close"})
    volatility = table["close"].pct_change().rolling(20).std() * 1600
    table.assign(vix=volatility).dropna().rename_axis("date").to_csv(tmp_path / "prices.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(page: str) -> list[str]:
    """The lines of indented blocks and the inline code that begin with a program, without remarks."""
    lines = re.findall(r"^    ((?:make|basin|dvc) .*)$", page, re.MULTILINE)
    inline = re.findall(r"`((?:make|basin|dvc) [^`]*)`", page)
    return [re.sub(r"\s+#.*", "", line) for line in (*lines, *re.findall(r"; (make \S+)", page), *inline)]


def on_prices(page: str) -> list[str]:
    return [command for command in commands(page) if "--data" in command]


def test_every_command_is_run_by_a_test(page: str, project_root: Path) -> None:
    assert set(commands(page)) == {*ELSEWHERE, *CHECKS, *on_prices(page)}
    assert len(on_prices(page)) == 4
    checks = (project_root / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert set(CHECKS) <= {line.strip() for line in checks}


@pytest.mark.parametrize("command", sorted(c for c in (*ELSEWHERE, *CHECKS) if c.startswith("make")))
def test_make_knows_the_target(project_root: Path, command: str) -> None:
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=project_root, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("folder")
def test_the_commands_for_a_file_of_prices(page: str) -> None:
    for command in on_prices(page):
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, f"{command}\n{done.output[-3000:]}"
        assert "out/" in done.output


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("folder")
def test_the_example_in_python(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(example) == 1
    exec(compile(example[0], "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "egarch-skewt" in printed and "ebm gains" in printed
