"""Tick marks of dates: years, months or days, inside the axis."""

import pandas as pd
import pytest

from tasks.reporting.charts import NARROW, WIDE
from tasks.reporting.time_axis import lead_marks, year_marks, years


@pytest.mark.parametrize(
    ("first", "last", "label"),
    [
        ("1990-01-01", "2018-12-31", "2015"),
        ("2017-10-20", "2018-12-31", "Nov 2018"),
        ("2024-02-10", "2024-02-19", "18 Feb"),
        ("2018-12-31", "2018-12-31", "31 Dec"),
    ],
)
def test_marks_are_years_months_or_days_inside_the_axis(first, last, label):
    low, high = years(pd.DatetimeIndex([first, last]))
    for width, most in ((WIDE, 15), (NARROW, 6)):
        marks = year_marks(low, high)(width)
        assert 1 <= len(marks) <= most and all(low <= x <= high for x, _ in marks)
    assert label in [words for _, words in year_marks(low, high)(WIDE)]


def test_hours_of_a_day_have_places_of_their_own():
    places = years(pd.date_range("2024-02-10", periods=48, freq="h"))
    assert places == sorted(places) and len(set(places)) == 48


def test_leads_are_marked_where_they_are():
    assert lead_marks([3, 6, 9])(NARROW) == [(3.0, "3"), (6.0, "6"), (9.0, "9")]
    assert len(lead_marks(list(range(1, 31)))(WIDE)) <= 13
