"""Forecasts of levels in words: the value in its unit, its anomaly, the base period, and the lowest value."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.reporting.forecast import forecast_section, levels, sentence
from tasks.reporting.labels import CHANGE, forecast_mean, span
from tasks.reporting.tables import forecast_lines

MONTHS = SimpleNamespace(frequency="MS")


def step(**more: Any) -> dict[str, Any]:
    y = np.linspace(26, 29, 7)
    return {
        "time": "2021-01-01",
        "lead": 1,
        "tilt_weight": 1.0,
        "mean": 27.4,
        "interval_90": [26.9, 28.0],
        "quantiles": {f"{q:.2f}": 26.4 + 2 * q for q in np.arange(1, 100) / 100},
        "events": {">= 0.5": 0.6, "<= -0.5": 0.001},
        "density": {"y": y.tolist(), "p": np.ones(7).tolist()},
        "anomaly": {"mean": 0.6, "interval_90": [0.1, 1.2]},
        "normal": 26.8,
        "base_period": ["1991-01-01", "2020-12-01"],
        **more,
    }


def forecast(**more: Any) -> dict[str, Any]:
    return {"unit": "°C", "series": {"sst": {"origin": "2020-12-01", "steps": [step(**more)]}}}


def test_a_printed_line_has_value_anomaly_and_base_period() -> None:
    (line,) = forecast_lines(forecast())
    assert line == (
        "sst: data to 2020-12-01, forecast for 2021-01-01: mean 27.40 °C (+0.60 °C from the mean of "
        "1991-2020), 90 % within [26.90, 28.00] °C; P(anomaly >= 0.5) = 60.0 %, P(anomaly <= -0.5) = 0.1 %"
    )
    (line,) = forecast_lines(forecast(mass_at_lowest=0.25))
    assert line.endswith("P(lowest value) = 25.0 %")


def test_values_without_a_known_unit_are_shown_without_one() -> None:
    unknown = {**forecast(), "unit": ""}
    (line,) = forecast_lines(unknown)
    assert "mean 27.40 (+0.60 from the mean of 1991-2020), 90 % within [26.90, 28.00]; P(" in line
    said = sentence(unknown["series"]["sst"], MONTHS, "")
    assert "a mean of 27.40 (+0.60 from" in said and "from 26.90 to 28.00. The" in said


def test_a_series_of_anomalies_has_no_mean_as_normal() -> None:
    anomalies = forecast(normal=0.0)
    (line,) = forecast_lines(anomalies)
    words = sentence(anomalies["series"]["sst"], MONTHS, "°C")
    past = pd.DataFrame(
        {"series": "sst", "lead": 1, "time": pd.date_range("2019-01-01", periods=24, freq="MS")}
    )
    html = forecast_section(
        anomalies, past.assign(observed=0.1, **{"q0.05": -1.0, "q0.95": 1.0}), MONTHS
    ).content
    for text in (line, words, html):
        assert "alues are anomalies: their normal is 0" in text and "the mean of 1991" not in text


def test_the_report_has_value_anomaly_normal_and_base_period() -> None:
    words = sentence(forecast(mass_at_lowest=0.25)["series"]["sst"], MONTHS, "°C")
    assert "a mean of 27.40 °C (+0.60 °C from the mean of 1991-2020)" in words
    assert "probability of an anomaly of 0.5 or higher is 60.0 %" in words
    assert "The lowest possible value has a probability of 25.0 % of its own." in words
    times = pd.date_range("2019-01-01", periods=24, freq="MS")
    past = pd.DataFrame({"series": "sst", "lead": 1, "time": times, "observed": 27.0})
    past = past.assign(**{"q0.05": 26.0, "q0.95": 28.0})
    html = forecast_section(forecast(), past, MONTHS).content
    assert "P(anomaly ≥ 0.5)" in html and "the mean of 1991-2020" in html
    # The threshold of the event is drawn in the unit of the value.
    assert "above 27.3" in html


def test_past_forecasts_become_levels() -> None:
    keys = {"series": "sst", "origin": pd.to_datetime(["2000-01-01", "2000-02-01"]), "lead": 1}
    past = pd.DataFrame({**keys, "observed": [1.0, -1.0], "q0.05": [-3.0, -2.0], "q0.95": [2.0, 2.0]})
    inputs = pd.DataFrame({**keys, "normal": [2.0, 5.0]}).iloc[::-1]
    found = levels(past, inputs, 0.0)
    assert found["observed"].tolist() == [3.0, 4.0]
    assert found["q0.05"].tolist() == [0.0, 3.0] and found["q0.95"].tolist() == [4.0, 7.0]
    assert levels(past, inputs, None)["q0.05"].tolist() == [-1.0, 3.0]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("1991-01-01", "2020-12-01", "1991-2020"),
        ("1987-08-01", "2017-07-01", "1987-08-01 to 2017-07-01"),
        ("2020-01-01", "2020-12-31", "2020-01-01 to 2020-12-31"),
    ],
)
def test_a_base_period_of_whole_years_is_named_by_them(first: str, last: str, words: str) -> None:
    assert span(first, last) == words


def test_months_have_one_form_on_a_page() -> None:
    assert span("1987-08-01", "2017-07-01", "MS") == "August 1987 to July 2017"
    of = ["1987-08-01", "2017-07-01"]
    past = pd.DataFrame({"series": "sst", "lead": 1, "time": pd.to_datetime(["2020-11-01", "2020-12-01"])})
    past = past.assign(**{"observed": [27.0, 27.1], "q0.05": [26.0, 26.0], "q0.95": [28.0, 28.0]})
    html = forecast_section(forecast(base_period=of), past, MONTHS).content
    assert "August 1987 to July 2017" in html and "-01 to" not in html


def test_a_narrow_forecast_of_a_rate_has_more_decimals_and_its_unit_in_words() -> None:
    narrow = {"time": "2020-01-02", "mean": -0.0123, "interval_90": [-0.0914, 0.0826], "tilt_weight": 1.0}
    content = {
        "unit": CHANGE,
        "series": {"us10y": {"origin": "2020-01-01", "steps": [narrow | {"events": {}}]}},
    }
    (line,) = forecast_lines(content)
    assert line.endswith("mean -0.012, 90 % within [-0.091, +0.083] (change of the rate)")
    assert forecast_mean(narrow, CHANGE, "B") == "−0.012 (change of the rate)"
