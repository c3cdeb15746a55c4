"""Joint forecasts and backtests of the series of a user's file."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

import basin
from tasks.joint import evaluate, models, scores
from tasks.joint.panel import panel_of
from tasks.userdata.files.table import from_frame
from tasks.userdata.jointly import for_panel, panel_from, walk_of_test, walk_to_end
from tasks.userdata.jointly_forecast import tail_dependence, together
from tasks.userdata.jointly_result import JointForecast
from tasks.userdata.reading import understand
from tasks.userdata.request import Request
from tests.synthetic_tables import panel

STOCKS = panel(0)


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "DRAWS", 4000)
        patch.setattr(scores, "DRAWS", 200)
        patch.setattr(scores, "ENERGY_DRAWS", 100)
        patch.setattr(evaluate, "RANDOM", 2)
        yield


@pytest.fixture(scope="module")
def forecast(few_draws: None, tmp_path_factory: pytest.TempPathFactory) -> JointForecast:
    weights = {"A": 0.75, "B": 0.25}
    found = basin.forecast(STOCKS, jointly=True, weights=weights, out=tmp_path_factory.mktemp("out") / "f")
    assert isinstance(found, JointForecast)
    return found


@pytest.fixture(scope="module")
def backtest(few_draws: None, tmp_path_factory: pytest.TempPathFactory) -> basin.Backtest:
    file = tmp_path_factory.mktemp("data") / "stocks.csv"
    long = STOCKS.rename_axis(columns="name").stack().rename("close").reset_index()
    long.to_csv(file, index=False)
    weights = pd.DataFrame({"half": [0.5, 0.5], "short": [2.0, -1.0]}, ["A", "B"])
    out = file.parent / "out"
    return basin.backtest(file, series="name", jointly=True, weights=weights, test_from="2017-03-01", out=out)


def schema(root: Path, name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((root / f"docs/{name}.schema.json").read_text()))


def read(frame: pd.DataFrame, **options: Any) -> Any:
    request = Request(jointly=True, **options)
    return for_panel(understand(from_frame(frame, "the frame"), request)), request


def test_a_forecast_is_in_its_files_and_agrees_with_its_scenarios(
    forecast: JointForecast, project_root: Path
) -> None:
    stored = json.loads((forecast.folder / "forecast.json").read_text())
    schema(project_root, "forecast").validate(stored)
    scenarios = pd.read_parquet(forecast.folder / "scenarios.parquet")
    pd.testing.assert_frame_equal(scenarios, forecast.scenarios())
    assert scenarios.shape == (10_000, 4) and list(forecast.to_frame()["series"]) == list("ABCD")
    portfolio = 100 * np.log(np.expm1(scenarios / 100) @ [0.75, 0.25, 0, 0] + 1)
    part = stored["joint"]["portfolios"]["portfolio"]
    assert part["quantiles"]["0.05"] == part["var"]["0.05"] == pytest.approx(portfolio.quantile(0.05))
    assert part["loss"] == (portfolio < 0).mean()
    assert part["es"]["0.05"] == pytest.approx(portfolio[portfolio <= part["var"]["0.05"]].mean(), rel=0.01)
    row = forecast.portfolio(pd.Series({"A": 0.75, "B": 0.25})).loc["portfolio"]
    assert row["var_0.01"] == part["var"]["0.01"] and row["P(y < 0)"] == part["loss"]
    assert forecast.quantile(0.5)["A"].iloc[0] == pytest.approx(scenarios["A"].median())


def test_scenarios_have_the_tails_and_the_dependence_of_the_series(forecast: JointForecast) -> None:
    draws, returns = forecast.scenarios(20_000, seed=1), 100 * np.log(STOCKS).diff()
    assert np.abs(draws.std() / returns.tail(250).std() - 1).max() < 0.4
    assert np.abs(draws.corr(method="spearman") - returns.corr(method="spearman")).max(axis=None) < 0.15
    assert not draws.equals(forecast.scenarios(20_000, seed=2))


def test_a_stress_moves_the_others_with_it(forecast: JointForecast) -> None:
    calm, hit = forecast.stress({"A": 0.0}), forecast.stress({"A": -4})
    assert hit.loc["A"].tolist() == pytest.approx([-4, -4, -4]) and (hit["mean"] < calm["mean"] - 0.5).all()
    near = forecast.scenarios(200_000).query("-4.2 < A < -3.8")
    assert np.abs(near[["B", "C", "D"]].mean() - hit["mean"][["B", "C", "D"]]).max() < 0.3
    assert hit.attrs["effective_size"] > 1000
    rows = forecast.steps["joint"]["stress"]
    assert len(rows) == 3 and all(row["mean"]["portfolio portfolio"] < -1 for row in rows)


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        ({"Z": -5}, "no series Z; expected some of A, B, C, D"),
        (dict.fromkeys("ABCD", -5), "leave out at least one"),
        ({}, "expected returns of some of the series"),
        ({"A": np.nan}, "the return of A is nan; expected a number"),
    ],
)
def test_wrong_stress_is_refused(forecast: JointForecast, returns: dict[str, float], message: str) -> None:
    with pytest.raises(basin.BasinError, match=message):
        forecast.stress(returns)


def test_a_forecast_prints_and_is_loaded_again(forecast: JointForecast) -> None:
    text = forecast.summary()
    for said in ("portfolio portfolio: mean", "of 4 series: 1 or more", "energy on 2017-05-17", "if D moves"):
        assert said in text
    loaded = basin.load(forecast.folder)
    assert isinstance(loaded, JointForecast) and loaded.summary() == text
    assert loaded.portfolio().index.tolist() == ["equal"]


def test_a_backtest_scores_the_joint_densities_and_the_portfolios(
    backtest: basin.Backtest, project_root: Path
) -> None:
    schema(project_root, "scores").validate(json.loads((backtest.folder / "scores.json").read_text()))
    joint, rows = backtest.scores["joint"], backtest.forecasts
    days = STOCKS.index[STOCKS.index >= "2017-03-01"]
    assert (joint["n"], joint["from"], joint["to"]) == (len(days), "2017-03-01", "2017-05-17")
    assert set(joint["models"]) >= {"ebm", "base", "dcc-t", "t-copula", "joint-filtered-simulation"}
    assert set(rows["series"]) == {"half", "short"} and set(rows["model"]) >= {"gjr-on-portfolio", "ebm"}
    ours = rows[(rows["model"] == "ebm") & (rows["series"] == "short")].set_index("time")
    simple = STOCKS.pct_change().loc[days]
    np.testing.assert_allclose(ours["observed"], 100 * np.log1p(2 * simple["A"] - simple["B"]), rtol=1e-9)
    assert (ours["energy"] > 0).all() and (ours["log_z_error"] < 0.1).all()
    highest = joint["energy"]["highest"][0]
    assert highest["energy"] == ours["energy"].max() and set(highest["drivers"]) <= set("ABCD")
    assert set(joint["tail_dependence"]["mean"]) == {"realised", "ebm", *joint["by_year"]["2017"]}


def test_a_report_shows_each_part(backtest: basin.Backtest) -> None:
    page = backtest.report.read_text(encoding="utf-8")
    for anchor in ("joint", "years", "portfolio", "energy", "tails", "peers", "risk", "time", "read"):
        assert f'id="{anchor}"' in page
    assert "DCC t copula" in page and backtest.scores["joint"]["energy"]["highest"][0]["time"] in page
    assert "4 series jointly" in backtest.summary()


def test_gaps_and_series_that_begin_late_or_end_are_left_out_and_told() -> None:
    frame = panel(1, rows=900, series=6)
    frame.iloc[100:103, 0] = np.nan
    frame.iloc[:150, 1] = np.nan
    frame.iloc[:500, 2] = np.nan
    frame.iloc[-30:, 3] = np.nan
    frame.iloc[400, :5] = np.nan
    reading, request = read(frame)
    notes: list[str] = []
    found = panel_from(reading, request, notes)
    assert found.names == ("A", "B", "E", "F") and len(found.times) == 899
    text = "\n".join(notes)
    assert "D: left out, because it ends more than 10 dates before" in text
    assert "C: left out, because it has no more than 500 returns" in text
    assert "4 dates at which a series has no value are not used" in text
    assert "most series have no value on 1 date: 2016-07-14" in text
    over = np.log(frame["A"].iloc[103] / frame["A"].iloc[99])
    assert np.isnan(found.returns[99:102, 0]).all()
    assert found.returns[102, 0] == pytest.approx(100 * over)


def test_returns_are_compounded_and_rates_are_differences() -> None:
    simple = STOCKS.pct_change().iloc[1:]
    reading, request = read(simple, kind="return")
    found = panel_from(reading, request, [])
    np.testing.assert_allclose(found.returns, 100 * np.log1p(simple).iloc[1:], atol=1e-9)
    assert found.log and found.fall == 3
    reading, request = read(STOCKS, kind="rate")
    found = panel_from(reading, request, [])
    np.testing.assert_allclose(found.returns, STOCKS.diff().iloc[1:], atol=1e-9)
    assert not found.log and found.fall == pytest.approx(2 * np.median(found.returns.std(axis=0)), rel=0.05)


def last_missing(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.iloc[-1, :3] = np.nan
    return frame


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (STOCKS[["A"]], {}, "jointly: 1 series; expected two or more; .* omit jointly="),
        (STOCKS[:400], {}, "399 dates at which most of the 4 series have a return; expected more than 500"),
        (STOCKS.assign(E=2 * STOCKS["A"]), {}, "A and E are the same but for a factor"),
        (STOCKS.assign(E=1 / STOCKS["A"]), {}, "A and E are the same but for a factor"),
        (STOCKS, {"kind": "level"}, "the kind of the values is level; pass kind="),
        (last_missing(STOCKS), {}, "on the last date, 2017-05-17, 1 of 4 series have a value; remove"),
        (STOCKS, {"weights": {"A": 0.5, "Z": 0.5}}, "weights: no series Z; expected some of A, B, C, D"),
        (STOCKS, {"weights": {"A": 0.5}}, "weights: they sum to 0.5; expected 1"),
        (STOCKS, {"weights": {"A": "much"}}, "the weight of A in portfolio is 'much'; expected a number"),
        (STOCKS, {"weights": 3}, 'expected "equal", a path, .* found int'),
        (STOCKS, {"weights": "gone.csv"}, "there is no such file; give equal"),
        (STOCKS, {"horizon": 3}, "omit horizon= or leads=, or omit jointly="),
        (STOCKS, {"target": ["A", "B"], "exog": "C"}, "omit exog=, or omit jointly="),
        (STOCKS, {"events": "<=-2"}, "omit events=, or omit jointly="),
        (STOCKS, {"refit": 5}, "omit refit=, or omit jointly="),
        (STOCKS, {"model": "out/model"}, "omit model="),
        (STOCKS, {"jointly": False, "weights": "equal"}, "weights= is for .*; add jointly=True"),
    ],
)
def test_bad_input_ends_in_one_line(frame: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(basin.BasinError, match=message) as caught:
        basin.forecast(frame, **{"jointly": True, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peers": "garch-t"}, "not a peer of jointly=True; expected one of base, dcc-t"),
        ({"test_from": "2015-06-01"}, "need 500 earlier dates; give a date from 2017-01-02 on"),
        ({"test_from": "2025-06-01"}, "the data end on 2017-05-17; give an earlier date"),
    ],
)
def test_bad_options_of_a_backtest_end_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(basin.BasinError, match=message):
        basin.backtest(STOCKS, jointly=True, **options)


def test_the_test_block_begins_and_ends_where_it_is_asked_to() -> None:
    days = pd.bdate_range("1990-01-01", periods=3000)
    prices = 50 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, (3000, 3)), axis=0))
    found = panel_of(pd.DataFrame(prices, days, ["A", "B", "C"]))
    last = walk_of_test(found, Request(jointly=True), "B", [])
    assert len(last.past) == 5 and [found.times[r.first].year for r in last.test] == [2000, 2001]
    assert last.test[-1].end == len(found.times)
    mid = walk_of_test(found, Request(jointly=True, test_from=pd.Timestamp("1998-05-04").date()), "B", [])
    assert f"{found.times[mid.test[0].first]:%Y-%m-%d}" == "1998-05-04"
    assert mid.past[-1].end == mid.test[0].first and mid.test[1].first == mid.test[0].end
    ahead = walk_to_end(found)
    assert (ahead.test[0].first, ahead.test[0].end) == (len(found.times), len(found.times) + 1)
    assert ahead.past[-1].end == len(found.times) and len(ahead.past) == 3


def test_tail_dependence_and_falls_together_count_draws() -> None:
    x = np.random.default_rng(0).standard_normal((100_000, 2))
    draws = np.column_stack([x[:, 0], x[:, 0], x[:, 1]])
    found = tail_dependence(draws, ("A", "B", "C"))
    assert found["pairs"][0] == {"series": ["A", "B"], "value": pytest.approx(1)}
    assert found["mean"] == pytest.approx((1 + 0.05 + 0.05) / 3, abs=0.01)
    chances = together(draws, 1.0)["at_least"]
    p = (x[:, 0] <= -1).mean()
    assert chances["3"] == pytest.approx(p**2, abs=0.003)
    assert chances["2"] == pytest.approx(p) and set(chances) == {"1", "2", "3"}


def test_a_portfolio_library_takes_the_scenarios_as_they_are(forecast: JointForecast) -> None:
    skfolio = pytest.importorskip("skfolio")
    optimization = pytest.importorskip("skfolio.optimization")
    scenarios = forecast.scenarios()
    model = optimization.MeanRisk(risk_measure=skfolio.RiskMeasure.CVAR).fit(np.expm1(scenarios / 100))
    least = forecast.portfolio(dict(zip(scenarios, model.weights_, strict=True)))
    assert (least["es_0.05"] >= forecast.portfolio()["es_0.05"].to_numpy()).all()
