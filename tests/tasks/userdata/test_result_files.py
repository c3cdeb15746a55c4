"""Files of results can be read by others, agree with each other, and keep to their JSON schemas."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ebm_core.tilts.mixture import SkewTMixture
from ebm_core.tilts.normalised import NormalisedTilt
from tasks.forecasters.sample_paths import VOLATILITY
from tasks.runtime.errors import BasinError
from tasks.scoring.describe import steps_ahead
from tasks.tilts.sample_paths import PathTilt
from tasks.tilts.sample_paths import untrained as untrained_paths
from tasks.userdata.files.table import from_frame
from tasks.userdata.forecast_record import not_converged, with_file
from tasks.userdata.forecast_result import Forecast
from tasks.userdata.joint_paths import forecast_paths, together
from tasks.userdata.reading import understand
from tasks.userdata.request import Request
from tasks.userdata.result_files import write_forecast, write_levels
from tests.synthetic import project

DATES = pd.bdate_range("2020-01-01", periods=200)
PRICES = pd.DataFrame({"series": "close", "time": DATES, "close": np.linspace(90, 110, 200)})
MONTHS = pd.date_range("2019-01-01", periods=24, freq="MS")
LEVELS = pd.DataFrame({"series": "sst", "time": MONTHS, "value": np.linspace(26, 28, 24)})
FIT = {"params": {"mu": 0.1}, "std_errors": {"mu": 0.02}, "converged": True, "log_likelihood": -1.0}


class Untilted:
    """Model whose forecast is a skewed t."""

    def base(self, classical: Any, rows: pd.DataFrame) -> None:
        return None

    def distribution(self, rows: pd.DataFrame, base: None) -> NormalisedTilt:
        scale = np.linspace(1, 2, len(rows))[None]
        ones = np.ones_like(scale)
        return NormalisedTilt(SkewTMixture(0.1 * scale, scale, 5 * ones, -0.1 * ones, ones), np.zeros_like)

    def weight(self, lead: int) -> float:
        return 0.0


def forecast(rows: pd.DataFrame, returns: bool) -> dict[str, Any]:
    model: Any = Untilted()
    return {"unit": "%", "series": steps_ahead(model, rows, rows, ("<= -2",), returns=returns)}


def price_result(folder: Path, kind: str = "price") -> Forecast:
    rows = pd.DataFrame(
        {"series": "close", "origin": DATES[-1], "time": pd.Timestamp("2020-10-07"), "lead": [1]}
    )
    fits = {"close": {"egarch-skewt": FIT, "scale-regression": {"params": {"eta": 5.0}}}}
    return Forecast(folder, with_file(forecast(rows, True), kind, "B", PRICES, fits), ())


def level_result(folder: Path) -> Forecast:
    rows = pd.DataFrame(
        {
            "series": "sst",
            "origin": MONTHS[-1],
            "time": pd.to_datetime(["2021-01-01", "2021-03-01"]),
            "lead": [1, 3],
            "normal": [26.0, 27.0],
            "normal_from": pd.Timestamp("1991-01-01"),
            "normal_to": pd.Timestamp("2020-12-01"),
        }
    )
    found = {**forecast(rows, False), "unit": "°C"}
    return Forecast(folder, with_file(found, "level", "MS", LEVELS, {}), ())


def schema(project_root: Path, name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads((project_root / f"docs/{name}.schema.json").read_text(encoding="utf-8"))
    )


def test_a_forecast_of_a_price_is_in_all_its_files(tmp_path: Path, project_root: Path) -> None:
    result = price_result(tmp_path)
    write_forecast(tmp_path, result, "")
    assert {path.name for path in tmp_path.iterdir()} == {"forecast.json", "forecast.csv", "forecast.png"}
    stored = json.loads((tmp_path / "forecast.json").read_text())
    schema(project_root, "forecast").validate(stored)
    assert len(stored["series"]["close"]["history"]["value"]) == 120
    row = pd.read_csv(tmp_path / "forecast.csv", parse_dates=["origin", "time"]).iloc[0]
    step = stored["series"]["close"]["steps"][0]
    assert (row["origin"], row["time"]) == (DATES[-1], pd.Timestamp("2020-10-07"))
    for column, value in (
        ("mean", step["mean"]),
        ("sd", step["sd"]),
        ("q0.025", step["quantiles"]["0.025"]),
        ("var_0.01", step["quantiles"]["0.01"]),
        ("es_0.05", step["es"]["0.05"]),
        ("value_q0.95", 110 * np.exp(step["quantiles"]["0.95"] / 100)),
        ("P(y <= -2)", step["events"]["<= -2"]),
    ):
        assert row[column] == pytest.approx(value, rel=1e-5)


def test_every_way_to_ask_for_a_quantile_gives_the_same(tmp_path: Path) -> None:
    result = price_result(tmp_path)
    step = result.steps["series"]["close"]["steps"][0]
    assert result.quantile(0.05).tolist() == result.var(0.05).tolist() == [step["quantiles"]["0.05"]]
    assert (
        result.quantiles["0.05"].tolist()
        == result.to_frame()["q0.05"].tolist()
        == result.quantile(0.05).tolist()
    )
    assert (
        result.es(0.01).tolist() == [step["es"]["0.01"]]
        and result.es(0.033).iloc[0] < result.var(0.033).iloc[0]
    )
    table = result.quantile([0.05, 0.333])
    assert list(table.columns) == [0.05, 0.333] and table.index.names == ["series", "time", "lead"]
    assert result.prices(0.05).iloc[0] == pytest.approx(step["value"]["quantiles"]["0.05"], rel=1e-15)
    assert result.prices().shape == (1, 5)
    assert result.params.loc[("close", "egarch-skewt", "mu")].tolist() == [0.1, 0.02, True]
    assert pd.isna(result.params.loc[("close", "scale-regression", "eta"), "converged"])
    rate = price_result(tmp_path, "rate")
    assert rate.prices(0.05).iloc[0] == pytest.approx(110 + step["quantiles"]["0.05"])
    with pytest.raises(BasinError, match="prices and rates, and this one is of kind return"):
        price_result(tmp_path, "return").prices()
    for level in ("a", None, ["0.05", "b"], []):
        with pytest.raises(BasinError, match=r"expected numbers from 0\.001 to 0\.999"):
            result.quantile(level)


def test_a_forecast_of_levels_is_read_back_from_netcdf(tmp_path: Path, project_root: Path) -> None:
    result = level_result(tmp_path)
    write_forecast(tmp_path, result, "°C")
    stored = json.loads((tmp_path / "forecast.json").read_text())
    schema(project_root, "forecast").validate(stored)
    data = xr.load_dataset(tmp_path / "forecast.nc")
    assert data.attrs["Conventions"] == "CF-1.8" and dict(data.sizes)["lead"] == 2
    assert data["init"].attrs["standard_name"] == "forecast_reference_time"
    assert data["lead"].attrs == {"standard_name": "forecast_period", "long_name": "lead", "units": "months"}
    assert data["valid_time"].dims == ("init", "lead")
    for step in stored["series"]["sst"]["steps"]:
        at = data.sel(series="sst", init="2020-12-01", lead=step["lead"])
        assert str(at["valid_time"].values)[:10] == step["time"]
        assert float(at["forecast"].sel(quantile=0.025)) == step["quantiles"]["0.025"]
        assert float(at["mean"]) == step["mean"] == pytest.approx(float(at["normal"] + at["anomaly"]))
    assert data["forecast"].attrs["units"] == "degC"
    with pytest.raises(BasinError, match="params has the classical fits"):
        _ = result.params
    assert "var_0.01" not in result.to_frame()
    with pytest.raises(BasinError, match="value at risk is of returns"):
        result.var(0.05)


def test_a_backtest_of_levels_is_read_back_from_netcdf(tmp_path: Path) -> None:
    workspace = project(tmp_path, "climate", rows=40)
    forecasts = pd.read_parquet(workspace.forecasts)
    keys = ["series", "origin", "lead"]
    inputs = forecasts[keys].drop_duplicates().assign(normal=20.0)
    write_levels(tmp_path, forecasts, inputs, None, "MS", "K")
    data = xr.load_dataset(tmp_path / "forecasts.nc")
    row = forecasts[(forecasts["model"] == "base") & (forecasts["lead"] == 3)].iloc[5]
    at = data.sel(series=row["series"], init=row["origin"], lead=3)
    assert at["valid_time"].values == row["time"]
    assert float(at["forecast"].sel(model="base", quantile=0.9)) == pytest.approx(20 + row["q0.90"], rel=1e-6)
    assert float(at["observed"]) == 20 + row["observed"]
    assert data["lead"].encoding["dtype"] == "i4"  # CF-1.8 has no longer integers
    assert data["forecast"].attrs["units"] == "K" and np.isnan(data["forecast"]).mean() < 0.5


def test_files_of_the_same_forecast_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_forecast(tmp_path / name, level_result(tmp_path), "°C")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_sample_paths_have_the_same_entries_and_their_variances(tmp_path: Path, project_root: Path) -> None:
    rng = np.random.default_rng(0)
    moves = 0.01 * rng.standard_t(5, (900, 2))
    frame = pd.DataFrame(100 * np.exp(moves.cumsum(axis=0)), columns=["a", "b"])
    frame.insert(0, "date", pd.bdate_range("2015-01-01", periods=900))
    request = Request(target=("a", "b"), kind="price", leads=(1, 5), events=("<=-1", "end<=-2@5"))
    reading = understand(from_frame(frame, "the frame"), request)
    tilt = PathTilt(untrained_paths(seed=0), "price", VOLATILITY, 0.0)
    notes: list[str] = []
    found = forecast_paths(reading, together(reading, notes), request, tilt, tmp_path, notes)
    assert (
        notes[-2].startswith("2,000 sample paths") and "at 0.1 and 0.25 % rest on fewer than 10" in notes[-1]
    )
    assert [list(step["events"]) for step in found["series"]["a"]["steps"]] == [["<= -1"], ["<= -1", "<= -2"]]
    assert [(step["mean"], step["quantiles"]["0.50"]) for step in found["series"]["b"]["steps"]] == [
        (0, 0)
    ] * 2
    result = Forecast(tmp_path, with_file(found, "price", "B", reading.table, {}), ())
    write_forecast(tmp_path, result, "")
    schema(project_root, "forecast").validate(json.loads((tmp_path / "forecast.json").read_text()))
    paths = pd.read_parquet(tmp_path / "paths.parquet")
    last = 100 * np.log(paths.loc[paths["step"] == 5, "b"].to_numpy() / frame["b"].iloc[-1])
    (at,) = (
        values for key, values in result.quantile([0.01, 0.5]).iterrows() if key[0] == "b" and key[2] == 5
    )
    np.testing.assert_allclose(at, np.quantile(last, [0.01, 0.5]), atol=1e-9)
    tail = np.sort(last)[:20]
    assert result.es(0.01).iloc[-1] == pytest.approx(tail.mean(), rel=0.02)
    assert result.to_frame()["sd"].iloc[-1] == pytest.approx(last.std(ddof=1))
    variance = result.steps["series"]["b"]["variance"]
    assert len(variance["step"]) == 5 and variance["sum"][4] == pytest.approx(last.var(ddof=1))
    assert variance["sum"][4] == pytest.approx(sum(variance["step"]), rel=0.15)
    prices = result.prices(0.5).iloc[-1]
    assert prices == pytest.approx(np.median(paths.loc[paths["step"] == 5, "b"]), rel=1e-3)


def test_a_fit_that_did_not_converge_is_named() -> None:
    fits = {"a": {"egarch-skewt": FIT | {"converged": False}}, "b": {"egarch-skewt": FIT}}
    (sentence,) = not_converged(fits)
    assert sentence == (
        "the last fit of EGARCH-skew-t did not converge for a; the best parameters found are used"
    )
    assert not_converged({"b": {"egarch-skewt": FIT}, "c": {"x": {"params": {}}}}) == []


@pytest.mark.parametrize(
    ("kind", "of", "events"),
    [("price", "price", ["<= -10", "<= -5", "<= -2"]), ("rate", "level", ["<= 0"])],
)
def test_events_of_sample_paths_are_in_the_unit_of_the_kind(
    tmp_path: Path, kind: Any, of: Any, events: list[str]
) -> None:
    moves = 0.01 * np.random.default_rng(0).standard_t(5, 900)
    frame = pd.DataFrame({"date": pd.bdate_range("2015-01-01", periods=900), "x": 5 * np.exp(moves.cumsum())})
    request = Request(kind=kind, leads=(1, 5))
    reading = understand(from_frame(frame, "the frame"), request)
    tilt = PathTilt(untrained_paths(seed=0), of, VOLATILITY, 0.0)
    found = forecast_paths(reading, together(reading, []), request, tilt, tmp_path, [])
    assert [list(step["events"]) for step in found["series"]["x"]["steps"]] == [events, events]
