"""Results are tables and pictures that can be read."""

from pathlib import Path

import pandas as pd
import pytest

from tasks.runtime.files import read_json
from tasks.userdata.backtest_result import Backtest
from tasks.userdata.forecast_result import Forecast
from tests.synthetic import project


def test_a_backtest_reads_as_a_table_and_plots(tmp_path: Path) -> None:
    workspace = project(tmp_path, "finance", rows=300)
    forecasts = pd.read_parquet(workspace.forecasts)
    result = Backtest(tmp_path, read_json(workspace.scores), forecasts, ("kind price: ...",), "egarch-skewt")
    text = result.summary()
    for said in ("log score", "egarch-skewt", "sp500", "- kind price"):
        assert said in text
    above, below = result.plot().axes
    assert [line.get_label() for line in below.get_lines()][:2] == ["over egarch-skewt", "over base"]
    ours, theirs = (forecasts[forecasts["model"] == m]["log_density"].to_numpy() for m in ("ebm", "base"))
    days = forecasts["time"].nunique()
    assert abs(below.get_lines()[1].get_ydata()[-1] - (ours - theirs).mean() * days) < 1e-9
    assert above.get_ylabel() == "%"
    assert (
        above.get_title() == "NASDAQ: outcomes and the intervals forecast for them, latest 250 of 300 dates"
    )
    assert below.get_title() == "Gain in log score of the energy model, mean over 2 series, all dates"


def test_a_forecast_reads_as_lines_quantiles_and_a_density(tmp_path: Path) -> None:
    workspace = project(tmp_path, "finance", rows=300)
    result = Forecast(tmp_path, read_json(workspace.forecast), ())
    assert result.summary().startswith("sp500: data to ")
    assert list(result.quantiles.index.names) == ["series", "time", "lead"]
    assert (result.quantiles["0.95"] > result.quantiles["0.05"]).all()
    frame = result.to_frame()
    assert list(frame["series"]) == ["sp500", "nasdaq"] and {"q0.025", "q0.50", "es_0.01"} <= set(frame)
    titles = [axes.get_title(loc="left") for axes in result.plot().axes]
    assert titles[0] == "S&P 500" and titles[1].endswith("mean 0.3 (dashed)") and len(titles) == 4
    table = result._repr_html_()
    assert table.count("<tr>") == 3 and "VaR 1 %" in table and "&lt;= -2" in table


def test_pictures_are_shown_by_notebooks_without_pyplot(tmp_path: Path) -> None:
    from matplotlib import pyplot

    workspace = project(tmp_path, "finance", rows=300)
    result = Forecast(tmp_path, read_json(workspace.forecast), ())
    assert result.plot()._repr_png_() == result.plot()._repr_png_() and result.plot().png()[1:4] == b"PNG"
    assert pyplot.get_fignums() == []


def test_dates_of_a_picture_are_few_and_name_each_year_once(tmp_path: Path) -> None:
    steps = read_json(project(tmp_path, "finance", rows=300).forecast)
    times = pd.date_range(end=steps["series"]["sp500"]["origin"], periods=120, freq="7D")  # 2013 to 2015
    history = {"time": [f"{time:%Y-%m-%d}" for time in times], "value": list(range(120))}
    steps["series"] = {"sp500": steps["series"]["sp500"] | {"history": history}}
    picture = Forecast(tmp_path, steps, ()).plot()
    picture.draw_without_rendering()
    labels = [label.get_text() for label in picture.axes[0].get_xticklabels()]
    assert labels == ["2013", "Jul", "2014", "Jul", "2015"]


def test_names_with_dollars_are_no_formulas(tmp_path: Path) -> None:
    steps = read_json(project(tmp_path, "finance", rows=300).forecast)
    steps["series"] = {r"$\no_{formula$": steps["series"]["sp500"]}
    assert Forecast(tmp_path, steps, ()).plot().png()[1:4] == b"PNG"


@pytest.mark.parametrize("dates", [1, 2, 300])
def test_a_backtest_of_few_dates_or_without_a_tilt_is_drawn(tmp_path: Path, dates: int) -> None:
    workspace = project(tmp_path, "finance", rows=300)
    forecasts = pd.read_parquet(workspace.forecasts)
    last = forecasts["time"] >= sorted(forecasts["time"].unique())[-dates]
    result = Backtest(tmp_path, read_json(workspace.scores), forecasts[last], (), "egarch-skewt")
    picture = result.plot()
    above, below = picture.axes
    drawn = [c for c in above.collections if c.get_paths()]
    low, high = above.get_ylim()
    ours = forecasts[last & (forecasts["model"] == "ebm") & (forecasts["series"] == "nasdaq")].tail(250)
    assert len(drawn) == 2 and low < ours["observed"].min() and ours["observed"].max() < high
    assert all(line.get_marker() == ("." if dates < 40 else "None") for line in below.get_lines()[:2])
    assert "no weight" not in below.get_title()
    base = forecasts[forecasts["model"] == "base"].assign(model="ebm")
    same = pd.concat([base, forecasts[forecasts["model"] != "ebm"]], ignore_index=True)
    plain = Backtest(tmp_path, result.scores, same, (), "egarch-skewt").plot()
    assert plain.axes[1].get_title().endswith("which is its base, as the energy has no weight")
