"""Stage landscape: maps with captions, reproducible to the byte and logged for TensorBoard."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.runtime.params import load_params
from tasks.stages import landscape as stage
from tests.synthetic import make_inputs, project

DOMAIN = SimpleNamespace(
    name="finance", leads=(1,), frequency="B", state="x_z", state_title="last return", unit="%"
)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    workspace = project(tmp_path, "finance", rows=260)
    make_inputs(workspace, "x_z")
    monkeypatch.setattr(stage, "get_domain", lambda name: DOMAIN)
    return workspace


def pictures(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_maps_are_drawn_for_each_series_and_are_the_same_bytes_again(workspace, project_root):
    params = load_params(project_root, "finance")
    result = stage.landscape(workspace, params)
    first = pictures(workspace.landscape)
    figures = read_json(workspace.landscape / "landscape.json")["figures"]
    assert [f["file"] for f in figures] == result["figures"]
    assert result["figures"] == [
        "state-sp500-1.png",
        "plane-sp500-1.png",
        "state-nasdaq-1.png",
        "plane-nasdaq-1.png",
    ]
    assert all(first[f["file"]].startswith(b"\x89PNG") and len(first[f["file"]]) > 20_000 for f in figures)
    stage.landscape(workspace, params)
    assert pictures(workspace.landscape) == first
    assert len(list(workspace.tensorboard.glob("events*"))) == 1


def test_an_unknown_state_is_one_clear_line(workspace, project_root, monkeypatch):
    monkeypatch.setattr(
        stage, "get_domain", lambda name: SimpleNamespace(**{**vars(DOMAIN), "state": "x_gone"})
    )
    with pytest.raises(BasinError, match=r"no column x_gone; set `state` in tasks/domains/finance\.py"):
        stage.landscape(workspace, load_params(project_root, "finance"))
    assert not workspace.landscape.joinpath("state-sp500-1.png").exists()


def test_series_of_any_name_have_maps_of_their_own_in_the_folder(workspace, project_root):
    names = {"sp500": "../../EUR/USD", "nasdaq": ".." + "n" * 300}
    for path in (workspace.inputs, workspace.classical, workspace.forecasts):
        table = pd.read_parquet(path)
        table.assign(series=table["series"].replace(names)).to_parquet(path)
    before = set(workspace.root.rglob("*"))
    result = stage.landscape(workspace, load_params(project_root, "finance"))
    figures = read_json(workspace.landscape / "landscape.json")["figures"]
    assert len(set(result["figures"])) == 4 and "EUR_USD" in result["figures"][0]
    assert [f["file"] for f in figures] == result["figures"]
    assert figures[0]["title"].startswith("../../EUR/USD")
    written = {path for path in set(workspace.root.rglob("*")) - before if path.is_file()}
    assert {path.parent for path in written} == {workspace.landscape, workspace.tensorboard}
