"""`basin run --domain APPLICATION` reports bad input in one line and writes scores and a report."""

import json
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.cli.app import app


def basin(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    """Run a command that must end with exit code 1 and one line on stderr; return this line."""
    with pytest.raises(SystemExit) as ended:
        app([*map(str, arguments), "--quiet"])
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("basin: ")
    return line


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "the next run begins with the first stage"), (["--out", "out"], "no result was changed")],
)
def test_a_stopped_run_does_not_say_that_stages_are_kept(
    options: list[str], words: str, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []

    def running(*_: object) -> None:
        said.extend(signal.getsignal(number).args[0] for number in (signal.SIGINT, signal.SIGTERM))

    monkeypatch.setattr("flows.cli.applications.run", running)
    monkeypatch.setattr("flows.cli.applications.run_project", running)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        app(["run", "--domain", "anomaly", "--root", str(project_root), *options], standalone_mode=False)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert said == [words] * 2


def anomalies(rows: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(rows, 4)), columns=list("abcd"))
    table["broken"] = (np.arange(rows) % 8 == 0).astype(int)
    table.loc[table["broken"] == 1, "c"] += 4
    return table


def sizes(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"))
    table["shares"] = np.round(np.exp(4 + 0.8 * table["a"] + 0.4 * rng.normal(size=rows)))
    return table


@pytest.mark.parametrize(
    ("domain", "table", "label", "message"),
    [
        (
            "anomaly",
            anomalies().assign(colour="red"),
            "broken",
            "column colour, row 1: 'red' is not a finite number",
        ),
        (
            "anomaly",
            anomalies().assign(broken="yes"),
            "broken",
            "column broken, row 1: 'yes' is not a finite number (160 such rows); expected 0 for normal rows",
        ),
        ("anomaly", anomalies().assign(broken=0), "broken", "column broken: one class only; expected 0"),
        ("anomaly", anomalies(), "broke", "no column broke; found a, b, c, d, broken"),
        ("anomaly", anomalies().iloc[:0], "broken", "no rows; give a file with data"),
        ("anomaly", anomalies(20), "broken", "17 normal rows; expected 20 or more"),
        ("anomaly", anomalies().assign(a=1, b=1, c=1, d=1), "broken", "all normal rows are equal"),
        ("anomaly", anomalies(), None, "the column that marks anomalies is not known"),
        ("social", sizes().assign(shares=3), "shares", "column shares has 1 different values"),
        ("social", sizes().assign(shares=-1), "shares", "row 1: -1; expected a size of 1 or more"),
        ("social", sizes(40), "shares", "28 training rows; expected 200 or more"),
        ("social", sizes(), None, "the column of sizes is not known; name it with --label"),
    ],
)
def test_a_table_that_cannot_be_judged_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, domain: str, table: pd.DataFrame, label: str, message: str
) -> None:
    table.to_csv(tmp_path / "table.csv", index=False)
    named = ["--label", label] if label else []
    arguments = ["run", "--domain", domain, "--data", tmp_path / "table.csv", *named]
    assert message in basin(capsys, *arguments, "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [tmp_path / "table.csv"]  # no trace of a run


def test_missing_files_empty_files_and_other_domains_end_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = ["--out", tmp_path / "out"]
    gone = ["run", "--domain", "anomaly", "--data", tmp_path / "gone.csv", *out]
    assert "gone.csv: no such file or folder" in basin(capsys, *gone)
    (tmp_path / "empty.csv").write_text("")
    empty = ["run", "--domain", "anomaly", "--data", tmp_path / "empty.csv", "--label", "y", *out]
    assert "empty.csv: is empty; give a CSV, Excel, Parquet or NetCDF file with data" in basin(capsys, *empty)
    (tmp_path / "words.npz").write_bytes(b"no archive of arrays")
    words = ["run", "--domain", "anomaly", "--data", tmp_path / "words.npz", *out]
    assert "words.npz: not an .npz file of plain arrays; write it with numpy.savez" in basin(capsys, *words)
    assert "`finance` forecasts a series" in basin(capsys, "run", "--domain", "finance", *out)
    assert "unknown domain `weather`" in basin(capsys, "run", "--domain", "weather", *out)


def test_without_the_data_the_line_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASIN_DATA_MIRROR", raising=False)
    line = basin(capsys, "run", "--domain", "social", "--out", tmp_path / "out")
    assert "BASIN_DATA_MIRROR is not set; get the data from https://github.com/" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "table", "label", "measures"),
    [
        ("anomaly", anomalies(), "broken", {"auroc", "ap"}),
        ("social", sizes(), "shares", {"auroc", "ap", "relative_error", "crps", "log_score"}),
    ],
)
def test_a_small_sample_ends_in_scores_and_a_page(
    tmp_path: Path, domain: str, table: pd.DataFrame, label: str, measures: set[str]
) -> None:
    table.to_csv(tmp_path / "table.csv", index=False)
    out = tmp_path / "out"
    given = ["--data", str(tmp_path / "table.csv"), "--label", label, "--seeds", "2", "--out", str(out)]
    app(["run", "--domain", domain, *given], standalone_mode=False)
    scores = json.loads((out / "scores.json").read_text())
    assert set(scores["models"]["ebm"]) == measures and scores["models"]["ebm"]["auroc"] > 0.8
    assert set(scores["paired"]) == set(scores["models"]) - {"ebm"}
    for name in ("audit.json", "validation.json", "model/model.safetensors", "landscape/landscape.png"):
        assert (out / name).stat().st_size > 0
    page = (out / "report.html").read_text()
    assert "mean over 2 seeds" in page
    assert "data:image/png" in page and 'src="http' not in page
    assert not list(out.rglob("*.pkl"))


def test_files_of_other_origin_in_the_out_folder_are_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    anomalies(60).to_csv(tmp_path / "table.csv", index=False)
    out, given = tmp_path / "out", ["--data", tmp_path / "table.csv", "--label", "broken", "--seeds", "1"]
    anomaly = ["run", "--domain", "anomaly", *given, "--out", out]
    (out / "model").mkdir(parents=True)
    (out / "model" / "notes.txt").write_text("mine")
    assert "out has model/notes.txt, which `basin run --domain anomaly` did not" in basin(capsys, *anomaly)
    assert (out / "model" / "notes.txt").read_text() == "mine"
    (out / "model" / "notes.txt").unlink()
    (out / "model").rmdir()
    for name in ("data_docs", "mine"):
        (out / name).mkdir()
        assert f"out has {name} and no results of Basin" in basin(capsys, *anomaly)
        (out / name).rmdir()

    app([*map(str, anomaly), "--quiet"], standalone_mode=False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    score = ["score", "--model", out / "model", "--data", tmp_path / "table.csv", "--out", out]
    assert "out has answers.csv, which `basin score` did not write" in basin(capsys, *score)
    assert "which `basin run --domain social` did not write" in basin(
        capsys, "run", "--domain", "social", *given, "--out", out
    )
    anomalies(20).to_csv(tmp_path / "table.csv", index=False)  # too few, found out after the first stages
    assert "normal rows; expected 20 or more" in basin(capsys, *anomaly)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (tmp_path / "file").write_text("mine")
    assert "file is a file, not a folder; give another place" in basin(
        capsys, *anomaly[:-1], tmp_path / "file"
    )
