"""Refusals of a user's file name the file, what was found in it, and a remedy that works."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import basin
from tasks.events import scores, simulation
from tasks.runtime.errors import BasinError

EVENT = "min<=-0.08@21"


def prices(rows: int, **columns: Any) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal(rows)))
    return pd.DataFrame(
        {"date": pd.bdate_range("2015-01-01", periods=rows), "close": close.round(2)} | columns
    )


COMMANDS: dict[str, Callable[..., Any]] = {
    "forecast": basin.forecast,
    "backtest": basin.backtest,
    "horizon": lambda data, **options: basin.forecast(data, leads=range(1, 6), **options),
    "alarm": lambda data, **options: basin.alarm(data, event=EVENT, **options),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("rows", "options"), [(60, {}), (400, {"exog": ["none"]}), (60, {"strict": True})])
def test_a_refusal_begins_once_with_the_name_of_the_file(
    tmp_path: Path, command: str, rows: int, options: dict[str, Any]
) -> None:
    path = tmp_path / "prices.csv"
    table = prices(rows)
    table.to_csv(path, index=False)
    for data, label in ((path, str(path)), (table, "the frame")):
        with pytest.raises(BasinError) as caught:
            COMMANDS[command](data, out=tmp_path / "out", **options)
        assert str(caught.value).startswith(f"{label}: ")
        assert str(caught.value).count(label) == 1


def test_inspect_names_the_file_of_a_refusal(tmp_path: Path) -> None:
    prices(60).to_csv(tmp_path / "prices.csv", index=False)
    assert str(basin.inspect(tmp_path / "prices.csv").refusal).startswith(f"{tmp_path / 'prices.csv'}: ")


def test_a_refusal_of_the_folder_of_results_does_not_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("x")
    with pytest.raises(BasinError, match=r"^.*/out has mine\.txt"):
        basin.alarm(prices(60), event=EVENT, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("config", "of"),
    [
        ({"tilt": {"columns": ["x_anomaly", "x_loc"]}}, "levels"),
        ({"joint": True, "kind": "price"}, "joint paths"),
    ],
)
def test_one_step_of_a_price_is_not_forecast_by_a_model_of_another_form(
    tmp_path: Path, config: dict[str, Any], of: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    said = f"is not a model of one step of a price, rate or return, but of {of}; omit model= to fit a new one"
    with pytest.raises(BasinError, match=f'^the frame: model="{tmp_path}" {said}$'):
        basin.forecast(prices(400), model=tmp_path)


@pytest.mark.parametrize("option", ["freq", "resample"])
@pytest.mark.parametrize("name", ["W-FRI", "X", "0h", "48h", ""])
def test_a_frequency_that_is_none_is_refused_under_the_option_that_gave_it(option: str, name: str) -> None:
    with pytest.raises(BasinError, match=f'^{option}="{name}": expected one of B'):
        basin.inspect(prices(300), **{option: name})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "SAMPLES", 400)
    monkeypatch.setattr(scores, "DRAWS", 20)


RNG = np.random.default_rng(2)
RATE = np.cumsum(0.05 * RNG.standard_normal(1300))
STATIONARY = 10 + RNG.standard_normal(1300)
FEW_BAD = np.where(np.arange(1300) == 700, -1.0, prices(1300)["close"])
DAYS = pd.date_range("2015-01-01", periods=1300)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("values", "given", "found", "remedy"),
    [
        (
            RATE - RATE.mean(),
            {},
            "kind rate, because .* of 1,300 values are not positive",
            {"kind": "return"},
        ),
        (STATIONARY, {}, "kind level, because the values have a season or stay", {"kind": "price"}),
        (RATE - RATE.min() + 1, {"kind": "rate"}, 'kind rate, as kind="rate" says', {"kind": "price"}),
        (FEW_BAD, {"kind": "rate"}, "kind rate", {"kind": "price", "on_bad_row": "drop"}),
    ],
)
def test_an_alarm_of_another_kind_is_refused_with_a_remedy_that_works(
    tmp_path: Path, values: np.ndarray, given: dict[str, Any], found: str, remedy: dict[str, str]
) -> None:
    table = pd.DataFrame({"date": DAYS, "yield": values})
    words = ", ".join(f'{name}="{value}"' for name, value in remedy.items())
    with pytest.raises(BasinError, match=f"^the frame: alarms need .* found yield of {found}.*{words}"):
        basin.alarm(table, event=EVENT, out=tmp_path, **given)
    basin.alarm(table, event=EVENT, out=tmp_path, **remedy)


def test_an_alarm_of_several_series_is_refused_with_their_names(tmp_path: Path) -> None:
    table = prices(300, other=prices(300)["close"] + 1)
    said = "the frame: alarms need one series of prices, found 2: close, other; give one of these .* target="
    with pytest.raises(BasinError, match=said):
        basin.alarm(table, target=["close", "other"], event=EVENT, out=tmp_path)
    labels = pd.MultiIndex.from_product([["Close", "High"], ["KO", "PEP"]], names=["Price", "Ticker"])
    values = prices(300)[["close"] * 4].to_numpy() * [1, 2, 1.01, 2.02]
    wide = pd.DataFrame(values, prices(300)["date"], labels)
    for frame in (wide, wide.swaplevel(axis=1)):
        with pytest.raises(BasinError, match="found 2: KO, PEP; give the column of one of them") as caught:
            basin.alarm(frame, event=EVENT, out=tmp_path)
        target = eval(str(caught.value).rpartition("target=")[2])
        with pytest.raises(BasinError, match="300 rows of prices are left for the alarm"):
            basin.alarm(frame, target=target, event=EVENT, out=tmp_path)
    panel = pd.concat([prices(300, market=name) for name in "ABCDEFG"])
    said = "found 7: A, B, C, D, E and 2 more; keep the rows of one of them in the file, by the column market"
    with pytest.raises(BasinError, match=said):
        basin.alarm(panel, event=EVENT, out=tmp_path)
