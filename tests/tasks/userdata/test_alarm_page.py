"""Report and picture of an alarm: what they say where the model is behind, and false alarms."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import basin
from tasks.userdata.alarm_page import alarm_page

TIMES = pd.bdate_range("2020-01-01", periods=60)


def made_up() -> tuple[dict[str, Any], pd.DataFrame]:
    """Return an alarm that the event followed, from row 10, and a false one, from row 40."""
    label = pd.Series(range(60)).isin(range(5, 15)).astype("boolean")
    history = pd.DataFrame({"time": TIMES, "probability": 0.2, "threshold": 0.1, "label": label})
    history["alarm"] = history.index.isin([*range(10, 20), *range(40, 45)])
    keys = ("auroc", "ap", "brier_skill", "calm_auroc")
    score = {key: 0.05 for key in keys} | {f"{key}_interval": [-0.1, 0.2] for key in keys}
    days = [f"{time:%Y-%m-%d}" for time in TIMES]
    outcome = {
        "caught": [{"event": days[15], "date": days[10], "lead": 5}],
        "missed": [{"event": days[30]}],
        "false_alarms": [{"from": days[40], "to": days[44]}],
        "false_alarms_per_year": 2.05,
        "alarm_days": 0.02,
    }
    found = {
        "event": "min<=-0.05@21",
        "test": [days[0], days[-1]],
        "models": {
            "ebm": score,
            "base": score | {"brier_skill": 0.08},
            "logit": score | {"brier_skill": 0.06},
        },
        "paired": {"base": {"brier_skill": [-0.05, -0.01]}, "logit": {"brier_skill": [-0.05, 0.06]}},
        "peers": {"base": outcome, "logit": outcome | {"caught": 2 * outcome["caught"], "missed": []}},
        "budget": 2.0,
        "base_rate": 0.17,
        "today": {"date": days[-1], "probability": 0.168, "threshold": 0.3, "alarm": False},
        **outcome,
    }
    return found, history


@pytest.fixture
def page() -> str:
    return alarm_page("prices", *made_up(), [])


def test_the_headline_says_where_the_model_is_behind(page: str) -> None:
    (headline,) = re.findall("<h1>(.*?)</h1>", page)
    assert "The alarms of logistic regression, its strongest rival, preceded 2." in headline
    assert "clearly worse than that of its own base (0.050 against 0.080)." in headline


def test_a_budget_that_is_exceeded_is_not_rounded_away(page: str) -> None:
    assert "2.05 false alarms a year (budget 2.00)" in page


def test_the_gain_in_brier_skill_stands_above_its_interval(page: str) -> None:
    assert "−0.030<small>−0.050 to −0.010</small>" in page and "−0.010<small>−0.050 to +0.060</small>" in page


def test_the_picture_tells_false_alarms_from_others() -> None:
    found, history = made_up()
    (axes,) = basin.Alarm(Path("out"), found, history, ()).plot().axes
    dots = {line.get_label(): line for line in axes.lines if line.get_marker() == "o"}
    assert {name: len(line.get_xdata()) for name, line in dots.items()} == {"alarm": 10, "false alarm": 5}
    assert dots["false alarm"].get_markerfacecolor() == "white"
