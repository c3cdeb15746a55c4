"""`basin.alarm` on files with rows left out, without the event, or of another kind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import basin
from tasks.events import scores, simulation

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


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("event", ["min<=-0.5@5", "max>=0.5@5", "end>=0.0001@1", "min<=-0.0001@9"])
def test_an_event_that_never_or_often_occurs_has_no_warning_of_a_library(
    prices: pd.DataFrame, tmp_path: Path, event: str
) -> None:
    found = basin.alarm(prices, event=event, out=tmp_path)
    assert found.found["models"]["ebm"]["brier_skill_interval"][0] is not None
    if not found.found["episodes"]:
        assert found.found["models"]["ebm"]["auroc_interval"] == [None, None]
        assert "0 events caught, 0 missed" in found.summary()
