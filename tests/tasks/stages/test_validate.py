"""Stage validate: the real data meet their suites, a failure stops the stage, and domains are independent."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from tasks.checks.suites import derived, read_suite, run_suite
from tasks.runtime.errors import BasinError
from tasks.runtime.workspace import Workspace
from tasks.sources.quarantine import valid
from tasks.stages import run_stage


@pytest.fixture(scope="module")
def root(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project after ingest of both domains from installed packages."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "data" / "expectations").mkdir(parents=True)
    for name in (
        "params.yaml",
        "data/catalog.yaml",
        "data/expectations/finance.json",
        "data/expectations/climate.json",
    ):
        (folder / name).write_bytes((project_root / name).read_bytes())
    for domain in ("finance", "climate"):
        run_stage("ingest", domain, folder)
    return folder


def test_two_domains_validate_at_once_and_each_gets_its_own_record(root: Path) -> None:
    environment, folder = dict(os.environ), Path.cwd()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda d: run_stage("validate", d, root), ("finance", "climate")))
    assert all(result["success"] for result in results)
    assert (dict(os.environ), Path.cwd()) == (environment, folder)
    for domain, column in (("finance", "close"), ("climate", "sst")):
        workspace = Workspace(root, domain)
        record = json.loads(workspace.validation.read_text())
        suite = read_suite(workspace.expectations)
        assert record["success"] is True and record["suite"] == domain
        assert [e["expectation"] for e in record["expectations"]] == [
            e["type"] for e in suite["expectations"]
        ]
        assert column in {e["column"] for e in record["expectations"]}
        assert all(e["success"] and e["failing_rows"] == 0 for e in record["expectations"])
        assert (workspace.data_docs / "index.html").is_file()


def test_rows_at_fault_are_set_aside_with_the_reason_and_the_rest_goes_on(root: Path) -> None:
    workspace = Workspace(root, "climate")
    suite, good = workspace.expectations.read_text(), workspace.raw.read_bytes()
    raw = pd.read_parquet(workspace.raw)
    spoiled = raw.copy()
    spoiled.loc[300, "sst"] = -99.9
    spoiled.to_parquet(workspace.raw, index=False)
    try:
        with pytest.raises(BasinError, match="1 rows, first 1975-01-01"):
            run_stage("validate", "climate", root)
        aside = pd.read_parquet(workspace.quarantine)
        assert aside["row"].tolist() == [300] and aside["sst"].tolist() == [-99.9]
        assert "sea water freezes" in aside["reason"][0]
        workspace.expectations.write_text(suite.replace('"quarantine": 0', '"quarantine": 0.01'))
        assert run_stage("validate", "climate", root)["quarantined"] == 1
        assert valid(workspace.raw, workspace.quarantine).equals(raw.drop(index=300).reset_index(drop=True))
    finally:
        workspace.expectations.write_text(suite)
        workspace.raw.write_bytes(good)


def test_the_record_is_the_same_bytes_each_time(root: Path) -> None:
    path = Workspace(root, "climate").validation
    run_stage("validate", "climate", root)
    first = path.read_bytes()
    run_stage("validate", "climate", root)
    assert path.read_bytes() == first and str(root) not in first.decode()


def test_a_failure_leaves_the_record_and_shows_every_row_in_data_docs(root: Path) -> None:
    workspace = Workspace(root, "climate")
    run_stage("validate", "climate", root)
    good, raw = workspace.validation.read_bytes(), workspace.raw.read_bytes()
    table = pd.read_parquet(workspace.raw)
    table.loc[[10, 700], "sst"] = 99.5
    table.to_parquet(workspace.raw, index=False)
    try:
        with pytest.raises(BasinError) as caught:
            run_stage("validate", "climate", root)
    finally:
        workspace.raw.write_bytes(raw)
    message = str(caught.value)
    assert "expect_column_values_to_be_between on sst failed: 2 rows" in message
    assert "first 1950-11-01 (nino), 2008-05-01 (nino)" in message and "\n" not in message
    assert workspace.validation.read_bytes() == good
    page = (workspace.data_docs / "index.html").read_text()
    assert page.count("<td>99.5</td>") == 2 and 'class="failed"' in page
    assert "<script" not in page and "https://" not in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"suite": "climate"}', "expected `suite`"),
        (
            '{"suite": "c", "expectations": [{"type": "expect_column_to_exist"}]}',
            "expectation 1: keys type; ",
        ),
        ("{", "not valid JSON"),
    ],
)
def test_a_broken_suite_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "climate.json").write_text(text)
    with pytest.raises(BasinError, match=r"climate\.json") as caught:
        read_suite(tmp_path / "climate.json")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "expect_columns_to_be_nice", "kwargs": {}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"columns": "sst"}},
    ],
)
def test_an_expectation_that_does_not_exist_is_named(tmp_path: Path, entry: dict) -> None:
    suite = {"suite": "climate", "expectations": [{**entry, "meta": {"why": ""}}]}
    with pytest.raises(BasinError, match=rf"suite climate: expectation 1 \({entry['type']}\)"):
        run_suite(suite, pd.DataFrame({"sst": [20.0]}), tmp_path / "docs", ())


def test_derived_columns_start_anew_with_each_series() -> None:
    raw = pd.DataFrame(
        {
            "time": pd.to_datetime(["2018-12-28", "2018-12-31", "1999-01-04", "1999-01-04"]),
            "series": ["a", "a", "b", "b"],
            "close": [100.0, 110.0, 5.0, 0.0],
        }
    )
    table = derived(raw)
    assert table["days_since_previous"].tolist()[1::2] == [3.0, 0.0]
    assert table["days_since_previous"].isna().tolist() == [True, False, True, False]
    assert table["log_return"].iloc[1] == pytest.approx(9.531018, abs=1e-6)
    assert table["log_return"].isna().tolist() == [True, False, True, True]
    assert list(raw) == ["time", "series", "close"]
