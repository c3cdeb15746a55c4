"""Audit: each check passes an honest domain and catches the one fault it exists for."""

import dataclasses
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.checks import data as data_checks
from tasks.checks import forecasts as forecast_checks
from tasks.checks import groups
from tasks.checks.check import Check, Outcome, require_pass, run_checks
from tasks.checks.data import DataEvidence
from tasks.checks.forecasts import ForecastEvidence, check_forecasts
from tasks.runtime.errors import BasinError
from tasks.runtime.files import write_json
from tasks.runtime.parallel import silent
from tasks.runtime.params import DomainParams, Waiver, load_params
from tasks.runtime.workspace import Workspace
from tasks.stages.audit import audit
from tests.synthetic import make_forecasts, project

LEADS = (1, 3)


@dataclass(frozen=True)
class Toy:
    """A monthly series with one input, last month's change, and an optional fault."""

    fault: str = ""
    frequency = "MS"
    calendar = None
    columns = ("sst",)
    leads = LEADS

    def features(self, raw, params, start=None, progress=silent):
        sst = raw["sst"]
        change = sst.diff().fillna(0.0)
        if self.fault == "tomorrow":
            change = change.shift(-1).fillna(0.0)
        if self.fault == "whole-record mean":
            change = change - change.mean()
        scale = sst.expanding().std().fillna(1.0) if self.fault != "whole-record scale" else sst.std()
        inputs = []
        for lead in self.leads:
            dated = raw["time"].shift(-lead)
            target = sst.shift(-lead)
            if self.fault == "target known":
                target = target.fillna(0.0)
            if self.fault == "target dated early":
                dated = raw["time"].shift(-lead + 1)
            table = pd.DataFrame({"series": "toy", "origin": raw["time"], "lead": lead, "time": dated})
            inputs.append(table.assign(target=target, x_change=change))
        inputs = pd.concat(inputs, ignore_index=True)
        if start is not None:
            inputs = inputs[inputs["origin"] >= start].reset_index(drop=True)
        classical = inputs[["series", "origin", "lead"]].assign(model="base", loc=0.0)
        known = pd.Series(scale, index=raw.index).set_axis(raw["time"])
        classical["scale"] = classical["origin"].map(known)
        return inputs, classical.assign(eta=8.0, lam=0.0)

    def regimes(self, raw):
        regime = np.where(raw["sst"] > 1, "warm", np.where(raw["sst"] < -1, "cold", "neutral"))
        return pd.DataFrame({"time": raw["time"], "series": "toy", "regime": regime})


@pytest.fixture(scope="module")
def params() -> DomainParams:
    return load_params(Path(__file__).resolve().parents[3], "climate")


def made(params: DomainParams, fault: str = "", keep: slice | np.ndarray | None = None) -> DataEvidence:
    time = pd.date_range("1950-01-01", "2010-12-01", freq="MS").as_unit("ns")
    # A cycle of 37 months, incommensurate with the year, keeps every value distinct.
    sst = 1.5 * np.sin(np.arange(len(time)) / 37 * 2 * np.pi) + 0.1 * np.cos(np.arange(len(time)))
    raw = pd.DataFrame({"time": time, "series": "toy", "sst": sst})
    raw = raw if keep is None else raw[keep].reset_index(drop=True)
    toy = Toy(fault)
    return DataEvidence(
        toy, raw, *toy.features(raw, params.features), pd.Timestamp("2011-01-31"), params, silent
    )


def test_an_honest_domain_passes_every_check(params: DomainParams) -> None:
    evidence = made(params)
    for check in data_checks.CHECKS:
        outcome = check.run(evidence)
        assert (check.id, outcome.at_fault) == (check.id, ())
        assert outcome.status == ("not applicable" if check.id in ("columns", "survivorship") else "pass")
    assert data_checks.look_ahead(evidence).measured == 0.0


@pytest.mark.parametrize(
    ("fault", "column"),
    [
        ("tomorrow", "x_change"),
        ("whole-record mean", "x_change"),
        ("whole-record scale", "scale"),
        ("target known", "target"),
    ],
)
def test_look_ahead_names_what_knows_the_future(params: DomainParams, fault: str, column: str) -> None:
    outcome = data_checks.look_ahead(made(params, fault))
    assert outcome.status == "fail" and outcome.measured != 0
    assert {name.split(" at ")[0] for name in outcome.at_fault} == {column}
    assert len(outcome.at_fault) == params.audit.look_ahead_cuts


def test_look_ahead_replays_the_same_dates_each_time(params: DomainParams) -> None:
    assert data_checks.look_ahead(made(params)).why == data_checks.look_ahead(made(params)).why


def test_embargo_catches_a_target_that_ends_after_its_stated_date(params: DomainParams) -> None:
    assert data_checks.embargo(made(params)).measured == 1
    outcome = data_checks.embargo(made(params, "target dated early"))
    assert outcome.status == "fail" and outcome.measured == 0
    assert outcome.at_fault[0] == "toy, fold 1975, lead 1: 1 rows"


def test_coverage_finds_the_hole_and_the_year(params: DomainParams) -> None:
    keep = np.ones(732, dtype=bool)
    keep[[600, 601, 602]] = False
    outcome = data_checks.coverage(made(params, keep=keep))
    assert outcome.status == "fail"
    assert outcome.measured["longest gap"] == 3 and outcome.measured["missing share"] == 0.25
    assert outcome.at_fault == ("toy 2000: 25% missing", "toy: 3 periods missing from 2000-01-01")


def test_coverage_warns_of_a_feed_that_stood_still(params: DomainParams) -> None:
    evidence = made(params)
    evidence.raw.loc[100:107, "sst"] = evidence.raw.loc[100, "sst"]
    outcome = data_checks.coverage(evidence)
    assert outcome.status == "warn" and outcome.measured["longest run of one value"] == 8
    assert outcome.at_fault == ("toy: the same value in 8 rows from 1958-05-01",)


def test_coverage_fails_for_a_series_that_never_moves(params: DomainParams) -> None:
    evidence = made(params)
    evidence.raw["sst"] = 20.5
    outcome = data_checks.coverage(evidence)
    assert outcome.status == "fail"
    assert outcome.at_fault == ("toy: all 732 values are 20.5, so it never moves",)


def test_coverage_warns_of_a_record_that_ends_long_before_the_snapshot(params: DomainParams) -> None:
    stopped = dataclasses.replace(made(params), as_of=pd.Timestamp("2011-03-15"))
    outcome = data_checks.coverage(stopped)
    assert outcome.status == "warn" and outcome.measured["periods from the last row to the snapshot"] == 3
    assert outcome.at_fault == ("toy: ends 2010-12-01, 3 periods before 2011-03-15",)


def test_trading_days_are_those_of_the_exchange(params: DomainParams) -> None:
    class Market(Toy):
        frequency = "B"
        calendar = "XNYS"

    evidence = dataclasses.replace(made(params), domain=Market())
    days = evidence.expected(pd.Timestamp("2001-09-07"), pd.Timestamp("2001-09-18"))
    assert days.strftime("%d").tolist() == ["07", "10", "17", "18"]  # closed from 11 to 14 September
    days = evidence.expected(pd.Timestamp("2018-12-22"), pd.Timestamp("2018-12-26"))
    assert days.strftime("%d").tolist() == ["24", "26"]


def test_regime_balance_counts_episodes_not_rows(params: DomainParams) -> None:
    passed = data_checks.regime_balance(made(params))
    assert passed.measured["toy warm"].endswith("7 episodes")  # 252 months of a 37-month cycle
    evidence = made(params)
    tested = evidence.raw["time"] >= pd.Timestamp("1990-01-01")
    sst = evidence.raw["sst"].where(~tested, 0.0)
    # One warm spell of two years, flickering: many rows and runs, a single independent episode.
    sst.loc[500:524:2] = 2.0
    warned = data_checks.regime_balance(dataclasses.replace(evidence, raw=evidence.raw.assign(sst=sst)))
    assert warned.status == "warn" and warned.at_fault == ("toy cold", "toy neutral", "toy warm")
    assert warned.measured["toy warm"] == "5%, 1 episodes"
    assert warned.measured["toy cold"] == "0%, 0 episodes"


# Checks of the forecasts


def evidence(forecasts: pd.DataFrame, scores: dict) -> ForecastEvidence:
    times = forecasts["origin"].unique() if len(forecasts) else []
    regime = np.where(np.arange(len(times)) % 100 < 50, "calm", "stormy")
    parts = [pd.DataFrame({"time": times, "series": s, "regime": regime}) for s in ("sp500", "nasdaq")]
    return ForecastEvidence(forecasts, scores, pd.concat(parts))


def forecasts(n: int = 1000) -> pd.DataFrame:
    """The model's own forecasts in ``synthetic`` are normals with the true scale."""
    times = pd.date_range("2000-01-03", periods=n, freq="B").as_unit("ns")
    return make_forecasts("finance", times, np.random.default_rng(3))


def test_calibration_passes_true_intervals_and_warns_of_narrow_ones() -> None:
    table = forecasts()
    outcome = forecast_checks.calibration(evidence(table, {}))
    assert outcome.status == "pass"
    assert outcome.measured["sp500 lead 1, 90%"] == pytest.approx(0.9, abs=0.03)
    narrow = table.copy()
    chosen = (narrow["model"] == "ebm") & (narrow["series"] == "nasdaq")
    narrow.loc[chosen, ["q0.05", "q0.95"]] *= 0.8
    outcome = forecast_checks.calibration(evidence(narrow, {}))
    assert (outcome.status, outcome.at_fault) == ("warn", ("nasdaq lead 1, 90%",))


def test_calibration_counts_overlapping_targets_once() -> None:
    table = forecasts()
    table.loc[table["model"] == "ebm", ["q0.05", "q0.95"]] *= 0.9
    assert forecast_checks.calibration(evidence(table, {})).status == "warn"
    assert forecast_checks.calibration(evidence(table.assign(lead=12), {})).status == "pass"


@pytest.mark.parametrize(("error", "status"), [(1e-4, "pass"), (1.1e-4, "fail"), (None, "fail")])
def test_normaliser(error: float | None, status: str) -> None:
    outcome = forecast_checks.normaliser(evidence(pd.DataFrame(), {"normaliser_error": error}))
    assert outcome.status == status


def test_skill_fails_only_where_the_tilt_does_significant_harm() -> None:
    def scores(*t: float | None) -> dict:
        return {"leads": {str(k): {"paired": {"base": {"t": one}}} for k, one in zip(LEADS, t, strict=True)}}

    assert forecast_checks.skill(evidence(pd.DataFrame(), scores(3.0, -1.9))).status == "pass"
    assert forecast_checks.skill(evidence(pd.DataFrame(), scores(None, 0.0))).status == "pass"
    both = {"series": {"good": scores(3.0, 0.0), "bad": scores(3.0, -2.6)}, "pooled": scores(3.0, 0.0)}
    harmed = forecast_checks.skill(evidence(pd.DataFrame(), both))
    assert (harmed.status, harmed.at_fault) == ("fail", ("bad lead 3",))


def test_a_group_served_worse_is_named_and_no_other() -> None:
    table = forecasts(2000)
    whole = evidence(table, {})
    assert groups.judge_skill(whole.grouped).status == "pass"
    stormy = whole.grouped["regime"] == "stormy"
    hurt = (table["model"] == "ebm") & (table["series"] == "nasdaq") & stormy.to_numpy()
    table.loc[hurt, "log_density"] -= 0.5
    outcome = groups.judge_skill(evidence(table, {}).grouped)
    assert outcome.status == "warn" and "nasdaq stormy" in outcome.at_fault
    assert not any("sp500" in name or "calm" in name for name in outcome.at_fault)


def test_intervals_too_narrow_in_one_regime_fail_there_alone() -> None:
    table = forecasts(2000)
    whole = evidence(table, {})
    assert groups.judge_coverage(whole.grouped).status == "pass"
    stormy = (whole.grouped["regime"] == "stormy").to_numpy()
    narrow = (table["model"] == "ebm") & (table["series"] == "nasdaq") & stormy
    table.loc[narrow, ["q0.05", "q0.95"]] *= 0.5
    outcome = groups.judge_coverage(evidence(table, {}).grouped)
    assert outcome.status == "fail"
    assert any(fault.startswith("nasdaq stormy, lead 1, 90%") for fault in outcome.at_fault)
    assert not any("calm" in fault for fault in outcome.at_fault)


# The gate


def test_a_waiver_turns_a_failure_into_a_warning_until_its_day() -> None:
    bad = Check("odd", "", "", "", "", lambda _: Outcome(1, 0, "fail", "it is odd"))
    waiver = Waiver(check="odd", reason="the exchange was closed", until="2020-01-31")
    then = run_checks([bad], None, waivers=[waiver], day=date(2020, 1, 31))
    assert then["status"] == "warn"
    assert then["checks"][0]["waived"] == {"reason": "the exchange was closed", "until": "2020-01-31"}
    later = run_checks([bad], None, waivers=[waiver], day=date(2020, 2, 1))
    assert later["status"] == "fail" and "ended on 2020-01-31" in later["checks"][0]["why"]


def test_a_waiver_of_no_check_is_refused(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "params.yaml").read_text()
    wrong = "min_episodes: 5, waive: [{check: luck, reason: none at all here, until: '2030-01-01'}]}"
    (tmp_path / "params.yaml").write_text(text.replace("min_episodes: 5}", wrong, 1))
    params = load_params(tmp_path, "finance")
    with pytest.raises(
        BasinError, match=r"finance\.audit\.waive.*unknown check luck; expected one of .*look-ahead"
    ):
        audit(Workspace(tmp_path, "finance"), params)


def test_the_result_of_a_phase_is_json_and_its_worst_check(tmp_path: Path) -> None:
    workspace: Workspace = project(tmp_path, "climate")
    scores = json.loads(workspace.scores.read_text())
    scores["normaliser_error"] = 0.01
    write_json(workspace.scores, scores)
    result = check_forecasts(workspace)
    write_json(workspace.forecast_audit, result)
    assert result["status"] == "fail"
    assert [c["id"] for c in result["checks"]] == [check.id for check in forecast_checks.CHECKS]
    with pytest.raises(BasinError, match=r"audit: check normaliser failed: measured 0\.01, expected 0\.0001"):
        require_pass(workspace.forecast_audit)


def test_warnings_pass_the_gate(tmp_path: Path) -> None:
    write_json(tmp_path / "audit.json", {"status": "warn", "checks": [{"id": "coverage", "status": "warn"}]})
    require_pass(tmp_path / "audit.json")


def test_forecast_checks_need_forecasts(tmp_path: Path) -> None:
    with pytest.raises(BasinError, match=r"forecasts\.parquet is missing; run the stage evaluate"):
        check_forecasts(Workspace(tmp_path, "climate"))
