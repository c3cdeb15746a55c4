"""Stage evaluate: the rows of the test block, and every model's latest forecast."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.params import load_params
from tasks.runtime.workspace import Workspace
from tasks.stages import evaluate as stage


class RowsChosen(Exception):
    """Raised with the rows that the stage would forecast."""


def test_the_test_block_has_all_hours_of_its_last_day_and_known_targets_alone(
    tmp_path, project_root, monkeypatch
):
    params = load_params(project_root, "finance")
    split = params.split
    time = pd.date_range(pd.Timestamp(split.test_to) - pd.Timedelta(days=2), periods=96, freq="h")
    inputs = pd.DataFrame({"series": "a", "origin": time - pd.Timedelta(hours=1), "lead": 1, "time": time})
    inputs["target"] = np.where(np.arange(96) == 50, np.nan, 1.0)
    workspace = Workspace(tmp_path, "finance")
    workspace.inputs.parent.mkdir(parents=True)
    inputs.to_parquet(workspace.inputs)

    def chosen(workspace, domain, rows, progress):
        raise RowsChosen(rows)

    monkeypatch.setattr(stage, "get_domain", lambda workspace: SimpleNamespace(returns=True))
    monkeypatch.setattr(stage, "forecast_rows", chosen)
    with pytest.raises(RowsChosen) as found:
        stage.evaluate(workspace, params)
    rows = found.value.args[0]
    assert rows["time"].max() == pd.Timestamp(split.test_to) + pd.Timedelta(hours=23)
    assert len(rows) == 71


def test_the_latest_forecasts_are_of_unknown_targets_at_the_last_origin(tmp_path, monkeypatch):
    origin = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-02-01"])
    inputs = pd.DataFrame(
        {"series": "a", "origin": origin, "lead": [3, 1, 3], "target": [np.nan, 0.5, np.nan]}
    )
    workspace = Workspace(tmp_path, "climate")
    workspace.classical.parent.mkdir(parents=True)
    pd.DataFrame({"model": ["lim"]}).to_parquet(workspace.classical)

    def scored(fits, entry, domain, rows, classical, history, tails):
        assert entry == "final" and rows["lead"].tolist() == [3] and rows["target"].notna().all()
        columns = {f"q{level:.2f}": level for level in stage.LATEST}
        return rows.assign(model="lim", mean=0.1, **columns), 0.0

    monkeypatch.setattr(stage, "valid", lambda *paths: pd.DataFrame())
    monkeypatch.setattr(stage, "read_folds", lambda fits: ["2019", "final"])
    monkeypatch.setattr(stage, "_score_fold", scored)
    found = stage.latest(workspace, None, inputs)
    assert list(found) == ["a"] and list(found["a"]) == ["3"]
    assert found["a"]["3"]["lim"]["mean"] == 0.1 and found["a"]["3"]["lim"]["quantiles"]["0.05"] == 0.05
    assert stage.latest(workspace, None, inputs.assign(target=1.0)) == {}
