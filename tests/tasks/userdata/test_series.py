"""Levels of a user's file: their unit, and whether they have a least value."""

import pandas as pd
import pytest

from tasks.userdata.series import OwnLevels, lowest_of


def levels(measure: str) -> OwnLevels:
    return OwnLevels(
        target="value",
        name="a",
        title="A",
        frequency="MS",
        shown="sst",
        measure=measure,
        peers=OwnLevels.peers,
        low=0.0,
        high=1.0,
    )


def test_forecasts_are_in_the_unit_of_the_file_and_scores_in_that_of_anomalies() -> None:
    assert (levels("°C").level_unit, levels("°C").unit) == ("°C", "°C anomaly")
    assert (levels("").level_unit, levels("").unit) == ("", "anomaly")


@pytest.mark.parametrize(
    ("values", "lowest"), [([0, 3, 0, 1], 0.0), ([0.5, 3], None), ([-1, 0, 2], None), ([20, 30], None)]
)
def test_a_record_whose_least_value_is_zero_has_a_least_value(
    values: list[float], lowest: float | None
) -> None:
    assert lowest_of(pd.Series(values)) == lowest
