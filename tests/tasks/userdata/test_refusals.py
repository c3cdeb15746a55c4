"""Refusals of a user's file name the file, what was found in it, and a remedy that works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import basin
from tasks.runtime.errors import BasinError

EVENT = "min<=-0.08@21"


def prices(rows: int, **columns: Any) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal(rows)))
    return pd.DataFrame({"date": pd.bdate_range("2015-01-01", periods=rows), "close": close.round(2)} | columns)


COMMANDS: dict[str, Callable[..., Any]] = {
    "forecast": basin.forecast,
    "backtest": basin.backtest,
    "horizon": lambda data, **options: basin.forecast(data, leads=range(1, 6), **options),
    "alarm": lambda data, **options: basin.alarm(data, event=EVENT, **options),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("rows", "options"), [(60, {}), (400, {"exog": ["none"]}), (60, {"strict": True})]
)
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
