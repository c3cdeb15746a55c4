"""Risk section: exceptions, drawdowns, prices and the words around them."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tasks.reporting.exceptions import is_recalibrated, tail_content
from tasks.reporting.labels import CHANGE
from tasks.reporting.price_view import price_view
from tasks.reporting.prices import drawdown_path, drawdowns, levels_of, moved
from tasks.reporting.risk import (
    exceptions_chart,
    one_in,
    price_content,
    shortfall_table,
    traffic_light,
    worst_outcomes,
)
from tasks.reporting.risk_ahead import next_risks
from tasks.reporting.risk_charts import reliability, thinned
from tasks.reporting.verdict import Block

PRICE = SimpleNamespace(kind="price", frequency="B", unit="% (100·Δlog)")
RATE = SimpleNamespace(kind="rate", frequency="B", unit=CHANGE)
RETURN = SimpleNamespace(kind="return", frequency="B", unit="%")


def forecasts(count: int = 300) -> pd.DataFrame:
    """Return forecasts of three models, with 3 outcomes below the VaR at 1 % and 12 more at 5 %."""
    time = pd.bdate_range("2018-01-02", periods=count)
    observed = np.zeros(count)
    observed[np.arange(3) * 90 + 5] = -5.0
    observed[np.arange(12) * 20 + 11] = -2.0
    table = pd.DataFrame(
        {"series": "a", "origin": time - pd.offsets.BDay(1), "time": time, "observed": observed}
    )
    table = table.assign(
        **{"var_0.05": -1.6, "var_0.025": -2.5, "var_0.01": -3.0, "q0.01": -6.0, "q0.05": -5.0, "q0.95": 1.6}
    )
    pit = np.select([observed == -5.0, observed == -2.0], [0.02, 0.2], 0.6)
    table = table.assign(**{f"shortfall_{level}": -4.0 for level in (0.01, 0.025, 0.05)})
    return pd.concat([table.assign(model=m, pit=pit) for m in ("ebm", "base", "garch-t")], ignore_index=True)


def raw(close: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"series": "a", "time": pd.bdate_range("2018-01-01", periods=len(close)), "close": close}
    )


def test_the_chart_marks_and_counts_every_exception():
    ours = forecasts().query("model == 'ebm'").reset_index(drop=True)
    html = exceptions_chart(ours, PRICE)
    html = re.sub(r'<svg class="swatch".*?</svg>', "", html)
    assert html.count('class="fill alarm"') == 3 * 3  # wide, narrow and enlarged
    assert html.count('<circle class="fill false-alarm"') == 3 * 12
    assert "Exceptions at 1 %: 3, 3.0 expected (0 of the plain quantile); at 5 %: 15, " in html
    assert "5 %: 15, 15.0 expected (3 of the plain quantile)." in html


def test_the_exceptions_of_the_recalibrated_var_are_beside_those_of_the_plain_quantile():
    score = {"hits": 7, "kupiec_p": 0.5, "christoffersen_p": 0.25, "fz0": 1.0}
    var = {level: score for level in ("0.01", "0.025", "0.05")}
    block = Block("", 300, {m: {"crps": 1.0, "var": var} for m in ("ebm", "base", "garch-t")}, {})
    html = tail_content([block], forecasts())
    assert "are recalibrated" in html and "Energy model, recalibrated" in html
    row = html[html.index("Energy model, plain quantile") :].split("</tr>")[0]
    assert re.findall(r'class="num">([^<]+)<', row) == ["0", "3", "3"]
    assert row.count("<small>p ") == 3 and "FZ₀" not in row and "is of the recalibrated VaR alone" in html
    assert "recalibrated" not in tail_content([block])


def test_a_var_that_was_never_recalibrated_is_not_called_so():
    var = {level: {"hits": 7, "fz0": 1.0} for level in ("0.01", "0.025", "0.05")}
    block = Block("", 300, {m: {"crps": 1.0, "var": var} for m in ("ebm", "base", "garch-t")}, {})
    same = forecasts().assign(**{"q0.01": -3.0, "q0.05": -1.6})
    html = tail_content([block], same)
    assert html.count("recalibrated") == 1
    assert "not recalibrated: fewer than 500 earlier outcomes" in html and "Energy model, " not in html
    ours = same.query("model == 'ebm'").reset_index(drop=True)
    rest = (
        exceptions_chart(ours, PRICE) + shortfall_table(ours, PRICE) + worst_outcomes(same, "garch-t", PRICE)
    )
    rest += price_content(raw(np.r_[np.linspace(1, 2, 200), np.linspace(2, 1, 101)]), ours, PRICE)
    assert "ecalibrated" not in rest and "plain quantile" not in rest
    assert not is_recalibrated(same) and is_recalibrated(forecasts())


def test_the_risk_of_the_next_day_is_that_of_the_forecast():
    step = {
        "time": "2019-03-05",
        "var": {"0.01": -2.5, "0.025": -2.0, "0.05": -1.5},
        "es": {"0.01": -3.25, "0.025": -2.75, "0.05": -2.25},
    }
    html = next_risks({"series": {"a": {"steps": [step]}}}, PRICE)
    assert re.findall(r'class="num">([^<]+)<', html) == ["−2.50", "−3.25", "−2.00", "−2.75", "−1.50", "−2.25"]
    assert "2019-03-05" in html and "plain quantile" in html


@pytest.mark.parametrize(("count", "zone"), [(4, "green"), (5, "yellow"), (9, "yellow"), (10, "red")])
def test_the_traffic_light_has_the_zones_of_basel(count, zone):
    below = np.zeros(400, bool)
    below[-count:] = below[:100] = True
    words = traffic_light(below, np.arange(400) >= 395, PRICE)
    assert f"{count} were exceptions at 1 %, which is the {zone} zone" in words
    assert "The plain quantile had 5, which is the yellow zone." in words
    assert not traffic_light(below[:249], below[:249], PRICE)
    assert not traffic_light(below, below, SimpleNamespace(frequency="h"))


def test_the_worst_outcomes_come_with_what_was_forecast():
    html = worst_outcomes(forecasts(), "garch-t", PRICE)
    assert html.count("<tr") == 11 and html.count(">50<") == 9
    assert html.index("−5.0") < html.index("−2.0")


def test_one_in_is_short():
    assert [one_in(p) for p in (0.5, 0.0123, 3e-5, 0.0)] == ["2.0", "81", "33,000", "> 1,000,000"]


def test_drawdowns_of_prices_are_in_per_cent_and_of_rates_in_their_unit():
    level = pd.Series([2.0, 1.0, 2.0, 3.0, 2.7], index=pd.bdate_range("2018-01-01", periods=5))
    assert [round(d.depth, 6) for d in drawdowns(level, PRICE)] == [-50, -10]
    assert [round(d.depth, 6) for d in drawdowns(level, RATE)] == [-1.0, -0.3]
    assert [d.end for d in drawdowns(level, PRICE)] == [level.index[2], None]
    assert drawdown_path(level, PRICE).max() == 0
    assert not drawdowns(level.cummax(), PRICE)


def test_returns_are_an_index_and_forecasts_move_the_last_level():
    level = levels_of(raw(np.array([10.0, -10.0])), RETURN)
    assert level.tolist() == pytest.approx([110, 99])
    assert moved(100.0, 10.0, RETURN) == pytest.approx(110)
    assert moved(100.0, 100 * np.log(1.1), PRICE) == pytest.approx(110)
    assert moved(1.5, -0.25, RATE) == 1.25


def test_the_price_view_has_quantiles_of_the_price():
    steps = [{"time": "2019-03-05", "quantiles": {f"{q:.2f}": 100 * q - 50 for q in np.arange(1, 100) / 100}}]
    past = forecasts().query("model == 'ebm'")
    html = price_view({"series": {"a": {"steps": steps}}}, past, raw(np.linspace(90, 200, 301)), PRICE)
    assert ">200.00<" in html and f">{200 * np.exp(0.25):.2f}<" in html


def test_charts_of_prices_name_their_series_and_those_that_are_not_drawn():
    steps = [{"time": "2019-03-05", "quantiles": {f"{q:.2f}": q for q in np.arange(1, 100) / 100}}]
    ours, close, names = (
        forecasts().query("model == 'ebm'"),
        raw(np.linspace(1, 2, 301)),
        ["a", "b", "c", "d"],
    )
    past, table = (pd.concat([of.assign(series=name) for name in names]) for of in (ours, close))
    html = price_view({"series": {name: {"steps": steps} for name in names}}, past, table, PRICE)
    assert re.findall("<h4>(.)</h4>", html) == ["a", "b", "c"]
    assert "Charts are of the first 3 of the 4 series." in html


def test_rates_are_not_worded_as_prices():
    steps = [{"time": "2019-03-05", "quantiles": {f"{q:.2f}": q for q in np.arange(1, 100) / 100}}]
    past = forecasts().query("model == 'ebm'")
    html = price_view({"series": {"a": {"steps": steps}}}, past, raw(np.linspace(1, 2, 301)), RATE)
    assert "In the unit of the rate" in html and "price" not in html
    ours = past.reset_index(drop=True)
    html = shortfall_table(ours, RATE) + price_content(raw(np.r_[1:2:200j, 2:1:101j]), ours, RATE)
    assert "in the unit of the rate. The expected" in html and "change" not in html


def test_a_price_that_never_falls_and_a_block_of_one_date_have_content():
    ours = forecasts().query("model == 'ebm'").reset_index(drop=True)
    assert "was never below" in price_content(raw(np.linspace(1, 2, 301)), ours, PRICE)
    one = ours.head(1)
    assert exceptions_chart(one, PRICE)
    assert price_content(raw(np.array([100.0, 99.0])), one, PRICE)


def test_a_long_line_keeps_its_extremes():
    points = [(float(i), float(i == 1234)) for i in range(5000)]
    kept = thinned(points)
    assert len(kept) <= 1200 and (1234.0, 1.0) in kept and kept == sorted(kept)
    assert thinned(points[:100]) == points[:100]


def test_counts_of_a_reliability_diagram_do_not_overlap():
    points = [(5.0, 4.0, 1624, 3.0, 7.0), (15.0, 12.0, 1245, 10.0, 15.0), (95.0, 90.0, 7, 50.0, 99.0)]
    drawn = {width: "".join(reliability(points, 9.0, "")(width).parts) for width in (330, 980)}
    assert re.findall(r">(\d+)</text>", drawn[330].split('class="stroke ideal"')[1])[:2] == ["1624", "7"]
    assert ">1245<" in drawn[980] and ">1624<" in drawn[980]
