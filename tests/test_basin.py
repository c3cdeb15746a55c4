"""Python interface: unknown options, and results that read as text."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import basin

FRAME = pd.DataFrame({"date": pd.bdate_range("2020-01-01", periods=300), "close": range(100, 400)})
REQUIRED: dict[str, dict[str, Any]] = {
    "inspect": {},
    "backtest": {"out": "out"},
    "forecast": {"out": "out"},
    "alarm": {"out": "out", "event": "min<=-0.08@21"},
}


@pytest.mark.parametrize("function", REQUIRED)
@pytest.mark.parametrize(
    ("option", "meant"), [("foo", None), ("on_badrow", "on_bad_row"), ("horizon", "leads"), ("kinds", "kind")]
)
def test_an_unknown_option_is_named_with_the_options_that_there_are(
    function: str, option: str, meant: str | None
) -> None:
    said = f"^basin.{function}: unknown option {option}" + (f" .did you mean {meant}.." if meant else "")
    with pytest.raises(TypeError, match=rf"{said}; expected one of .*\bfreq\b.*\btime\b"):
        getattr(basin, function)(FRAME, **REQUIRED[function], **{option: 1})


def test_lists_and_dates_may_be_given_to_inspect_as_to_the_others() -> None:
    found = basin.inspect(FRAME, target=["close"], exog=[], leads=[1], test_from="2021-01-04")
    assert found.refusal is None
    assert basin.inspect(FRAME.assign(VIX=20.0), target="close", exog="VIX").reading.exog == ("VIX",)


def test_an_inspection_reads_as_the_table_of_the_command() -> None:
    found = basin.inspect(FRAME)
    assert repr(found) == str(found) == found.summary()
    lines = repr(found).splitlines()
    assert lines[0].split() == ["dates", "column", "date,", "2020-01-01", "to", "2021-02-23"]
    assert "- frequency B: rows are 1 day apart" in lines
    assert lines[-1].startswith("- ") and "cannot be forecast" not in lines[-1]
    short = basin.inspect(FRAME[:60])
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
