"""Test windows of sample paths, and what is said of a stored model."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import basin
from tasks.runtime.errors import BasinError
from tasks.userdata.joint_paths import windows
from tasks.userdata.request import Request

DAYS = pd.bdate_range("2015-01-01", periods=1100)


@pytest.mark.parametrize("dev", [False, True])
def test_a_test_block_after_the_last_row_is_refused(dev: bool) -> None:
    asked = Request(leads=(1, 2, 3, 4, 5), test_from=date(2030, 1, 1), dev=dev)
    with pytest.raises(BasinError, match=r"^the test block has 0 dates, fewer than the horizon of 5 steps"):
        windows(DAYS, asked, [])


def test_paths_of_a_stored_model_say_so(tmp_path: Path) -> None:
    close = pd.Series(100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 1100))), DAYS, name="a")
    first = basin.forecast(close, horizon=2, out=tmp_path / "a")
    again = basin.forecast(close, horizon=2, model=first, out=tmp_path / "b")
    assert "the tilt is that of the stored model and was not fitted again" in again.notes
    assert set(again.notes) > set(first.notes)
