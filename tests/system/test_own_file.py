"""`basin backtest`, `forecast` and `alarm` as a user types them, on a spreadsheet of prices.

Most run in this process, so that all share its imports and its Ray; what a process of its own writes to its
two streams is seen where nothing has to be fitted.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pandas as pd
import psutil
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.cli.app import app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BASIN = (sys.executable, "-c", "from flows.cli.app import app; app()")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from arch.data import nasdaq

    table = nasdaq.load().iloc[:1900].reset_index()[["Date", "Adj Close", "Volume"]]
    path = tmp_path_factory.mktemp("data") / "prices.csv"
    table.to_csv(path, index=False)
    return path


def words(command: str, prices: Path, out: Path, *more: str) -> list[str]:
    asked = ["--data", str(prices), "--time", "Date", "--target", "Adj Close", "--out", str(out)]
    return [command, *asked, *more]


def basin(command: str, prices: Path, out: Path, *more: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, words(command, prices, out, *more))
    assert done.exit_code == code, done.output[-3000:]
    return done


def in_its_own_process(
    project_root: Path, command: str, prices: Path, out: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    started = [*BASIN, *words(command, prices, out, *more)]
    return subprocess.run(started, cwd=project_root, capture_output=True, text=True)


def backtest(prices: Path, out: Path, *more: str, seeds: int = 2) -> Result:
    return basin("backtest", prices, out, "--seeds", str(seeds), "--refit", "300", *more)


def validate(project_root: Path, path: Path) -> None:
    """Check a JSON file of Basin against its schema in ``docs``."""
    schema = json.loads((project_root / f"docs/{path.stem}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))


def test_a_backtest_leaves_scores_forecasts_report_and_model(
    project_root: Path, prices: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = backtest(prices, out, "--exog", "Volume", "--test-from", "2005-06-01")
    for said in ("kind price", "frequency B", "test block 2005-06-01", "egarch-skewt", "report.html"):
        assert said in done.stdout
    for name in ("scores", "forecast", "audit"):
        validate(project_root, out / f"{name}.json")
    scores = json.loads((out / "scores.json").read_text())
    assert scores["test"][0] == "2005-06-01"
    forecasts = pd.read_parquet(out / "forecasts.parquet")
    wanted = {
        "series",
        "origin",
        "lead",
        "time",
        "observed",
        "model",
        "log_density",
        "crps",
        "q0.01",
        "q0.99",
    }
    assert wanted <= set(forecasts)
    assert forecasts.groupby("model").size().nunique() == 1
    assert (forecasts["origin"] < forecasts["time"]).all()
    for name in ("report.html", "model/model.safetensors", "model/config.json"):
        assert (out / name).is_file()


def test_a_stopped_backtest_says_so_in_one_line_and_changes_no_result(
    project_root: Path, prices: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    on_ray = "from tasks.runtime import parallel; parallel.STARTING = 0; from flows.cli.app import app; app()"
    running = subprocess.Popen(
        [sys.executable, "-c", on_ray, *words("backtest", prices, out, "--seeds", "1", "--quiet")],
        cwd=project_root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    workers: list[psutil.Process] = []
    while not workers and time.monotonic() < deadline:
        time.sleep(0.5)
        started = psutil.Process(running.pid).children(recursive=True)
        workers = [child for child in started if " ".join(child.cmdline()).startswith("ray::single_threaded")]
    assert workers
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM
    assert said.strip() == "basin: stopped; no result was changed"
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert [path.name for path in out.iterdir() if path.name[0] != "."] == ["runs"]  # page of the validation


def test_dev_reads_nothing_of_the_test_block(prices: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv"
    table = pd.read_csv(prices)
    table.loc[table["Date"] >= "2005-06-01", "Adj Close"] *= 7
    table.to_csv(cut, index=False)
    scores = []
    for name, path in (("a", prices), ("b", cut)):
        backtest(path, tmp_path / name, "--test-from", "2005-06-01", "--dev", seeds=1)
        scores.append((tmp_path / name / "scores.json").read_text())
    assert scores[0] == scores[1]


def test_bad_data_end_in_one_line_and_leave_the_folder_as_it_was(
    project_root: Path, prices: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    table = pd.read_csv(prices)
    table.loc[99, "Adj Close"] = -1.0
    table.to_csv(bad, index=False)
    asked = ("--kind", "price", "--quiet")
    done = in_its_own_process(project_root, "backtest", bad, tmp_path / "out", *asked)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "a price that is not positive in row 100" in line
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_given_forecasts_the_next_rows_without_a_fit(
    project_root: Path, prices: Path, tmp_path: Path
) -> None:
    basin("forecast", prices, tmp_path / "a", "--seeds", "2", "--refit", "300")
    model = ("--model", str(tmp_path / "a/model"))
    again = in_its_own_process(project_root, "forecast", prices, tmp_path / "b", *model)
    assert again.returncode == 0, again.stderr
    assert "features" not in again.stderr and not (tmp_path / "b/fits").exists()
    steps = [
        json.loads((tmp_path / name / "forecast.json").read_text())["series"]["Adj Close"]["steps"][0]
        for name in ("a", "b")
    ]
    for name in ("a", "b"):
        validate(project_root, tmp_path / name / "forecast.json")
        fits = json.loads((tmp_path / name / "forecast.json").read_text())["series"]["Adj Close"]["fits"]
        assert fits["egarch-skewt"]["converged"] and fits["egarch-skewt"]["std_errors"]["eta"] > 0
    widths = [high - low for low, high in (step["interval_90"] for step in steps)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    other = basin("forecast", prices, tmp_path / "c", *model, "--exog", "Volume", code=1)
    assert "was fitted to other inputs" in other.stderr


def test_paths_of_a_horizon_and_an_alarm(project_root: Path, prices: Path, tmp_path: Path) -> None:
    basin("forecast", prices, tmp_path / "paths", "--horizon", "5")
    paths = pd.read_parquet(tmp_path / "paths/paths.parquet")
    assert set(paths["step"]) == {1, 2, 3, 4, 5} and paths["sample"].nunique() >= 1000
    validate(project_root, tmp_path / "paths/forecast.json")
    assert (tmp_path / "paths/forecast.png").is_file() and len(
        pd.read_csv(tmp_path / "paths/forecast.csv")
    ) == 5
    basin("alarm", prices, tmp_path / "alarm", "--event", "min<=-0.05@10")
    validate(project_root, tmp_path / "alarm/alarm.json")
    found = json.loads((tmp_path / "alarm/alarm.json").read_text())
    assert {"ebm", "base", "gjr-filtered-simulation"} <= set(found["models"])
    assert isinstance(found["today"]["alarm"], bool)
    history = pd.read_parquet(tmp_path / "alarm/alarm.parquet")
    assert {"time", "probability", "threshold", "alarm"} <= set(history)
