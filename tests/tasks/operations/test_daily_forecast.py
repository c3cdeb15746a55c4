"""Errors of the daily forecast. The system tests compare its result with that of the stage `forecast`."""

import subprocess
from datetime import date

import pytest

from tasks.operations import daily_forecast as module
from tasks.operations.daily_forecast import daily_forecast
from tasks.runtime.errors import BasinError
from tasks.runtime.files import write_json


def test_no_model_or_a_day_that_the_model_has_seen_is_one_clear_line(project_root, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((project_root / "params.yaml").read_text())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(BasinError, match="climate: no model is current; run `basin run`"):
        daily_forecast(tmp_path, "climate", date(2011, 2, 28))
    model = tmp_path / "artifacts/climate/model"
    model.mkdir(parents=True)
    write_json(model / "config.json", {"as_of": "2011-01-31"})
    monkeypatch.setattr(module, "in_use", lambda *_: model.parent)
    with pytest.raises(
        BasinError, match="as_of 2010-06-30: the current model was fitted on data up to 2011-01-31"
    ):
        daily_forecast(tmp_path, "climate", date(2010, 6, 30))
    assert not (tmp_path / "runs").exists()
