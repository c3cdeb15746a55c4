"""The audit of a table: spoiled copies of a clean one fail the check that should see them."""

import json
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tasks.checks.table.evidence import Spec, read_spec
from tasks.checks.table.labels import delong
from tasks.runtime.errors import BasinError
from tasks.userdata.audit import audit_table, page_of, write_audit
from tests.synthetic_tables import garch, seasonal

SPEC = {"time": "date", "target": "close"}
ROWS = 1500


def statuses(frame: pd.DataFrame, **spec) -> dict[str, str]:
    result = audit_table(frame, Spec(**(SPEC | spec)))
    json.dumps(result, allow_nan=False)
    return {check["id"]: check["status"] for check in result["checks"]}


@pytest.mark.parametrize("make", [garch, seasonal])
@pytest.mark.parametrize("seed", range(5))
def test_a_clean_table_does_not_fail(make, seed):
    assert "fail" not in statuses(make(seed)).values()


def changed(**columns):
    return lambda d: d.assign(**{name: make(d) for name, make in columns.items()})


def at(rows, value):
    def spoil(d):
        d = d.copy()
        d["close"] = d["close"].astype(object)
        d.loc[rows, "close"] = value(d) if callable(value) else value
        return d

    return spoil


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (lambda d: d.drop(index=range(700, 760)), "coverage"),
        (at(slice(300, 340), np.nan), "coverage"),
        (at(slice(300, 320), 77.0), "coverage"),
        (changed(close=lambda d: 77.0), "coverage"),
        (lambda d: d.iloc[np.r_[0:1000, 1000:1500:5]], "coverage"),
        (lambda d: pd.concat([d.iloc[:800], d.iloc[790:]]), "dates"),
        (changed(date=lambda d: d["date"].where(d.index != 5, "yesterday")), "dates"),
        (changed(date=lambda d: pd.to_datetime(d["date"]) + pd.Timedelta(days=1)), "dates"),
        (at(slice(1000, 1500), lambda d: d["close"].iloc[1000:] * 100), "impossible"),
        (at(slice(700, 700), lambda d: d["close"].iloc[700] * 10), "impossible"),
        (at(slice(700, 700), "1O7.3"), "impossible"),
        (changed(tomorrow=lambda d: d["close"].shift(-1)), "look-ahead"),
        (changed(signal=lambda d: np.log(d["close"]).diff().shift(-1) + 0.002), "look-ahead"),
        (changed(mean=lambda d: d["close"].groupby(d.index // 21).transform("mean")), "look-ahead"),
        (changed(vol=lambda d: d["vol"].where(d.index < 900, d["vol"] / 100)), "impossible"),
        (changed(close=lambda d: np.r_[d["close"][:1000], d["close"][200:700] * 1.5]), "duplicates"),
    ],
)  # fmt: skip
def test_a_spoiled_table_fails_the_check_that_should_see_it(spoil, check):
    assert statuses(spoil(garch(0)))[check] == "fail"


def test_sunday_to_thursday_may_be_a_market_or_a_shift_and_is_a_warning():
    shifted = changed(date=lambda d: pd.to_datetime(d["date"]) - pd.Timedelta(days=1))
    assert statuses(shifted(garch(0)))["dates"] == "warn"


def test_a_market_that_is_open_on_25_december_has_no_fault():
    every = garch(0).assign(date=pd.bdate_range("2000-01-03", periods=len(garch(0))))
    assert statuses(every)["dates"] == "pass"
    few = every[~every["date"].dt.strftime("%m-%d").isin(["12-25"]) | (every["date"].dt.year == 2003)]
    assert statuses(few.reset_index(drop=True))["dates"] == "fail"


def test_a_mean_over_rows_gone_by_is_no_look_ahead():
    known = changed(mean=lambda d: d["close"].rolling(21, min_periods=1).mean())
    assert statuses(known(garch(0)))["look-ahead"] == "pass"


def test_recent_rows_in_other_units_have_drifted():
    frame = garch(0, 2500)
    frame.loc[frame.index[-120:], "vol"] *= 7
    found = {c["id"]: c for c in audit_table(frame, Spec(**SPEC))["checks"]}["drift"]
    assert found["status"] == "fail" and "vol" in found["at_fault"][0]


def test_a_season_that_slips_is_a_break():
    frame = seasonal(0)
    slipped = frame.assign(close=frame["close"].where(frame.index < 480, frame["close"].shift(6)))
    assert statuses(frame)["breaks"] == "pass"
    found = {c["id"]: c for c in audit_table(slipped, Spec(**SPEC))["checks"]}["breaks"]
    assert found["status"] == "warn" and "the season is 6 months later" in " ".join(found["at_fault"])


def test_columns_that_contradict_their_days_range_fail():
    frame = garch(0)
    frame["high"], frame["low"] = frame["close"] * 1.01, frame["close"] * 0.99
    assert statuses(frame, inputs=("vol",))["impossible"] == "pass"
    assert (
        statuses(frame.assign(high=frame["low"], low=frame["high"]), inputs=("vol",))["impossible"] == "fail"
    )


def test_a_step_of_a_sensor_warns_and_limits_are_kept():
    frame = seasonal(0)
    stepped = frame.assign(close=frame["close"] + np.where(frame.index > 400, 2.5, 0))
    assert statuses(frame)["breaks"] == "pass"
    assert statuses(stepped)["breaks"] == "warn"
    frozen = frame.assign(close=frame["close"].where(frame.index != 100, -100.0))
    assert statuses(frozen, limits={"close": (-2, 40)})["impossible"] == "fail"


def test_a_panel_without_its_dead_fails():
    days = pd.bdate_range("2010-01-04", periods=1600).strftime("%Y-%m-%d")
    rng = np.random.default_rng(0)
    panel = pd.concat(
        pd.DataFrame(
            {"date": days, "close": np.exp(np.cumsum(0.01 * rng.standard_normal(1600))), "firm": f"f{k}"}
        )
        for k in range(25)
    )
    assert statuses(panel, series="firm")["survivorship"] == "fail"
    for dead, status in ((["f3"], "warn"), (["f3", "f4"], "pass")):
        mortal = panel[~(panel["firm"].isin(dead) & (panel["date"] > "2013"))]
        assert statuses(mortal, series="firm")["survivorship"] == status


def scans(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    ill = rng.integers(0, 2, rows)
    return pd.DataFrame({
        "date": pd.date_range("2001-01-01", periods=rows, freq="D").strftime("%Y-%m-%d"),
        "close": rng.normal(0, 1, rows) + ill,
        "ill": ill,
        "scanner": np.where(rng.random(rows) < 0.5, "A", "B"),
        "sex": rng.choice(["f", "m"], rows),
        "said": ill,
    })  # fmt: skip


LABELLED = {
    "label": "ill",
    "source": ("scanner",),
    "protected": ("sex",),
    "inputs": ("close",),
    "kind": "level",
}


def test_a_scanner_that_predicts_the_disease_fails():
    assert statuses(scans(), **LABELLED)["shortcut"] == "pass"
    spoiled = scans()
    spoiled["scanner"] = np.where(spoiled["ill"] == 1, "A", spoiled["scanner"])
    assert statuses(spoiled, **LABELLED)["shortcut"] == "fail"


def test_a_column_that_stands_for_a_group_fails():
    assert statuses(scans(), **LABELLED)["proxies"] == "pass"
    spoiled = scans()
    spoiled["height"] = np.where(spoiled["sex"] == "m", 178, 165) + np.random.default_rng(2).normal(
        0, 4, len(spoiled)
    )
    assert statuses(spoiled, **(LABELLED | {"inputs": ("close", "height")}))["proxies"] == "fail"


def test_unlike_answers_to_groups_fail():
    alike = statuses(scans(), prediction="said", **LABELLED)
    assert alike["fairness"] == "pass"
    unlike = scans()
    unlike["said"] = unlike["ill"] & ((unlike["sex"] == "f") | (np.arange(len(unlike)) % 3 == 0))
    assert statuses(unlike, prediction="said", **LABELLED)["fairness"] == "fail"
    few = scans().assign(sex=lambda d: np.where(d.index < 50, "x", d["sex"]))
    assert statuses(few, prediction="said", **LABELLED)["fairness"] == "warn"


def test_labelled_rows_need_no_time():
    spec = Spec(**{key: value for key, value in LABELLED.items() if key != "kind"})
    found = audit_table(scans().drop(columns="date"), spec)
    assert found["status"] == "pass"
    assert [check["id"] for check in found["checks"]] == [
        "balance",
        "shortcut",
        "proxies",
        "copies",
        "places",
        "fairness",
    ]


def test_few_positives_fail():
    assert statuses(scans(), **LABELLED)["balance"] == "pass"
    assert statuses(scans().assign(ill=np.arange(600) < 12), **LABELLED)["balance"] == "fail"


def test_what_is_not_asked_is_not_applicable_and_embargo_is_counted():
    found = statuses(garch(0))
    assert {name for name, status in found.items() if status == "not applicable"} == {
        "breaks", "embargo", "survivorship", "publication",
        "balance", "shortcut", "proxies", "copies", "places", "fairness",
    }  # fmt: skip
    split = {"test_from": "2014-01-01", "horizon": 21}
    assert statuses(garch(0), embargo=5, **split)["embargo"] == "fail"
    assert statuses(garch(0), embargo=21, **split)["embargo"] == "pass"


def test_a_waiver_is_shown_with_its_reason_until_it_ends():
    spoiled = garch(0).drop(index=range(700, 760))
    waiver = {"check": "coverage", "reason": "the exchange was closed by law", "until": "2999-01-01"}
    result = audit_table(spoiled, Spec(**SPEC, waive=[waiver]))
    (coverage,) = (check for check in result["checks"] if check["id"] == "coverage")
    assert coverage["status"] == "warn" and "closed by law" in coverage["why"]
    ended = audit_table(spoiled, Spec(**SPEC, waive=[waiver | {"until": "2001-01-01"}]))
    assert ended["status"] == "fail"
    with pytest.raises(BasinError, match="unknown check holes"):
        audit_table(spoiled, Spec(**SPEC, waive=[waiver | {"check": "holes"}]))


@pytest.mark.parametrize(
    ("content", "said"),
    [("time: [", "not valid YAML"), ("- a", "found list"), ("tiem: d", "tiem"),
     ("time: date\ntarget: close\nwaive: [{check: dates, reason: short, until: 2030-01-01}]", "at least 10")],
)  # fmt: skip
def test_a_spec_that_is_none_is_one_line(tmp_path: Path, content: str, said: str):
    (tmp_path / "spec.yaml").write_text(content)
    with pytest.raises(BasinError, match=said) as refused:
        read_spec(tmp_path / "spec.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("written", ["%d/%m/%Y", "%Y-%m-%d 16:00", "%Y-%m-%dT00:00:00+01:00", "%Y%m%d"])
def test_dates_may_be_written_in_other_ways(written):
    frame = garch(0)
    frame["date"] = pd.to_datetime(frame["date"]).dt.strftime(written)
    assert "fail" not in statuses(frame).values()


def test_a_rate_that_mostly_stands_still_and_small_counts_do_not_fail():
    frame = garch(0)
    rng = np.random.default_rng(0)
    steps = np.where(rng.random(ROWS) < 0.02, 0.25, 0) * rng.choice([-1, 1], ROWS)
    rate = statuses(frame.assign(close=3 + np.cumsum(steps)).drop(columns="vol"), kind="rate")
    assert rate["impossible"] == rate["duplicates"] == "pass"
    counts = frame.assign(close=rng.poisson(3, ROWS), vol=pd.to_datetime(frame["date"]).dt.dayofweek)
    assert statuses(counts, kind="rate")["look-ahead"] == "pass"


def test_what_compared_nothing_is_not_a_pass():
    assert statuses(garch(0).iloc[:300])["drift"] == "not applicable"


def test_labels_with_gaps_or_three_values():
    gaps = scans()
    gaps["ill"] = gaps["ill"].astype(float).where(gaps.index % 20 != 0)
    result = audit_table(gaps, Spec(**SPEC, **LABELLED))
    assert next(c for c in result["checks"] if c["id"] == "balance")["measured"]["base rate"] > 0.4
    with pytest.raises(BasinError, match="column ill: expected two values, found 0, 1, 2"):
        audit_table(scans().assign(ill=lambda d: d.index % 3), Spec(**SPEC, **LABELLED))


def test_counts_are_no_dates():
    with pytest.raises(BasinError, match="column date holds no date"):
        audit_table(garch(0).assign(date=range(ROWS)), Spec(**SPEC))


def test_missing_columns_are_named():
    with pytest.raises(BasinError, match="no column price; found date, close, vol"):
        audit_table(garch(0), Spec(time="date", target="price"))


def test_a_series_or_an_input_that_never_moves_is_named():
    flat = audit_table(garch(0).assign(close=77.0, signal=1.0), Spec(**SPEC, inputs=["signal"]))
    (coverage,) = (check for check in flat["checks"] if check["id"] == "coverage")
    assert coverage["at_fault"] == [
        "close: all 1500 values are 77, so it never moves",
        "signal: never moves",
    ]


def test_the_page_escapes_what_the_file_says(tmp_path: Path):
    frame = garch(0).rename(columns={"vol": "<script>alert(1)</script>"})
    result = audit_table(frame, Spec(**SPEC))
    write_audit(result, "<b>.csv", tmp_path)
    page = (tmp_path / "audit.html").read_text()
    assert page == page_of(result, "<b>.csv")
    assert "<script>" not in page and "<b>.csv" not in page
    assert 'name="viewport"' in page and "Checks that do not apply" in page


def test_a_copy_of_a_training_row_in_the_test_part_is_seen():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    rows["ill"] = rng.integers(2, size=400)
    rows["part"] = np.where(np.arange(400) < 200, "train", "test")
    spec = Spec(label="ill", split="part")
    found = {c["id"]: c for c in audit_table(rows, spec)["checks"]}
    assert found["copies"]["status"] == "pass"
    rows.loc[300:309, list("abc")] = rows.loc[0:9, list("abc")].to_numpy()
    found = {c["id"]: c for c in audit_table(rows, spec)["checks"]}
    assert found["copies"]["status"] == "fail" and found["copies"]["measured"] == 0.05


def test_the_interval_of_an_auroc_is_that_of_delong():
    """For two normals with equal variances, AUROC is Φ(distance / √2), which 95 % of the intervals hold."""
    rng = np.random.default_rng(0)
    target = np.repeat([1, 0], [400, 600])
    covered = []
    for _ in range(200):
        score = rng.standard_normal(1000) + target
        area = delong(target, score)
        assert area.value == pytest.approx(roc_auc_score(target, score))
        covered.append(area.low <= NormalDist().cdf(2**-0.5) <= area.high)
    assert 0.90 <= np.mean(covered) <= 0.99
