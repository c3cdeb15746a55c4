"""Results without a folder, saved results and results of an earlier call."""

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import basin
from tasks.reporting.tables import score_tables

DAYS = pd.bdate_range("2016-01-01", periods=900)
PRICES = pd.Series(
    100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.012, 900))), DAYS, name="close"
)
SST = pd.Series(
    26 + np.cos(np.arange(480) * np.pi / 6) + np.random.default_rng(0).normal(0, 0.3, 480),
    pd.date_range("1950-01-01", periods=480, freq="MS"),
    name="sst",
)
CALLS: dict[str, Callable[..., Any]] = {
    "paths": lambda **options: basin.forecast(PRICES, horizon=2, **options),
    "alarm": lambda **options: basin.alarm(PRICES, event="min<=-0.03@5", **options),
    "audit": lambda **options: basin.audit(PRICES, **options),
    "backtest": lambda **options: basin.backtest(PRICES, leads=2, test_from="2019-05-01", **options),
}


@pytest.mark.parametrize("name", CALLS)
def test_results_without_a_folder_last_as_long_as_they_are_held(name: str, tmp_path: Path) -> None:
    result = CALLS[name]()
    folder = result.folder
    assert (folder / ".basin.json").is_file()
    assert result.save(tmp_path / "out") == tmp_path / "out"
    text, notes = result.summary(), getattr(result, "notes", None)
    assert notes != ()
    del result
    gc.collect()
    assert not folder.exists()
    kept = basin.load(tmp_path / "out")
    assert kept.folder == tmp_path / "out" and kept.summary() == text
    assert getattr(kept, "notes", None) == notes
    assert kept.save(tmp_path / "out") == tmp_path / "out"
    if hasattr(kept, "report"):
        assert kept.report.is_file()


def test_a_run_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(basin.BasinError):
        basin.forecast(PRICES[:50])
    assert list(tmp_path.iterdir()) == []


def test_a_result_is_saved_over_an_earlier_one_and_over_nothing_else(tmp_path: Path) -> None:
    first, second = basin.audit(PRICES, out=tmp_path / "a"), basin.audit(SST)
    second.save(first.folder)
    assert basin.load(first.folder).summary() == second.summary()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/audit.json").write_text("{}")
    with pytest.raises(basin.BasinError, match="did not write"):
        second.save(tmp_path / "mine")
    second.save(tmp_path / "mine", overwrite=True)
    assert basin.load(tmp_path / "mine").status == second.status
    with pytest.raises(basin.BasinError, match=r"^out=3: expected a path, found int$"):
        second.save(3)  # type: ignore[arg-type]
    with pytest.raises(basin.BasinError, match="has no results of `basin forecast`; run it again"):
        basin.Forecast(tmp_path / "gone", {}, ()).save(tmp_path / "b")


def test_a_folder_without_results_or_with_two_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(basin.BasinError, match="has no results; give the folder out= of a backtest"):
            basin.load(folder)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn/scores.json").write_text("{}")
    with pytest.raises(basin.BasinError, match=r"cannot read .*forecasts\.parquet.*; give the folder"):
        basin.load(tmp_path / "torn")
    for name in ("forecast.json", "alarm.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(basin.BasinError, match=r"has forecast\.json and alarm\.json, the results of two"):
        basin.load(tmp_path)


def test_the_model_of_a_result_forecasts_without_its_folder_being_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models: list[Any] = []
    monkeypatch.setattr(
        "tasks.userdata.run.forecast",
        lambda data, request, out, model, **options: models.append(model) or basin.Forecast(out, {}, ()),
    )
    result = basin.Forecast(tmp_path, {}, ())
    for model in (None, result, tmp_path / "model", str(tmp_path / "model")):
        basin.forecast(PRICES, model=model)
    assert models == [None, *[tmp_path / "model"] * 3]


def test_an_audit_names_the_faults_of_labelled_rows_and_of_series() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=400), "ill": rng.integers(0, 2, 400), "part": "train"})
    rows.loc[300:, "part"] = "test"
    copied = pd.concat([rows, rows[:50].assign(part="test")])
    found = basin.audit(copied, spec={"label": "ill", "split": "part"})
    assert found.status == "fail" and found.checks.loc["copies", "status"] == "fail"
    assert "copies" in repr(found) and found.report.is_file()
    with pytest.raises(basin.BasinError, match=r"no key lable; the keys are"):
        basin.audit(rows, spec={"lable": "ill"})
    with pytest.raises(basin.BasinError, match=r"^the frame: no column of numbers beside day; found day, x"):
        basin.audit(pd.DataFrame({"day": DAYS, "x": None}))
    with pytest.raises(basin.BasinError, match=r"^the frame: no column ill2"):
        basin.audit(rows, spec={"label": "ill2"})


def test_an_inspection_reads_as_the_table_of_the_command() -> None:
    found = basin.inspect(PRICES)
    assert repr(found) == str(found) == found.summary()
    lines = repr(found).splitlines()
    assert lines[0].split() == ["dates", "column", "index,", "2016-01-01", "to", "2019-06-13"]
    assert "- frequency B: rows are 1 day apart" in lines
    assert lines[-1].startswith("- ") and "cannot be forecast" not in lines[-1]
    short = basin.inspect(PRICES[:60])
    assert repr(short).splitlines()[-1] == f"- cannot be forecast: {short.refusal}"


def test_a_forecast_a_backtest_and_an_alarm_read_as_their_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": range(1000)})
    results = (
        basin.Forecast(Path("out"), {"unit": "%", "series": {}}, ("a note",)),
        basin.Backtest(Path("out"), {}, frame, ("a note",), "base"),
        basin.Alarm(Path("out"), {}, frame, ("a note",)),
    )
    for result in results:
        monkeypatch.setattr(type(result), "summary", lambda _: "a summary")
        assert repr(result) == str(result) == "a summary"


def test_a_backtest_and_an_alarm_convert_to_a_frame() -> None:
    model = {"crps": 0.5, "mae": 0.7, "log_score": -1.0, "coverage": {"0.5": 0.4, "0.9": 0.8}, "var": {}}
    gain = {"crps": {"gain": 0.1, "t": 2.0}, "log_score_gain": 0.3, "t": 4.0}
    part = {"n": 9, "models": {"ebm": model, "base": model | {"rmse": 1.0}}, "paired": {"base": gain}}
    block = {"n": 18, "leads": {"1": part, "3": part}}
    forecasts = pd.DataFrame({"series": ["close"]})
    found = basin.Backtest(Path("out"), block, forecasts, (), "base").to_frame()
    assert found[["series", "lead", "model"]].values.tolist() == [
        ["close", lead, name] for lead in (1, 3) for name in ("ebm", "base")
    ]
    assert found.loc[1, ["n", "coverage_0.9", "rmse", "crps_gain", "crps_t", "log_score_t"]].tolist() == [
        9, 0.8, 1.0, 0.1, 2.0, 4.0,
    ]  # fmt: skip
    assert found.loc[0, ["rmse", "crps_gain"]].isna().all()
    several = {"pooled": block, "series": {"a": block, "b": block}}
    found = basin.Backtest(Path("out"), several, forecasts, (), "base").to_frame()
    assert found["series"].unique().tolist() == ["pooled", "a", "b"]
    several["series"]["pooled"] = block | {"leads": {"1": part | {"n": 4}}}
    found = basin.Backtest(Path("out"), several, forecasts, (), "base").to_frame()
    assert found.loc[found["series"] == "pooled", "n"].tolist() == [9, 9, 9, 9, 4, 4]
    alarm = basin.Alarm(Path("out"), {}, pd.DataFrame({"time": DAYS[:2], "alarm": [True, False]}), ())
    alarm.to_frame()["alarm"] = False  # a copy
    assert alarm.history["alarm"].tolist() == [True, False]


def test_import_loads_no_library() -> None:
    script = (
        "import sys, basin; print(*(name for name in ('numpy', 'pandas', 'torch') if name in sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).split() == []


def forecasts_without_pytorch(folder: Path, model: Path) -> float:
    """Forecast ``prices.csv`` with a model in a new process, by all ways to do so; return a quantile."""
    script = f"""
import sys
import pandas as pd
import basin
from tasks.reporting.tables import score_tables
from flows.cli.app import app

options = ["--data", "prices.csv", "--model", {str(model)!r}, "--out", "command"]
app(["forecast", *options], standalone_mode=False)
result = basin.forecast("prices.csv", model={str(model)!r})
row = pd.Series([{float(PRICES.iloc[-1])!r}], [pd.Timestamp({str(DAYS[-1])!r})], name="close")
prices = pd.read_csv("prices.csv", index_col=0, parse_dates=True)["close"]
again = basin.forecast(prices, model={str(model)!r}).refresh(row)
assert basin.load("command").quantiles.equals(result.quantiles)
assert "torch" not in sys.modules
print(again.quantiles["0.05"].iloc[0])
"""
    return float(subprocess.check_output([sys.executable, "-c", script], cwd=folder, text=True).split()[-1])


def test_a_forecast_is_refreshed_with_its_model(tmp_path: Path) -> None:
    """A chain of refreshed forecasts keeps the model of the first one, which is deleted with the last one."""
    result = basin.forecast(PRICES[:-2], seeds=1)
    folder = result.folder
    for row in (PRICES[-2:-1], PRICES[-1:]):
        result = result.refresh(row)
        gc.collect()
    assert (folder / "model").is_dir()
    known = basin.forecast(PRICES, model=folder / "model", out=tmp_path / "out")
    assert result.steps["series"] == known.steps["series"]
    PRICES[:-1].to_csv(tmp_path / "prices.csv")
    assert forecasts_without_pytorch(tmp_path, folder / "model") == pytest.approx(
        known.steps["series"]["close"]["steps"][0]["quantiles"]["0.05"], rel=1e-10
    )
    assert result.refresh(PRICES[-5:]).steps["series"] == known.steps["series"]
    with pytest.raises(
        basin.BasinError, match=r"pass only the rows after 2019-06-13, or call .* with the revised"
    ):
        result.refresh(2 * PRICES[-1:])
    with pytest.raises(basin.BasinError, match=r"read from its folder.*basin.forecast\(data, model="):
        basin.load(tmp_path / "out").refresh(PRICES[-1:])
    del result
    gc.collect()
    assert not folder.exists()


def test_a_forecast_is_refreshed_with_the_model_of_a_result_that_nobody_holds() -> None:
    result = basin.forecast(PRICES[:-1], model=basin.forecast(PRICES[:-2], seeds=1))
    gc.collect()
    assert result.refresh(PRICES[-1:]).steps["series"]["close"]["origin"] == "2019-06-13"


def test_a_forecast_of_a_level_is_refreshed_by_a_new_fit() -> None:
    result = basin.forecast(SST[:-1], seeds=1).refresh(SST[-1:])
    assert result.steps["series"]["sst"]["origin"] == "1989-12-01"


def test_a_series_may_be_called_pooled() -> None:
    block = {"leads": {"1": {"models": {}, "paired": {}}}}
    series = {"pooled": block | {"n": 4}, "a": block | {"n": 5}}
    scores = {"test": ("2020", "2021"), "unit": "%", "pooled": block | {"n": 9}, "series": series}
    assert [table.title for table in score_tables(scores)] == [
        f"{name}, 2020 to 2021, n = {count}, %" for name, count in (("pooled", 9), ("pooled", 4), ("a", 5))
    ]
