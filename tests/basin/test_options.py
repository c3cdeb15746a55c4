"""Options in Python: those of the command line, one element or several, and none without an effect."""

import inspect
import re
from datetime import date
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.main import get_command

import basin
from basin.options import EXPECTED, BadRow
from flows.cli.app import app
from tasks.runtime.keywords import FLAGS, NUMBERS, OPTIONS
from tasks.userdata.request import Request

FRAME = pd.DataFrame({"close": range(100, 400)}, index=pd.bdate_range("2020-01-01", periods=300))
SHOWN = {"--help", "--json", "--quiet"}
"""Options of what a command prints."""

FUNCTIONS = ("inspect", "forecast", "backtest", "alarm", "audit", "field")
REQUIRED: dict[str, dict[str, Any]] = {"alarm": {"event": "min<=-0.08@21"}}


def options(function: str) -> set[str]:
    return set(inspect.signature(getattr(basin, function)).parameters) - {"data"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_option_is_one_of_the_command(function: str) -> None:
    command = get_command(app).commands[function]
    command = command.commands["fit"] if function == "field" else command
    known = {parameter.name for parameter in command.params if not SHOWN & set(parameter.opts)}
    known -= {"data", "domain", "root"}
    added = {"model"} if function == "field" else set()
    assert options(function) == known | added


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("option", "meant"), [("foo", None), ("timme", "time"), ("overwritte", "overwrite")])
def test_an_unknown_option_is_named_with_the_options_that_there_are(
    function: str, option: str, meant: str | None
) -> None:
    known = sorted(options(function))
    close = rf" \(did you mean {meant}\?\)" if meant in known else ".*"
    with pytest.raises(TypeError, match=f"^basin.{function}: unknown option {option}{close}; .*") as caught:
        getattr(basin, function)(FRAME, **REQUIRED.get(function, {}), **{option: 1})
    assert str(caught.value).endswith(f"expected one of {', '.join(known)}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Requests of forecasts, backtests and alarms, which are not run."""
    requests: list[Request] = []

    def run(data: Any, request: Request, *others: Any, **options: Any) -> basin.Forecast:
        requests.append(request)
        return basin.Forecast(Path(), {}, ())

    for name in ("forecast", "backtest", "alarm"):
        monkeypatch.setattr(f"tasks.userdata.run.{name}", run)
    return requests


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({}, (1,)),
        ({"horizon": 3}, (1, 2, 3)),
        ({"horizon": np.int64(2)}, (1, 2)),
        ({"leads": 5}, (5,)),
        ({"leads": range(1, 4)}, (1, 2, 3)),
        ({"leads": np.array([3, 6])}, (3, 6)),
    ],
)
def test_steps_are_a_horizon_or_leads(
    asked: list[Request], given: dict[str, Any], steps: tuple[int, ...]
) -> None:
    basin.forecast(FRAME, **given)
    basin.backtest(FRAME, **given)
    assert [request.leads for request in asked] == [steps, steps]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"horizon": 3, "leads": 3}, "horizon and leads exclude each other; give one of them"),
        ({"target": []}, "target= has no column; give the columns to forecast, or omit target="),
        ({"horizon": 0}, "horizon 0: expected at least 1 step"),
        ({"horizon": 2.5}, "horizon=2.5: expected a whole number, found float"),
        ({"leads": "3"}, "leads 3: expected whole numbers of steps"),
        ({"leads": [1, True]}, r"leads \[1, True\]: expected whole numbers of steps"),
        ({"leads": []}, r"leads=\[\]: expected different numbers of steps"),
        ({"targets": "close"}, "targets='close': expected \"all\""),
    ],
)
def test_steps_and_targets_that_are_none_are_refused(given: dict[str, Any], refused: str) -> None:
    with pytest.raises(basin.BasinError, match=f"^{refused}"):
        basin.forecast(FRAME, **given)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"seeds": "2"}, "seeds='2': expected a whole number, found str"),
        ({"refit": 2.0}, r"refit=2.0: expected a whole number, found float"),
        ({"freq": pd.offsets.MonthBegin()}, "freq=<MonthBegin>: expected a text, found MonthBegin"),
        ({"calendar": 1}, "calendar=1: expected a text, found int"),
        ({"kind": True}, "kind=True: expected a text, found bool"),
        ({"on_bad_row": None}, "on_bad_row=None: expected a text, found NoneType"),
        ({"seeds": None}, "seeds=None: expected a whole number, found NoneType"),
        ({"seeds": True}, "seeds=True: expected a whole number, found bool"),
        ({"horizon": np.True_}, r"horizon=np.True_: expected a whole number, found bool"),
        ({"dev": 1}, "dev=1: expected True or False, found int"),
        ({"strict": "no"}, "strict='no': expected True or False, found str"),
        ({"overwrite": FRAME}, r"overwrite=[^\n]{,60} \.\.\.: expected True or False, found DataFrame$"),
        ({"out": 3}, "out=3: expected a path, found int"),
        ({"accept": {1: "x"}}, r"accept=\{1: 'x'\}: expected a dictionary of checks and reasons"),
        ({"accept": {"gaps": None}}, r"accept=\{'gaps': None\}: expected a dictionary"),
        ({"peers": [1]}, r"peers=\[1\]: expected a text or several"),
        ({"accept": ["coverage"]}, r"accept=\['coverage'\]: expected a dictionary of checks and reasons"),
        ({"test_from": 2014}, "test_from 2014: not a date"),
        ({"test_from": pd.NaT}, "test_from NaT: not a date"),
        ({"test_from": "2.3.2014"}, "test_from 2.3.2014: not a date; write it as in 2014-01-01"),
    ],
)
def test_an_option_of_another_type_is_refused(given: dict[str, Any], refused: str) -> None:
    with pytest.raises(basin.BasinError, match=f"^{refused}"):
        basin.backtest(FRAME, **given)


def test_further_options_of_another_type_are_refused() -> None:
    with pytest.raises(basin.BasinError, match=r"^events=-2: expected a text or several"):
        basin.forecast(FRAME, events=-2)  # type: ignore[arg-type]
    with pytest.raises(basin.BasinError, match=r"^model=3: expected a result of backtest or forecast"):
        basin.forecast(FRAME, model=3)  # type: ignore[arg-type]
    for budget in ("2", True, float("nan")):
        with pytest.raises(basin.BasinError, match=r"^max_false_alarms_per_year=\S+: expected"):
            basin.alarm(FRAME, "min<=-0.08@21", max_false_alarms_per_year=budget)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_type_of_every_simple_option_is_checked(function: str) -> None:
    path = str | PathLike[str] | None
    simple = (str, str | None, path, bool, int, int | None, float, "Kind | None", BadRow)
    known = inspect.signature(getattr(basin, function)).parameters.values()
    own = {"event", "model", "until"}  # with checks of their own
    found = {parameter.name for parameter in known if parameter.annotation in simple} - own
    assert found <= {name for _, names in EXPECTED.values() for name in names}


def test_types_of_numpy_are_those_of_python(asked: list[Request]) -> None:
    basin.backtest(FRAME, dev=np.True_, seeds=np.int64(2), test_from="2020-06-01")
    assert (asked[0].dev, asked[0].seeds) == (True, 2)
    assert type(asked[0].dev) is bool and type(asked[0].seeds) is int


def test_none_is_no_input(asked: list[Request]) -> None:
    basin.backtest(FRAME, exog=None, peers=None, accept=None)
    assert (asked[0].exog, asked[0].peers, asked[0].accept) == ((), None, ())


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"kind": "prise"}, 'kind="prise": expected one of'),
        (
            {"test_from": "2021", "test_to": "2020"},
            'test_to="2020-01-01": expected a date on or',
        ),
        ({"dev": True}, "dev=True must not read .*; give test_from="),
        ({"freq": "W"}, 'the frame: freq="W": rows are 1 day apart, .*; omit freq=, or pass resample="W"'),
        ({"exog": "x", "horizon": 2}, 'the frame: exog="x": .*; omit exog=, or omit horizon= and leads='),
    ],
)
def test_a_refusal_names_keywords(given: dict[str, Any], refused: str) -> None:
    with pytest.raises(basin.BasinError, match=f"^{refused}"):
        basin.backtest(FRAME.assign(x=1.0 + np.arange(300) % 7), target="close", **given)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"calendar": "New York"}, 'calendar="New York": no such exchange'),
        ({"kind": "my kind"}, 'kind="my kind": expected one of'),
        ({"freq": "5 min"}, 'freq="5 min": expected one of'),
        ({"resample": "it's"}, 'resample="it\'s": expected one of'),
        ({"on_bad_row": "a: b"}, 'on_bad_row="a: b": expected one of'),
        ({"events": "a b"}, 'events="a b": expected a threshold'),
        ({"accept": {"a b": "x"}}, 'accept={"a b": "..."}: no such check'),
        ({"accept": {"coverage": "a, b"}}, 'accept={"coverage": "a, b"}: expected a reason'),
        ({"model": "/no such dir/m"}, 'model="/no such dir/m": no config.json there'),
    ],
)
def test_values_with_blanks_are_shown_as_in_python(given: dict[str, Any], refused: str) -> None:
    with pytest.raises(basin.BasinError, match=f"^{re.escape(refused)}"):
        basin.forecast(FRAME, **given)


def test_all_keywords_are_translated_from_options() -> None:
    names = {name.replace("_", "-") for function in FUNCTIONS for name in options(function)}
    assert set(OPTIONS) == names | {"data"} and set(FLAGS) | set(NUMBERS) <= names


def test_why_data_cannot_be_forecast_names_keywords() -> None:
    minutes = pd.date_range("2020", periods=2000, freq="7min")
    refusal = basin.inspect(pd.Series(np.arange(2000) % 50, minutes), kind="level").refusal
    assert refusal is not None and "resample=" in refusal and "--" not in refusal


def test_a_text_is_one_element_and_dates_are_days(asked: list[Request]) -> None:
    basin.forecast(FRAME, exog="vix", events="<=-2", targets="all", accept={"coverage": "a known holiday"})
    basin.backtest(
        FRAME, target=["a", "b"], peers="garch", test_from="2014", test_to=pd.Timestamp("2015-02-03")
    )
    basin.backtest(FRAME, target="a", peers="auto", test_from=date(2014, 1, 2))
    first, second, third = asked
    assert (first.exog, first.events, first.all_targets) == (("vix",), ("<=-2",), True)
    assert first.accept == (("coverage", "a known holiday"),)
    assert (second.targets, second.peers) == (("a", "b"), ("garch",))
    assert (second.test_from, second.test_to) == (date(2014, 1, 1), date(2015, 2, 3))
    assert (third.targets, third.peers, third.test_from) == (("a",), None, date(2014, 1, 2))


def test_what_is_no_date_is_refused() -> None:
    with pytest.raises(basin.BasinError, match=r"^test_from soon: not a date; write it as in 2014-01-01"):
        basin.backtest(FRAME, test_from="soon")
