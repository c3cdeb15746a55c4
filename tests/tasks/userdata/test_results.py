"""Results are tables and pictures that can be read."""

from pathlib import Path

import pandas as pd

from tasks.runtime.files import read_json
from tasks.userdata.results import Backtest, Forecast
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


def test_a_forecast_reads_as_lines_quantiles_and_a_density(tmp_path: Path) -> None:
    workspace = project(tmp_path, "finance", rows=300)
    result = Forecast(tmp_path, read_json(workspace.forecast), ())
    assert result.summary().startswith("sp500: data to ")
    assert list(result.quantiles.index.names) == ["series", "time", "lead"]
    assert (result.quantiles["0.95"] > result.quantiles["0.05"]).all()
    assert len(result.plot().axes[0].get_lines()) == 2
