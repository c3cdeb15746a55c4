"""The options of joint forecasts on the command line."""

from pathlib import Path
from typing import Any

import pytest

from flows.cli.app import app
from tasks.userdata import run
from tasks.userdata.request import Request
from tests.flows.cli.test_applications import basin
from tests.synthetic_tables import panel


@pytest.mark.parametrize("command", ["forecast", "backtest"])
def test_weights_are_read_from_a_table_or_equal(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []

    def stop(data: Path, request: Request, *others: Any) -> None:
        asked.append(request)
        raise SystemExit(0)

    monkeypatch.setattr(run, command, stop)
    (tmp_path / "weights.csv").write_text("series;calm;bold\nA;0,6;1,5\nB;0,4;-0,5\n")
    for weights in (str(tmp_path / "weights.csv"), "equal"):
        with pytest.raises(SystemExit):
            app([command, "--data", "stocks.csv", "--jointly", "--weights", weights, "--out", "out"])
    assert asked[0].weights == {"calm": {"A": 0.6, "B": 0.4}, "bold": {"A": 1.5, "B": -0.5}}
    assert asked[0].jointly and asked[1].weights == {}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("series,w\nA,0.5\nA,0.5\n", "the series A has several rows; give one row for each series"),
        ("A\nB\n", "1 rows and 1 columns; give a table with the names of the series in the first column"),
        ("series,w\nA,1\nB,x\n", "the weight of B in w is 'x'; expected a number"),
        ("series,w\nA,1\nZ,0\n", "weights: no series Z; expected some of A, B, C, D"),
    ],
)
def test_wrong_weights_end_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: str, message: str
) -> None:
    panel(0).to_csv(tmp_path / "stocks.csv")
    (tmp_path / "weights.csv").write_text(weights)
    options = ("--weights", tmp_path / "weights.csv", "--out", tmp_path / "out")
    line = basin(capsys, "forecast", "--data", tmp_path / "stocks.csv", "--jointly", *options)
    assert message in line
