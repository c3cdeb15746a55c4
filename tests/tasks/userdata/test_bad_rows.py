"""Bad rows, holes and sentinels: missing values are not used, and filled rows know nothing of later ones."""

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.bad_rows import filled
from tasks.userdata.files.table import from_frame
from tasks.userdata.inspection import inspect
from tasks.userdata.plan import planned
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request
from tasks.userdata.sentinels import sentinels_of

RNG = np.random.default_rng(5)
DAYS = pd.bdate_range("2019-01-02", periods=600)
PRICES = (100 * np.exp(np.cumsum(RNG.normal(0, 0.01, 600)))).round(2)
MONTHS = pd.date_range("1970-01-01", periods=600, freq="MS")
VALUES = 10 + 5 * np.sin(np.arange(600) * np.pi / 6) + RNG.normal(0, 1, 600)


def read(frame: pd.DataFrame, **options) -> Reading:
    return understand(from_frame(frame, "rows.csv"), Request(**options))


def test_a_hole_is_filled_from_the_rows_before_it() -> None:
    values = VALUES.copy()
    values[[300, 301]] = np.nan
    found = filled(values, 12)
    other = np.where(np.arange(600) > 301, 1e6, values)
    np.testing.assert_array_equal(found[:302], filled(other, 12)[:302])
    assert abs(found[300] - VALUES[300]) < 4 and abs(found[301] - VALUES[301]) < 4
    np.testing.assert_array_equal(filled(np.array([1.0, 5.0, np.nan]), 1), [1.0, 5.0, 5.0])


def test_a_hole_is_not_filled_below_0_if_no_value_is() -> None:
    rain = np.abs(np.random.default_rng(0).normal(size=240)) * np.tile(np.arange(12.0), 20)
    holed = rain.copy()
    holed[36::24] = np.nan  # in the driest month, after a wet one
    assert np.nanmin(filled(holed, 12)) >= 0
    assert filled(np.array([3.0, 2.0, 1.0, 0.5, np.nan, 1.0]) - 2, 2)[4] < 0


def test_each_series_of_a_panel_of_levels_is_filled() -> None:
    panel = pd.DataFrame({"date": [*MONTHS, *MONTHS], "s": ["A"] * 600 + ["B"] * 600})
    panel = panel.assign(value=np.r_[VALUES, VALUES + RNG.normal(0, 3, 600)]).drop(index=[100, 900])
    found = inspect(panel, Request(on_bad_row="interpolate"))
    assert found.reading.table.groupby("series").size().tolist() == [600, 600]
    assert sum("filled from the rows before" in sentence for sentence in found.notes) == 2


def test_rows_keep_the_numbers_of_the_file_everywhere() -> None:
    hole = pd.DataFrame({"date": MONTHS, "value": VALUES}).drop(index=[100]).reset_index(drop=True)
    hole.loc[400, "value"] = 500.0
    assert "row 401," in inspect(hole, Request(on_bad_row="interpolate")).warnings[0]
    weeks = pd.DataFrame({"date": DAYS, "close": PRICES})
    weeks.loc[502, "close"] = 5000.0  # a Friday
    assert "row 503," in inspect(weeks, Request(resample="W")).warnings[0]
    wide = pd.DataFrame({"date": DAYS, "A": PRICES, "B": PRICES[::-1]})
    wide.loc[10, "B"] = 5000.0
    assert "row 11," in inspect(wide, Request(all_targets=True)).warnings[0]
    for value, said in ((np.nan, r"no value in row 11 \(B, "), (-3.0, "row 11: B is -3")):
        wide.loc[10, "B"] = value
        with pytest.raises(BasinError, match=said):
            read(wide, all_targets=True)


@pytest.mark.parametrize("act", ["stop", "drop"])
def test_a_panel_or_shorter_periods_are_not_dropped_as_repeated_dates(act: str) -> None:
    stocks = pd.DataFrame({"date": [*DAYS] * 3, "number": np.repeat([10001, 10002, 10003], 600)})
    stocks["price"] = np.r_[PRICES, PRICES * 2, PRICES * 3]
    with pytest.raises(BasinError, match=r"--series, .* the column number tells such rows apart") as refused:
        read(stocks, target="price", on_bad_row=act)
    assert "drop" not in str(refused.value)
    assert len(read(stocks, target="price", series="number").table) == 1800


def test_rows_that_occur_twice_can_be_dropped() -> None:
    twice = pd.DataFrame({"date": [*DAYS, *DAYS], "close": [*PRICES, *PRICES]})
    with pytest.raises(BasinError, match="--on-bad-row drop"):
        read(twice)
    assert len(read(twice, on_bad_row="drop").table) == 600


@pytest.mark.parametrize("unusable", [np.nan, np.inf, -1.0])
def test_a_row_without_a_usable_value_is_no_earlier_row_of_its_date(unusable: float) -> None:
    prices = pd.DataFrame({"date": DAYS, "close": PRICES})
    both = pd.concat([prices.iloc[[100, 200]].assign(close=unusable), prices])
    both = both.sort_values("date", kind="stable", ignore_index=True)
    assert read(both, kind="price", on_bad_row="drop").table["close"].tolist() == PRICES.tolist()


def test_many_cells_of_another_kind_are_no_rows_to_drop() -> None:
    cells = pd.DataFrame({"date": DAYS, "close": np.where(np.arange(600) % 5, PRICES.astype(str), "halted")})
    with pytest.raises(BasinError, match="--target") as refused:
        read(cells, target="close")
    assert "drop" not in str(refused.value)


def test_a_missing_value_of_a_level_is_filled_as_the_message_says() -> None:
    frame = pd.DataFrame({"date": MONTHS, "value": VALUES})
    frame.loc[10, "value"] = np.nan
    with pytest.raises(BasinError, match=r"no value in row 11 .*--on-bad-row interpolate to fill"):
        read(frame)
    assert len(read(frame, on_bad_row="interpolate").table) == 600


TEMPERATURE = (10 + 15 * np.sin(np.arange(1500) * 2 * np.pi / 365) + RNG.normal(0, 3, 1500)).round(1)


FLAGS = (
    "-99.9 99.9 999.9 9999.9 99.99 -99 -888 -999 9999 1e20 -88.8 -9990 -9.99e8 1e10 -1e10 1e15 9.96921e36 "
    "65535 32767 -32768 4294967295 -99999999 -999.25"
)


@pytest.mark.parametrize(
    "flag",
    [float(flag) for flag in FLAGS.split()],
)
def test_sentinels_are_far_from_all_other_values(flag: float) -> None:
    values = TEMPERATURE.copy()
    values[[100, 101, 700]] = flag
    assert sentinels_of(values) == [flag]


def test_a_refusal_shows_the_number_that_was_taken_for_a_missing_value() -> None:
    frame = pd.DataFrame({"date": MONTHS, "value": VALUES})
    frame.loc[[10, 20], "value"] = -999.0
    with pytest.raises(BasinError, match=r"row 11 \(1970-11-01: '-999.0' stands for a missing value\)"):
        read(frame)


def test_sentinels_in_single_precision_are_found() -> None:
    values = TEMPERATURE.copy()
    values[[100, 101]] = np.float32(-99.9)
    assert sentinels_of(values.astype(np.float32).astype(float)) == [-99.9]


def test_sentinels_do_not_shield_each_other_and_an_error_does_not_shield_them() -> None:
    values = TEMPERATURE.copy()
    values[[5, 6]], values[[8, 9]], values[20] = -9999.0, 9999.0, 4000.0
    assert sentinels_of(values) == [-9999.0, 9999.0]
    flow = np.exp(RNG.normal(7, 1.2, 1500)).round(1)
    flow[100] = -9999.0
    assert sentinels_of(np.append(flow, 98_910.0)) == [-9999.0]


@pytest.mark.parametrize(
    "values",
    [
        np.r_[PRICES * 10, 999.0, 999.0],
        np.r_[RNG.normal(-1000, 300, 500), -999.0],
        np.r_[RNG.normal(0, 1, 500), -9.99],
        np.r_[np.exp(RNG.normal(7, 1.2, 1500)), 98_910.0, 99_999.0, 99_999.0],
        np.r_[RNG.uniform(0, 110, 500).round(1), 99.9, 99.9],
        RNG.choice([7.99, 8.49, 9.99], 500, p=[0.1, 0.1, 0.8]),
        RNG.choice([79.0, 85.0, 99.0], 500, p=[0.1, 0.1, 0.8]),
        np.r_[RNG.normal(9990, 100, 500).round(0), 9999.0, 9999.0, 9990.0],
        np.r_[RNG.integers(0, 65000, 500), 65535, 65535, 65535],
        np.r_[RNG.lognormal(11, 1, 500).round(), 1e6, 1e6],
        np.r_[RNG.normal(0, 1, 500), 1e10],
    ],
    ids=[
        "price",
        "depths",
        "one return",
        "flow",
        "per cent",
        "9.99",
        "99",
        "index",
        "counts",
        "volume",
        "error",
    ],
)
def test_values_of_the_form_of_a_sentinel_stay_values(values: np.ndarray) -> None:
    assert sentinels_of(values) == []


def test_inputs_and_each_series_are_searched_for_sentinels() -> None:
    frame = pd.DataFrame({"date": DAYS, "close": PRICES, "x": PRICES * 2})
    frame.loc[[10, 11], "x"] = -999.0
    reading = read(frame, target="close", exog=("x",))
    assert reading.table["x"].min() > 0
    assert any(note.startswith("input x: -999 in 2 rows, the first is row 11") for note in reading.notes)
    wide = pd.DataFrame({"date": DAYS, "BTC": PRICES * 400, "EUR": (PRICES / 90).round(4)})
    wide.loc[[7, 300], "EUR"] = -999.0
    with pytest.raises(BasinError, match=r"no value in row 8 \(EUR, "):
        read(wide, all_targets=True)
    reading = read(wide, all_targets=True, on_bad_row="drop")
    assert any(note.startswith("EUR: -999 in 2 rows, the first is row 8") for note in reading.notes)


@pytest.mark.parametrize(
    ("name", "factor"), [("return_pct", 1), ("ret (%)", 1), ("ret", 100), ("percentile_return", 100)]
)
def test_the_name_of_small_returns_tells_that_they_are_in_per_cent(name: str, factor: int) -> None:
    returns = RNG.normal(0, 0.08, 600).round(4)
    reading = read(pd.DataFrame({"date": DAYS, name: returns}))
    assert reading.kind == "return"
    np.testing.assert_allclose(reading.table["close"], factor * returns)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d-%b-%y", "%d/%m/%y"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("place", "wrong"), [(150, "1999-01-05"), (150, "2060-01-05"), (319, "1999-01-05"), (150, "2035-01-05")]
)
def test_a_date_years_away_from_its_neighbours_is_a_bad_row(
    form: str, reverse: bool, place: int, wrong: str
) -> None:
    days = pd.Series(pd.bdate_range("2010-01-04", periods=320))
    days[place] = pd.Timestamp(wrong)
    close = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 320)))
    frame = pd.DataFrame({"date": days.dt.strftime(form), "close": close.round(2)})
    row = 320 - place if reverse else place + 1
    frame = frame.iloc[::-1].reset_index(drop=True) if reverse else frame
    with pytest.raises(BasinError, match=rf"years away from those of the rows beside it in row {row} \("):
        understand(from_frame(frame, "x"), Request())
    reading = understand(from_frame(frame, "x"), Request(on_bad_row="drop"))
    assert (reading.left_out, reading.freq) == (1, "B")
    assert reading.table["time"].dt.year.isin([2010, 2011]).all()


def test_dates_of_rows_that_are_not_in_order_are_right() -> None:
    days = pd.Series(pd.bdate_range("2000-01-03", periods=4000))
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 4000)))
    frame = pd.DataFrame({"date": days.astype(str), "close": walk.round(2)})
    for order in (
        np.roll(np.arange(4000), 1000),
        np.roll(np.arange(4000), 1),
        np.random.default_rng(0).permutation(4000),
    ):
        assert len(understand(from_frame(frame.iloc[order], "x"), Request()).table) == 4000


@pytest.mark.parametrize("share", ["half of the rows", "almost all rows"])
def test_a_refusal_after_a_mask_names_the_sentinel(share: str) -> None:
    days = pd.date_range("2010-01-01", periods=400)
    value = RNG.normal(10, 1, 400).round(2)
    if share == "half of the rows":
        value[1::2] = -999.9
    else:
        value[60:400] = -999.9
    with pytest.raises(
        BasinError, match=r"\(-999\.9 in \d+ rows, the first is row \d+, stands for a missing"
    ):
        reading = understand(from_frame(pd.DataFrame({"date": days, "value": value}), "x"), Request())
        planned(reading, Request(), "x")


@pytest.mark.parametrize("value", [None, "abc", "inf"])
def test_bad_rows_are_named_by_the_dates_of_the_file_and_not_by_moved_ones(value: str | None) -> None:
    days = pd.date_range("1990-01-15", periods=360, freq=pd.DateOffset(months=1))
    values = [f"{10 + 5 * np.sin(k * np.pi / 6) + 0.1 * (k % 7):.2f}" for k in range(360)]
    table = pd.DataFrame({"date": days, "value": values})
    table.loc[50, "value"] = value
    with pytest.raises(BasinError, match=r"row 51 \(1994-03-15"):
        understand(from_frame(table, "rows.csv"), Request())
    with pytest.raises(BasinError, match=r"row 361 \(2019-06-16, moved to 2019-06-01\)"):
        again = pd.concat([table.assign(value=values), pd.DataFrame({"date": ["2019-06-16"], "value": "9"})])
        understand(from_frame(again.astype({"date": "datetime64[ns]"}), "rows.csv"), Request())
    with pytest.raises(BasinError, match=r"1 month missing \(1994-03\)"):
        understand(from_frame(table.assign(value=values).drop(index=50), "rows.csv"), Request())
