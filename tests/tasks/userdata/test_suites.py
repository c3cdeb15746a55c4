"""`basin validate`: a proposed suite holds for its own file and catches what breaks it."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.files import write_json
from tasks.userdata.files.table import from_frame
from tasks.userdata.suites import check, propose


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "date": pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d"),
            "close": np.exp(rng.normal(4, 0.1, 200)).round(2).astype(str),
            "side": rng.choice(["buy", "sell"], 200),
            "note": ["", None] * 100,
        }
    )


def typed(table: pd.DataFrame) -> pd.DataFrame:
    return from_frame(table, "mine.csv").typed()


def test_a_proposed_suite_holds_for_its_own_file(table, tmp_path):
    write_json(tmp_path / "suite.json", propose(typed(table), "mine", ("date",)))
    found, refusal = check(from_frame(table, "mine.csv"), tmp_path / "suite.json", tmp_path / "out")
    assert refusal is None and found["success"] and found["quarantined"] == 0
    page = (tmp_path / "out" / "data_docs" / "index.html").read_text()
    assert "default-src 'none'" in page and "<script" not in page and "http://" not in page


@pytest.mark.parametrize("name", ["../../x", "EUR/USD", ".", "n" * 300])
def test_a_suite_of_any_name_has_its_pages_in_the_folder(table, tmp_path, name):
    write_json(tmp_path / "suite.json", propose(table, name, ("date",)))
    found, _ = check(from_frame(table, "mine.csv"), tmp_path / "suite.json", tmp_path / "out")
    assert found["suite"] == name
    assert [path.name for path in (tmp_path / "out" / "data_docs").iterdir()] == ["index.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "suite.json"]


@pytest.mark.parametrize("suite", ["gone.json", ""])
def test_a_suite_that_cannot_be_read_is_one_line(table, tmp_path, suite):
    with pytest.raises(BasinError, match="; restore the file, or write a suite with `basin validate"):
        check(from_frame(table, "mine.csv"), tmp_path / suite, tmp_path / "out")


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("close", "1O7.3", "not_be_null on close"),
        ("close", "-3", "be_between on close"),
        ("close", "9999", "be_between on close"),
        ("side", "short", "be_in_set on side"),
        ("date", "2020-01-02", "be_unique on date"),
    ],
)
def test_what_breaks_it_is_named_and_kept(table, tmp_path, column, cell, said):
    write_json(tmp_path / "suite.json", propose(typed(table), "mine", ("date",)))
    table.loc[7, column] = cell
    _, refusal = check(from_frame(table, "mine.csv"), tmp_path / "suite.json", tmp_path / "out")
    assert re.match(rf"mine\.csv: suite mine: expect_\w*{said}.*row 8", refusal or "")
    aside = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert aside["reason"].str.len().min() > 0
    assert aside.set_index("example").loc["row 8", column] == cell
    assert json.loads((tmp_path / "out" / "validation.json").read_text())["quarantined"] == len(aside)


@pytest.mark.parametrize("name", ["example", "reason", "time", "series"])
def test_a_column_of_any_name_is_checked_and_kept(table, tmp_path, name):
    mine = table.rename(columns={"close": name})
    write_json(tmp_path / "suite.json", propose(typed(mine), "mine", ("date",)))
    mine.loc[7, ["note", name]] = ["x", "1O7.3"]
    _, refusal = check(from_frame(mine, "mine.csv"), tmp_path / "suite.json", tmp_path / "out")
    assert f"not_be_null on {name} failed: 1 rows, first row 8;" in (refusal or "")
    aside = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    added = aside.columns.difference(mine.columns)
    assert list(aside[mine.columns].iloc[0]) == list(mine.loc[7]) and len(added) == 2
    assert "row 8" in aside[added].iloc[0].tolist()


def test_a_key_that_is_no_column_is_refused(table):
    with pytest.raises(BasinError, match="no column when; found date, close"):
        propose(table, "mine", ("when",))
