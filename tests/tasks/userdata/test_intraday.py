"""Intraday bars: the first bar of a day spans the night, so that its forecast is wider than the others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.checks.data import _differences
from tasks.forecasters.sample_paths import filtered_bootstrap
from tasks.reporting.labels import dated
from tasks.runtime.params import FeatureParams
from tasks.userdata.files.table import from_frame
from tasks.userdata.inspection import inspect
from tasks.userdata.plan import planned
from tasks.userdata.reading import understand
from tasks.userdata.request import Request
from tasks.userdata.run import forecast
from tasks.userdata.time_of_day import bars as even_bars


def bars(days: int = 90, wide: float = 3.0) -> pd.DataFrame:
    opened = pd.bdate_range("2024-01-02", periods=days)
    times = [day + pd.Timedelta(hours=9.5 + k) for day in opened for k in range(7)]
    move = np.random.default_rng(0).normal(0, 0.003, len(times))
    move[::7] *= wide
    return pd.DataFrame({"time": times, "close": 100 * np.exp(np.cumsum(move))})


def test_the_first_bar_of_a_day_is_as_wide_as_it_is_and_no_row_looks_ahead() -> None:
    reading = understand(from_frame(bars(), "bars"), Request())
    assert reading.freq == "h"
    domain, _, reading = planned(reading, Request(), "bars")
    params = FeatureParams(refit=200, min_rows=120)
    table = reading.table.reset_index(drop=True)
    inputs, classical = domain.features(table, params)
    base = classical[classical["model"] == "scale-regression"].merge(inputs, on=["series", "origin", "lead"])
    opening = base["time"].dt.hour == 9
    assert base.loc[opening, "scale"].median() > 2 * base.loc[~opening, "scale"].median()
    spread = (base["target"] - base["loc"]) / base["scale"]
    assert 0.7 < spread[opening].std() / spread[~opening].std() < 1.4

    cut = table["time"].iloc[500]
    then = domain.features(table[table["time"] <= cut], params, start=cut)
    for past, now, keys in zip(then, (inputs, classical), (["series"], ["series", "model"]), strict=True):
        assert max(_differences(past, now, cut, keys).values()) == 0


def test_the_next_bar_and_its_hour_are_named() -> None:
    reading = understand(from_frame(bars(), "bars"), Request())
    last = reading.table["time"].max()
    assert reading.calendar.following(last)[0].hour == 9
    assert reading.calendar.following(last - pd.Timedelta(hours=1))[0] == last


def test_paths_are_wide_where_the_day_begins_and_the_rows_before_decide() -> None:
    reading = understand(from_frame(bars(), "bars"), Request())
    times = pd.DatetimeIndex(reading.table["time"])
    values = reading.table[["close"]].to_numpy()
    table = even_bars(times, values, "price", reading.freq, reading.calendar)
    move = np.diff(np.log(table.even[200:, 0]))
    opening = times[201:].hour == 9
    assert 0.8 < move[opening].std() / move[~opening].std() < 1.25

    origin = 400
    ahead = reading.calendar.following(times[origin], 14)
    assert list(ahead) == list(times[origin + 1 : origin + 15])
    rng = np.random.default_rng(0)
    path = filtered_bootstrap(table.even[: origin + 1], 14, 4000, rng)
    wide = table.widened(path, origin)
    step = np.diff(np.log(np.concatenate([np.full((4000, 1), values[origin, 0]), wide[:, :, 0]], axis=1)))
    spread = step.std(axis=0)
    assert spread[ahead.hour == 9].min() > 2 * spread[ahead.hour != 9].max()

    shorter = even_bars(times[: origin + 1], values[: origin + 1], "price", reading.freq, reading.calendar)
    np.testing.assert_array_equal(shorter.even, table.even[: origin + 1])
    np.testing.assert_array_equal(shorter.widened(path, origin), wide)


def test_days_are_not_widened() -> None:
    times, values = pd.bdate_range("2024-01-01", periods=80), np.arange(1.0, 81.0)[:, None]
    reading = understand(from_frame(bars(), "bars"), Request())
    table = even_bars(times, values, "level", "B", reading.calendar)
    path = values[None, :5]
    assert table.even is values
    assert table.widened(path, 3) is path


@pytest.mark.parametrize("leads", [(1,), (1, 2, 3)])
def test_midnight_has_its_hour(tmp_path: Path, leads: tuple[int, ...]) -> None:
    times = pd.date_range("2024-01-02", periods=24 * 40, freq="h")
    close = 100 * np.exp(np.random.default_rng(0).normal(0, 0.003, len(times)).cumsum())
    frame = pd.DataFrame({"time": times, "close": close})
    found = inspect(frame, Request(kind="price")).rows
    assert found["dates"].endswith("2024-01-02 00:00 to 2024-02-10 23:00")
    assert found["next date"] == "2024-02-11 00:00"
    result = forecast(frame, Request(kind="price", leads=leads, seeds=1), tmp_path)
    assert "data to 2024-02-10 23:00, forecast for 2024-02-11 00:00" in result.summary()
    assert "2024-02-11 00:00</" in result._repr_html_()
    assert result.steps["series"]["close"]["history"]["time"][0] == "2024-02-06 00:00"
    assert dated("2024-02-11 00:00", "h") == "2024-02-11 00:00" and dated("2024-02-11", "h") == "2024-02-11"
