"""The monitor keeps its false-alarm rates, detects changes and writes its page."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.checks.drift import drift
from tasks.operations import monitor
from tasks.operations.change_detector import BOUND, MONTH, conformal, e_detector, threshold
from tasks.operations.monitor_page import monitoring_page
from tasks.runtime.files import read_json, write_json


def test_conformal_ranks_are_those_of_an_exchangeable_day_and_halve_ties():
    scored = np.array([0.1, 0.2, 0.2, 0.9])
    np.testing.assert_allclose(conformal(scored, np.array([0.0, 0.2, 1.0])), [0.1, 0.5, 0.9])
    rng = np.random.default_rng(0)
    biased = [conformal(rng.beta(5, 2, 200), rng.beta(5, 2, 1))[0] for _ in range(4000)]
    assert stats.kstest(biased, "uniform").pvalue > 0.01


def test_the_detector_is_an_e_process_and_its_recursion_starts_anew_every_day():
    u = np.random.default_rng(1).uniform(size=(20_000, 4))
    heights = e_detector(u)
    assert heights.shape == u.shape
    # E[M_t] = t for exact likelihood ratios; the bound on z takes a little of it away.
    means, errors = heights.mean(0), heights.std(0) / np.sqrt(len(u))
    assert np.all(means <= np.arange(1, 5) + 4 * errors)
    assert means[0] > 0.8
    late = np.r_[np.full(500, 0.5), np.full(5, 0.999)]
    assert e_detector(late)[-1] > 50 * e_detector(late)[499]


def test_no_single_day_is_a_breach():
    calm = np.r_[np.random.default_rng(2).uniform(size=1000), 1e-12]
    path = e_detector(calm)
    assert path[-1] / (1 + path[-2]) < np.exp(BOUND**2 / 2)


def test_the_threshold_of_clustered_surprises_is_higher_and_repeatable():
    rng = np.random.default_rng(3)
    sound = rng.uniform(size=60 * MONTH)
    spread = np.exp(0.7 * rng.standard_normal(60)).repeat(MONTH)
    clustered = stats.norm.cdf(spread * rng.standard_normal(len(spread)))
    assert threshold(sound, 252, 20) < threshold(clustered, 252, 20) == threshold(clustered, 252, 20)
    assert threshold(sound[:500], 252, 20) == 20 * 252


@pytest.fixture
def inputs() -> pd.DataFrame:
    noise = np.random.default_rng(4).standard_normal((1560, 4))
    for t in range(1, len(noise)):
        noise[t] += 0.9 * noise[t - 1]
    return pd.DataFrame(noise, columns=list("abcd"))


def test_drift_sees_other_units_and_a_jump_and_nothing_else(inputs):
    recent = inputs[1500:].copy()
    recent["a"] *= 100
    recent["b"] += 12
    found = drift(inputs[:1500], recent)
    assert (found["q"] < 0.05).to_dict() == {"a": True, "b": True, "c": False, "d": False}
    assert found["psi"]["a"] > 1 > 0.5 > found["ks"]["c"]


def days(pit: np.ndarray) -> pd.DataFrame:
    score = -(stats.norm.ppf(pit) ** 2) / 2
    times = pd.bdate_range("2020-01-01", periods=len(pit))
    frame = pd.DataFrame({"series": "sp500", "time": times, "version": "v0.0.1", "pit": pit, "u": pit})
    share = conformal(-score, -score)
    return frame.assign(log_density=score, base=score - 0.1, energy_share=share)[list(monitor.KEPT)]


def test_coverage_gain_energy_and_evidence_are_of_the_days_without_a_breach():
    pit = np.random.default_rng(5).uniform(size=400)
    found = monitor.realised(days(pit), breached=set())
    assert found["days"] == 400
    assert found["coverage"]["0.9"] == pytest.approx(np.mean(np.abs(pit - 0.5) <= 0.45))
    assert found["gain_over_base"] == pytest.approx(0.1)
    assert found["energy"]["sp500"]["time"] == "2021-07-13"
    wide = stats.norm.cdf(2 * stats.norm.ppf(pit))
    assert monitor.realised(days(wide), set())["detector"] > 1e4 > 100 > found["detector"]
    assert monitor.realised(days(wide), {"v0.0.1"})["days"] == 0


def test_the_page_shows_a_breach_the_day_and_the_inputs_that_moved():
    kept = days(np.random.default_rng(6).uniform(size=60))
    moved = {
        "series": "sp500",
        "column": "x_vix",
        "psi": 3.0,
        "psi_p": 0.001,
        "ks": 0.8,
        "ks_p": 0.01,
        "q": 0.01,
    }
    found = {
        "as_of": "2020-03-24",
        "version": "v0.0.1",
        "fitted": "2019-12-31",
        "schema": "",
        "drift": [moved | {"drifted": True}],
        "threshold": 5040.0,
        "breach": True,
        **monitor.realised(kept, set()),
    }
    domain = type("Domain", (), {"title": "Finance"})
    shown = monitoring_page(domain, found, kept)
    for text in ("The model should be refitted", "v0.0.1", "5,040", "Evidence of change over time", "vix"):
        assert text in shown


def test_data_that_violate_the_suite_are_a_breach_and_end_the_check(project_root, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((project_root / "params.yaml").read_text())
    suite = tmp_path / "data/expectations/climate.json"
    suite.parent.mkdir(parents=True)
    suite.write_text((project_root / "data/expectations/climate.json").read_text())
    used = tmp_path / "v0.0.1"
    (used / "model").mkdir(parents=True)
    write_json(used / "model/config.json", {"as_of": "2011-01-31"})
    months = pd.date_range("2000-01-01", "2012-01-01", freq="MS")
    table = pd.DataFrame({"time": months, "series": "nino34", "value": 300.0})
    monkeypatch.setattr(monitor, "in_use", lambda *_: used)
    monkeypatch.setattr(monitor, "snapshot", lambda *_: (table, {}))
    found = monitor.monitor(tmp_path, "climate", date(2012, 1, 31))
    assert found["breach"]
    assert "climate on 2012-01-31" in found["schema"]
    assert "drift" not in found
    folder = tmp_path / "runs/climate/monitor"
    assert read_json(folder / "2012-01-31.json") == found
    assert "violate their expectations" in (folder / "monitor.html").read_text()
    assert read_json(folder / "breaches.json") == []
