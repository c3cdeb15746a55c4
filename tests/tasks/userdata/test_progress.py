"""The expected duration of a command grows with what it computes, and its progress tells the time left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.events import scores, simulation
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import Progress
from tasks.userdata.progress import START, expected_alarm_seconds, expected_paths_seconds, expected_seconds
from tasks.userdata.request import Request
from tasks.userdata.run import alarm, forecast

ROWS = 1200
CLOSE = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, ROWS)))
PRICES = pd.DataFrame({"close": CLOSE}, index=pd.bdate_range("2015-01-01", periods=ROWS))


class Recorded:
    """Stages whose expected duration and progress are kept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.steps: dict[str, list[tuple[int, int]]] = {}

    def expect(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def __call__(self, name: str, run: Callable[[Progress], Any]) -> None:
        run(lambda label, done, total: self.steps.setdefault(label, []).append((done, total)))


def test_the_expected_duration_grows_with_rows_peers_and_networks() -> None:
    few = expected_seconds(1000, 0, 15)
    assert START < few < expected_seconds(2000, 0, 15)
    assert few < expected_seconds(1000, 7, 15)
    assert few < expected_seconds(1000, 0, 30)


def test_the_expected_duration_of_an_alarm_grows_with_years_steps_and_models() -> None:
    few = expected_alarm_seconds(10, 5, 4)
    assert START < few < expected_alarm_seconds(20, 5, 4)
    assert few < min(expected_alarm_seconds(10, 21, 4), expected_alarm_seconds(10, 5, 5))


def test_the_expected_duration_of_joint_paths_grows_with_rows_series_leads_and_windows() -> None:
    few = expected_paths_seconds(1000, 2, 5)
    assert START < few < min(expected_paths_seconds(2000, 2, 5), expected_paths_seconds(1000, 3, 5))
    assert few < min(expected_paths_seconds(1000, 2, 10), expected_paths_seconds(1000, 2, 5, 1))


def test_an_alarm_begins_with_its_duration_and_counts_years_blocks_of_resamples_and_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "SAMPLES", 200)
    monkeypatch.setattr(scores, "DRAWS", 5)
    stages = Recorded()
    alarm(PRICES, Request(target="close"), "min<=-0.03@5", 2.0, tmp_path, stages)
    years = len(simulation.simulated_years(PRICES.index.year.to_numpy()))
    assert stages.seconds == [expected_alarm_seconds(years, 5, 4)]
    assert stages.steps["simulated paths"] == [(done, years) for done in range(years)]
    assert {label: len(steps) for label, steps in stages.steps.items()} == {
        "simulated paths": years,
        "intervals of the scores": 1,
        "thresholds": 4,
    }


@pytest.mark.parametrize("rows", [PRICES.head(300), PRICES.assign(other=CLOSE), -PRICES])
def test_an_alarm_that_is_refused_has_no_duration(tmp_path: Path, rows: pd.DataFrame) -> None:
    stages = Recorded()
    with pytest.raises(BasinError):
        alarm(rows, Request(target=tuple(rows)), "min<=-0.03@5", 2.0, tmp_path, stages)
    assert not stages.seconds


def test_joint_paths_begin_with_their_duration(tmp_path: Path) -> None:
    stages, request = Recorded(), Request(target="close", leads=(1, 2))
    forecast(PRICES, request, tmp_path / "out", stages=stages)
    assert stages.seconds == [expected_paths_seconds(ROWS, 1, 2)]
    assert stages.steps == {"quantiles and densities": [(0, 1)]}
    forecast(PRICES, request, tmp_path / "again", tmp_path / "out" / "model", stages)
    assert stages.seconds[1] == expected_paths_seconds(0, 1, 2)
