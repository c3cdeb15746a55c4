"""`basin.alarm` on files with rows left out, without the event, or of another kind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import basin
from tasks.events import scores, simulation
from tasks.userdata.alarm import OWN_MODELS

EVENT = "min<=-0.04@5"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "SAMPLES", 400)
    monkeypatch.setattr(scores, "DRAWS", 20)


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    close = np.exp(np.cumsum(0.012 * rng.standard_t(5, 1300) / 1.3))
    return pd.DataFrame({"date": pd.bdate_range("2015-01-01", periods=1300), "close": (100 * close).round(2)})


@pytest.mark.parametrize("rows", [[3], [640], [1100], [1299], [0, 641, 1101, 1298]])
def test_rows_left_out_anywhere_are_as_if_they_were_not_in_the_file(
    prices: pd.DataFrame, tmp_path: Path, rows: list[int]
) -> None:
    holed = prices.astype({"close": object})
    holed.loc[rows, "close"] = "."
    found = basin.alarm(holed, event=EVENT, on_bad_row="drop", out=tmp_path / "a")
    without = basin.alarm(prices.drop(rows), event=EVENT, out=tmp_path / "b")
    assert found.found | {"notes": []} == without.found | {"notes": []}
    pd.testing.assert_frame_equal(found.history, without.history)


def test_the_newest_row_may_come_first(prices: pd.DataFrame, tmp_path: Path) -> None:
    found = basin.alarm(prices[::-1].reset_index(drop=True), event=EVENT, out=tmp_path / "a")
    in_order = basin.alarm(prices, event=EVENT, out=tmp_path / "b")
    assert found.found | {"notes": []} == in_order.found | {"notes": []}


def test_the_tested_dates_are_those_of_the_history(prices: pd.DataFrame, tmp_path: Path) -> None:
    found = basin.alarm(prices, event=EVENT, test_from="2019-01-01", out=tmp_path)
    assert found.found["test"] == ["2019-01-01", f"{prices['date'].iloc[-6]:%Y-%m-%d}"]
    assert found.history["time"].iloc[0] == pd.Timestamp("2019-01-01")


def test_dates_of_hours_have_their_hour(prices: pd.DataFrame, tmp_path: Path) -> None:
    hours = pd.date_range("2019-11-25", periods=1300, freq="h")
    found = basin.alarm(prices.assign(date=hours), event="min<=-0.04@5", out=tmp_path).found
    dates = [*found["test"], found["today"]["date"], *(each["event"] for each in found["missed"])]
    assert all(len(each) == len("2019-12-01 00:00") for each in dates)


def test_the_label_is_missing_where_the_event_may_still_follow(prices: pd.DataFrame, tmp_path: Path) -> None:
    """The last price is 10 % lower, so that a fall of 4 % has happened after each of the last five rows."""
    fallen = prices.copy()
    fallen.loc[1299, "close"] = 0.9 * fallen["close"].iloc[1294:1299].min()
    for event, last in (("min", [True] * 4 + [pd.NA]), ("end", [pd.NA] * 5)):
        found = basin.alarm(fallen, event=f"{event}<=-0.04@5", out=tmp_path / event)
        assert found.history["label"].dtype == "boolean"
        assert found.history["label"].iloc[-5:].tolist() == last
        assert not found.history["label"].iloc[:-5].isna().any()
        assert basin.load(tmp_path / event).history.equals(found.history)
        assert (tmp_path / event / "report.html").read_text().count("not yet known") > 2


def test_all_models_have_the_same_events(prices: pd.DataFrame, tmp_path: Path) -> None:
    found = basin.alarm(prices, event=EVENT, out=tmp_path).found
    dates = {
        model: sorted(entry["event"] for entry in [*part["caught"], *part["missed"]])
        for model, part in {**found["peers"], "ebm": found}.items()
    }
    assert len(dates["ebm"]) == found["episodes"] > 3
    assert all(dates[model] == dates["ebm"] for model in dates)
    assert all(1 <= entry["lead"] <= 5 for entry in found["caught"])


def test_an_input_called_as_a_model_is_a_model_of_its_own(prices: pd.DataFrame, tmp_path: Path) -> None:
    implied = np.random.default_rng(1).uniform(1, 2, len(prices))
    found = basin.alarm(prices.assign(base=implied), event=EVENT, exog="base", out=tmp_path).found
    assert len(found["models"]) == OWN_MODELS + 1
    assert found["models"]["base"] != found["models"]["base_"]


@pytest.mark.parametrize(("rows", "after"), [(500, 0), (813, 0), (800, 18)])
def test_a_file_without_a_year_to_simulate_is_refused(prices: pd.DataFrame, rows: int, after: int) -> None:
    """Of 500 rows no year has 750 before it, nor of 813 from March on. Of 800 the last 18 are in 2018."""
    dates = pd.bdate_range("2015-01-01" if after else "2015-03-01", periods=rows)
    short = prices[:rows].assign(date=dates)
    with pytest.raises(
        basin.BasinError, match=rf"{rows} rows .* {after} are in years with 750 .* 63 or more"
    ):
        basin.alarm(short, event="min<=-0.04@21")


def test_one_event_is_no_events() -> None:
    found = {
        "caught": [{}], "missed": [], "false_alarms_per_year": 0.0, "alarm_days": 0.1, "episodes": 1,
        "models": {}, "event": EVENT, "test": ["2019-01-01", "2019-12-31"], "base_rate": 0.1,
        "today": {"date": "2019-12-31", "probability": 0.1, "alarm": False, "threshold": None},
    }  # fmt: skip
    summary = basin.Alarm(Path("out"), found, pd.DataFrame(), ()).summary()
    assert "1 event," in summary and "1 event caught, 0 missed" in summary


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("event", ["min<=-0.5@5", "max>=0.5@5", "end>=0.0001@1", "min<=-0.0001@9"])
def test_an_event_that_never_or_often_occurs_has_no_warning_of_a_library(
    prices: pd.DataFrame, tmp_path: Path, event: str
) -> None:
    found = basin.alarm(prices, event=event, out=tmp_path)
    scores = {key: value for key, value in found.found["models"]["ebm"].items() if "interval" not in key}
    if found.found["episodes"]:
        assert None not in scores.values() and "auroc" in found.summary()
        return
    assert set(scores.values()) == {None}
    gains = found.found["paired"].values()
    assert {end for gain in gains for ends in gain.values() for end in ends} == {None}
    shown = [found.summary(), found._repr_html_(), (tmp_path / "report.html").read_text()]
    assert all("no event" in page and "brier" not in page for page in shown)
    assert "no event between" in shown[2] and "AUROC (0.5" not in shown[2]
