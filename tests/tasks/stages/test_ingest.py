"""Stage ingest: values published by the snapshot date, unchanged, with their provenance."""

import hashlib
import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.params import DomainParams, load_params
from tasks.runtime.workspace import Workspace
from tasks.sources.entries import FileSource
from tasks.sources.snapshot import known_on
from tasks.stages.ingest import ingest


@pytest.fixture
def workspace(project_root: Path, tmp_path: Path) -> Workspace:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalog.yaml").write_bytes((project_root / "data" / "catalog.yaml").read_bytes())
    return Workspace(tmp_path, "finance")


def params(project_root: Path, as_of: str) -> DomainParams:
    given = load_params(project_root, "finance")
    return given.model_copy(
        update={"ingest": given.ingest.model_copy(update={"as_of": date.fromisoformat(as_of)})}
    )


def entry(frequency: str, lag: int) -> FileSource:
    return FileSource(
        kind="file",
        title="",
        path="data/local/it.csv",
        licence="",
        unit="",
        frequency=frequency,
        publication_lag=lag,
        format="csv",
        time="time",
        columns={"value": "value"},
    )


def test_the_raw_table_ends_on_the_snapshot_date(project_root: Path, workspace: Workspace) -> None:
    result = ingest(workspace, params(project_root, "2010-06-05"))
    raw = pd.read_parquet(workspace.raw)
    assert list(raw) == ["time", "series", "open", "high", "low", "close", "volume"]
    assert raw["time"].dtype == "datetime64[ns]" and isinstance(raw.index, pd.RangeIndex)
    last = raw.groupby("series", sort=False)["time"].max()
    assert last.to_dict() == {"sp500": pd.Timestamp("2010-06-04"), "nasdaq": pd.Timestamp("2010-06-04")}
    assert result == {"rows": len(raw), "last": "2010-06-04"}


def test_provenance_says_what_came_from_where_and_nothing_of_this_machine(
    project_root: Path, workspace: Workspace
) -> None:
    ingest(workspace, params(project_root, "2018-12-31"))
    first = workspace.raw.read_bytes(), workspace.provenance.read_bytes()
    found = json.loads(first[1])
    assert found["as_of"] == "2018-12-31" and found["rows"] == 10062
    assert found["sha256"] == hashlib.sha256(first[0]).hexdigest()
    assert [(s["name"], s["kind"], s["origin"], s["rows"]) for s in found["sources"]] == [
        ("sp500", "library", "arch.data.sp500.load", 5031),
        ("nasdaq", "library", "arch.data.nasdaq.load", 5031),
    ]
    assert str(workspace.root) not in first[1].decode()
    ingest(workspace, params(project_root, "2018-12-31"))
    assert (workspace.raw.read_bytes(), workspace.provenance.read_bytes()) == first


def test_a_month_is_known_only_when_it_is_over_and_published() -> None:
    months = pd.DataFrame({"time": pd.date_range("2010-10-01", periods=3, freq="MS"), "value": 1.0})
    for as_of, known in (("2010-12-04", 1), ("2010-12-05", 2), ("2011-01-04", 2), ("2011-01-05", 3)):
        assert len(known_on(months, entry("MS", 5), date.fromisoformat(as_of), "it")) == known


def test_a_day_with_a_lag_is_known_later() -> None:
    days = pd.DataFrame({"time": pd.to_datetime(["2018-12-27", "2018-12-28"]), "value": 1.0})
    assert len(known_on(days, entry("B", 0), date(2018, 12, 28), "it")) == 2
    assert len(known_on(days, entry("B", 1), date(2018, 12, 28), "it")) == 1


def test_a_snapshot_before_the_first_publication_is_refused(project_root: Path, workspace: Workspace) -> None:
    with pytest.raises(BasinError, match=r"sp500.*1998-12-31.*first publication: 1999-01-04"):
        ingest(workspace, params(project_root, "1998-12-31"))
    assert not workspace.raw.exists() and not workspace.provenance.exists()


def test_the_mirror_variable_is_relative_to_the_project(
    project_root: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = workspace.catalog.read_text().replace(
        "  loader: arch.data.nasdaq.load\n", "  loader: none.such\n  mirror: n.csv\n"
    )
    workspace.catalog.write_text(catalog)
    with pytest.raises(BasinError, match="nasdaq"):
        ingest(workspace, params(project_root, "2018-12-31"))
    (workspace.root / "held").mkdir()
    (workspace.root / "held" / "n.csv").write_text(
        "Date,Open,High,Low,Close,Volume\n2018-01-02,3,4,2,3.5,7\n"
    )
    monkeypatch.setenv("BASIN_DATA_MIRROR", "held")
    ingest(workspace, params(project_root, "2018-12-31"))
    raw = pd.read_parquet(workspace.raw)
    assert raw.loc[raw["series"] == "nasdaq", ["open", "volume"]].to_numpy().tolist() == [[3.0, 7.0]]
