"""Every command refuses to replace what it did not write, before any work, and prints names as they are."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

import basin as api
from flows.cli.app import app
from flows.cli.display import Display
from flows.cli.tables import print_scores
from tasks.runtime.errors import BasinError
from tests.flows.cli.test_applications import basin

SERIES = ("--data", "gone.csv", "--time", "date", "--target", "close")
FOLDERS = [
    ("backtest", *SERIES),
    ("forecast", *SERIES),
    ("forecast", *SERIES, "--horizon", "5"),
    ("alarm", *SERIES, "--event", "min<=-0.08@21"),
    ("audit", *SERIES),
    ("validate", "--data", "gone.csv", "--suite", "gone.json"),
    ("run", "--domain", "anomaly", "--data", "gone.csv"),
]
FILES = [
    ("forecast", "--data", "gone.nc", "--model", "gone"),
    ("sample", "--model", "gone", "--month", "1"),
    ("score", "--data", "gone.nc", "--model", "gone"),
    ("fill", "--data", "gone.nc", "--model", "gone", "--month", "1994-12"),
]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of the names that Basin uses."""
    monkeypatch.chdir(tmp_path)
    names = "model/mine plots/mine report.html forecast.json audit.html validation.json alarm.png"
    for name in names.split():
        (tmp_path / "mine" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "mine" / name).write_text("mine")
    return tmp_path / "mine"


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("latin-1") for path in files}


@pytest.mark.parametrize("command", FOLDERS, ids=lambda words: " ".join((words[0], *words[7:])))
def test_a_folder_of_others_is_refused_and_a_place_that_cannot_be_written(
    command: tuple[str, ...], mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(mine)
    line = basin(capsys, *command, "--out", mine)
    assert "mine has " in line and "give another folder, or add --overwrite" in line
    assert "is a file, not a folder; give another place" in basin(
        capsys, *command, "--out", mine / "report.html"
    )
    if Path("/proc").is_dir():
        assert "cannot write /proc/x: " in basin(capsys, *command, "--out", "/proc/x")
    assert "gone.csv" in basin(capsys, *command, "--out", mine.parent / "new")
    assert not (mine.parent / "new").exists()
    assert "gone.csv" in basin(capsys, *command, "--out", mine, "--overwrite")
    after = contents(mine)
    assert after.pop(".basin.json") and after == before


@pytest.mark.parametrize("command", FILES, ids=lambda words: words[0])
def test_a_file_of_others_is_refused(
    command: tuple[str, ...], mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("field", *command, "--out")
    line = basin(capsys, *words, mine / "report.html")
    assert "exists already; give another file as --out, or add --overwrite" in line
    assert "mine is a folder; give the path of a file" in basin(capsys, *words, mine)
    assert "no folder gone; give a folder" in basin(capsys, *words, mine / "report.html", "--overwrite")
    assert "no folder gone; give a folder" in basin(capsys, *words, mine / "new.nc")


def test_the_python_interface_refuses_alike(mine: Path) -> None:
    given: dict[str, Any] = {"data": "gone.csv", "time": "date", "target": "close", "out": mine}
    for run in (api.backtest, api.forecast, partial(api.alarm, event="min<=-0.08@21")):
        with pytest.raises(BasinError, match=r"mine has .*overwrite=True"):
            run(**given)
        with pytest.raises(BasinError, match=r"gone\.csv"):
            run(**given, overwrite=True)


def test_an_audit_and_a_validation_replace_their_own_results_only(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = mine.parent / "prices.csv"
    data.write_text("day,close\n" + "".join(f"2020-01-{d:02d},{100 + 7 * d**2 % 31}\n" for d in range(1, 29)))
    audit = ["audit", "--data", str(data), "--time", "day", "--target", "close", "--quiet", "--out"]
    propose = ["validate", "--data", str(data), "--propose", "suite.json"]
    check = ["validate", "--data", str(data), "--suite", "suite.json", "--quiet", "--out"]
    app([*audit, "out"], standalone_mode=False)
    app([*audit, "out"], standalone_mode=False)
    app(propose, standalone_mode=False)
    assert "suite.json exists already; give another file as --propose" in basin(capsys, *propose)
    app([*propose, "--overwrite"], standalone_mode=False)
    app([*check, "out"], standalone_mode=False)
    app([*check, "out"], standalone_mode=False)
    for command, written in ((audit, "audit.html"), (check, "validation.json")):
        assert f"has {written}, which" in basin(capsys, *command, mine)
        app([*command, str(mine), "--overwrite"], standalone_mode=False)
        assert (mine / written).read_text() != "mine"
    assert sum(text == "mine" for text in contents(mine).values()) == 5


def test_what_a_model_or_a_suite_lacks_is_named(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forecast = ("forecast", *SERIES, "--out", "new", "--model")
    remedy = "give the folder model/ of an earlier backtest or forecast"
    assert f"--model gone: no config.json there; {remedy}" in basin(capsys, *forecast, "gone")
    assert f"no config.json there; {remedy}" in basin(capsys, *forecast, mine)
    (mine.parent / "prices.csv").write_text("day,close\n2020-01-01,1\n")
    validate = ("validate", "--data", "prices.csv", "--out", "new", "--suite")
    for suite, found in (("gone.json", "is missing"), (mine, "cannot read")):
        line = basin(capsys, *validate, suite)
        assert found in line and "write a suite with `basin validate --propose FILE`" in line
    assert "give a folder that `basin field fit` wrote" in basin(
        capsys, "field", "sample", "--model", mine, "--month", "1", "--out", "new.nc"
    )


def test_overwrite_without_a_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--overwrite needs --out" in basin(capsys, "run", "--overwrite")


def test_names_with_square_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {
        "unit": "%",
        "test": ["2020-01-01", "2020-02-01"],
        "pooled": {"n": 2, "leads": {"1": {"models": {}, "paired": {}}}},
        "series": {"EUR[/USD]": {"n": 1, "leads": {"1": {"models": {}, "paired": {}}}}},
    }
    with Display() as display:
        display.stages("prices[/1]")("report", lambda progress: progress("EUR[/USD]", 0, 1))
        print_scores(display, "prices[/1]", scores)
    printed = capsys.readouterr()
    assert "prices[/1] report" in printed.err and "prices[/1] EUR[/USD], 2020-01-01" in printed.out
