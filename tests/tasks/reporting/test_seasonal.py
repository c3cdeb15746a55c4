"""Seasonal sections: skill by month, reliability, categories and the plume."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.reporting.event_skill import reliability_points
from tasks.reporting.outlook import is_nino34, likelihood, outlook
from tasks.reporting.seasonal import few, heat_table, overlap, skill_cell
from tasks.scoring.categories import Past

MONTHLY = SimpleNamespace(frequency="MS", unit="°C anomaly", shown="nino34", measure="°C")
TIMES = pd.date_range("1980-01-01", periods=360, freq="MS")


def crps(ours: np.ndarray) -> pd.DataFrame:
    origin = TIMES - pd.DateOffset(months=3)
    table = pd.DataFrame({"series": "a", "origin": origin, "time": TIMES, "lead": 3})
    rng = np.random.default_rng(0)
    noise = 1 + 0.01 * rng.standard_normal(len(TIMES))
    return pd.concat(
        [table.assign(model="ebm", crps=ours * noise), table.assign(model="climatology", crps=noise)]
    )


def test_the_table_has_the_skill_of_each_month():
    html = heat_table(crps(np.where(TIMES.month == 5, 1.3, 0.5)), "climatology", MONTHLY)
    assert html.count("<tr") == 14 and html.count("+0.50") == 11
    assert html.count("−0.30") == 1 and "worse3" in html and "better4" in html
    assert html.count(">30<") == 12 and ">360<" in html


def test_a_cell_without_error_of_the_reference_has_a_dash():
    part = pd.DataFrame({"ebm": [0.1], "peer": [0.0], "origin": TIMES[:1], "time": TIMES[1:2]})
    assert skill_cell(part, "peer").words == "–"
    assert skill_cell(part.assign(peer=0.2), "peer").words == "+0.50"


def test_forecasts_of_neighbouring_months_overlap_and_those_of_one_month_do_not():
    rows = pd.DataFrame({"origin": TIMES - pd.DateOffset(months=6), "time": TIMES})
    assert overlap(rows) == 6 and overlap(rows[rows["time"].dt.month == 5]) == 1


def test_few_leads_include_both_ends():
    assert few([3]) == [3] and few([1, 3, 6]) == [1, 3, 6]
    assert few(list(range(1, 25)))[::7] == [1, 24] and len(few(list(range(1, 25)))) == 8


def test_consistency_intervals_hold_reliable_forecasts_and_exclude_others():
    rng = np.random.default_rng(3)
    probability = rng.random(4000)
    points = reliability_points(probability, rng.random(4000) < probability)
    assert sum(low <= share <= high for _, share, _, low, high in points) >= 8
    assert sum(count for _, _, count, _, _ in points) == 4000
    wrong = reliability_points(probability, rng.random(4000) < 0.5)
    assert sum(low <= share <= high for _, share, _, low, high in wrong) <= 3
    assert reliability_points(np.array([1.0]), np.array([True]))[0][:3] == (100, 100, 1)


def forecast(loc: float) -> dict[str, Any]:
    steps = [
        {
            "time": f"2010-{lead:02d}-01",
            "lead": lead,
            "normal": 26.0,
            "quantiles": {f"{u:.2f}": 26 + loc + 2 * (u - 0.5) for u in np.arange(1, 100) / 100},
        }
        for lead in (1, 3)
    ]
    return {"series": {"nino34": {"origin": "2009-12-01", "steps": steps}}}


def past() -> Past:
    times = TIMES.repeat(1)
    target = np.tile([-1.0, 0.0, 1.0], 120)[np.argsort(np.argsort(times.year % 3, kind="stable"))]
    inputs = pd.DataFrame({"series": "nino34", "time": times, "lead": 1, "target": target})
    return Past(inputs, pd.Timestamp("2010-01-01"), "MS")


def latest() -> dict[str, Any]:
    models = {
        m: {
            "mean": 0.0,
            "quantiles": {q: float(q) for q in ("0.01", "0.05", "0.25", "0.50", "0.75", "0.95", "0.99")},
        }
        for m in ("ebm", "base", "lim")
    }
    return {"nino34": {"1": models, "3": models}}


def test_the_outlook_has_every_model_the_thirds_and_el_nino():
    section = outlook(forecast(0.25), latest(), past(), "lim", MONTHLY)
    html = section.content
    assert "Linear inverse model" in html and "lower third" in html
    assert "El Niño" in html and '<polygon class="fan1"' in html
    # Uniform on (−0.75, 1.25): P(≤ −0.5) = 12.5 %, P(≥ 0.5) = 37.5 %
    assert ">13 %<" in html.replace("\u00a0", " ") or ">12 %<" in html
    assert ">38 %<" in html or ">37 %<" in html


def test_a_single_lead_has_no_plume_and_other_series_no_el_nino():
    one = forecast(0.0)
    one["series"]["nino34"]["steps"] = one["series"]["nino34"]["steps"][:1]
    assert "fan1" not in outlook(one, latest(), past(), "lim", MONTHLY).content
    other = SimpleNamespace(frequency="MS", unit="mm anomaly", shown="rain", measure="mm")
    assert "La Niña" not in outlook(forecast(0.0), latest(), past(), "lim", other).content
    assert outlook(forecast(0.0), {}, past(), "lim", MONTHLY).content


@pytest.mark.parametrize(
    ("name", "unit", "frequency", "found"),
    [
        ("NINO34_MEAN", "anomaly", "MS", True),
        ("Niño 3.4", "°C anomaly", "ME", True),
        ("nino3", "°C anomaly", "MS", False),
        ("nino12", "°C anomaly", "MS", False),
        ("nino34", "hPa anomaly", "MS", False),
        ("lag", "anomaly", "MS", False),
        ("nino34", "°C anomaly", "QS", False),
    ],
)
def test_el_nino_is_stated_for_monthly_nino34_alone(name, unit, frequency, found):
    assert is_nino34(name, SimpleNamespace(frequency=frequency, unit=unit)) is found


def test_probabilities_that_quantiles_do_not_resolve_are_bounds():
    assert [likelihood(p) for p in (0.005, 0.01, 0.254, 0.99, 0.995)] == [
        "< 1 %",
        "< 1 %",
        "25 %",
        "> 99 %",
        "> 99 %",
    ]
