"""The forecast of a day refuses what it cannot do; that it equals the stage's is in the system tests."""

from datetime import date

import pytest

from tasks.daily import daily_forecast
from tasks.errors import BasinError
from tasks.files import write_json


def test_no_model_or_a_day_that_the_model_has_seen_is_one_clear_line(project_root, tmp_path):
    (tmp_path / "params.yaml").write_text((project_root / "params.yaml").read_text())
    with pytest.raises(BasinError, match="no registered model; run `basin run --domain climate` first"):
        daily_forecast(tmp_path, "climate", date(2011, 2, 28))
    model = tmp_path / "artifacts/climate/model"
    model.mkdir(parents=True)
    write_json(model / "config.json", {"as_of": "2011-01-31"})
    with pytest.raises(
        BasinError, match="as_of 2010-06-30: the registered model knows data up to 2011-01-31"
    ):
        daily_forecast(tmp_path, "climate", date(2010, 6, 30))
    assert not (tmp_path / "runs").exists()
