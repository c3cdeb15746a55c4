"""A user's file: what is inferred is said, what is bad is named in one line."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.checks.table.evidence import read_spec
from tasks.runtime.errors import BasinError
from tasks.userdata.audit import read_audited
from tasks.userdata.files.table import from_frame, load
from tasks.userdata.inspection import inspect
from tasks.userdata.reading import Reading, understand
from tasks.userdata.request import Request

ASKED = Request(time="date", target="close")


def prices(rows: int = 60) -> pd.DataFrame:
    days = pd.bdate_range("2018-01-01", periods=rows)
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, rows)))
    return pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "close": walk.round(2)})


def read(frame: pd.DataFrame, request: Request = ASKED, label: str = "x") -> Reading:
    return understand(from_frame(frame, label), request)


def refusal(frame: pd.DataFrame, request: Request = ASKED) -> str:
    with pytest.raises(BasinError) as caught:
        read(frame, request, "prices.csv")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("prices.csv: ")
    return str(caught.value)


def test_what_is_left_open_is_inferred_and_said() -> None:
    reading = read(prices(), ASKED, "prices.csv")
    assert (reading.kind, reading.freq, reading.ohlc) == ("price", "B", False)
    assert any(s.startswith("frequency B") for s in reading.notes)
    assert any(s.startswith("kind price") for s in reading.notes)
    assert list(reading.table.columns) == ["time", "series", "close"]


@pytest.mark.parametrize(
    ("request_of", "ahead"),
    [
        (ASKED, "of the next trading day"),
        (replace(ASKED, leads=(1, 5)), "over up to 5 trading days"),
        (replace(ASKED, leads=(3,), resample="W"), "over up to 3 weeks"),
    ],
)
def test_the_kind_says_over_what_the_return_is(request_of: Request, ahead: str) -> None:
    frame = prices(1500)
    returns = frame.assign(close=frame["close"].pct_change()).iloc[1:]
    for table, kind in ((frame, "price"), (returns, "return")):
        notes = read(table, request_of).notes
        (reason,) = (note for note in notes if note.startswith(f"kind {kind}"))
        assert f"the forecast is of the return {ahead}" in reason


@pytest.mark.parametrize(("text", "freq"), [("MS", "MS"), ("W-MON", "W"), ("h", "h"), ("D", "D")])
def test_frequencies_are_recognised(text: str, freq: str) -> None:
    frame = prices().assign(date=pd.date_range("2018-01-01", periods=60, freq=text).astype(str))
    assert read(frame, ASKED, "x").freq == freq


@pytest.mark.parametrize(
    ("row", "value", "said"),
    [
        (7, np.nan, "no value in row 8"),
        (7, np.inf, "an infinite value in row 8"),
        (7, -3.0, "a price that is not positive in row 8"),
        (0, 0.0, "a price that is not positive in row 1"),
    ],
)
def test_bad_rows_are_named_and_refused_or_dropped_and_said(row: int, value: float, said: str) -> None:
    frame = prices()
    frame.loc[row, "close"] = value
    asked = replace(ASKED, kind="price", freq="B")
    assert said in refusal(frame, asked) and "--on-bad-row drop" in refusal(frame, asked)
    reading = read(frame, replace(asked, on_bad_row="drop"), "x")
    assert len(reading.table) == 59
    assert any("1 row left out" in s for s in reading.notes)


def test_duplicates_weekends_and_gaps_are_named() -> None:
    twice = pd.concat([prices(), prices().iloc[[5]]])
    assert "the date of an earlier row in row 61 (2018-01-08)" in refusal(twice)
    weekend = pd.concat([prices(), pd.DataFrame({"date": ["2018-01-06"], "close": [100.0]})])
    assert (
        "days of the week that the file seldom has: row 61 (2018-01-06, Saturday)"
        in read(weekend).warnings[0]
    )
    gap = prices().drop(index=range(20, 45)).reset_index(drop=True)
    assert "38 days without rows before row 21" in read(gap).warnings[0]


def test_an_input_that_is_missing_is_carried_forward_and_said() -> None:
    frame = prices().assign(vix=20.0)
    frame.loc[9, "vix"], frame.loc[8, "vix"] = np.nan, 33.0
    reading = read(frame, replace(ASKED, exog=("vix",)), "x")
    assert reading.table["vix"].iloc[9] == 33.0
    assert any(s.startswith("input vix is missing in 1 row ") for s in reading.notes)
    frame.loc[15, ["vix", "close"]] = np.nan
    dropped = read(frame, replace(ASKED, exog=("vix",), on_bad_row="drop"), "x")
    assert any(s.startswith("input vix is missing in 1 row ") for s in dropped.notes)
    frame.loc[15, ["vix", "close"]] = 20.0, 100.0
    frame.loc[20:40, "vix"] = np.nan
    said = refusal(frame, replace(ASKED, exog=("vix",)))
    assert "no finite value of the input vix in row 26" in said
    assert said.endswith("; fill the input in the file, or omit it from --exog")


def test_rows_before_the_first_value_of_an_input_are_not_used_and_said() -> None:
    frame = prices()
    frame["lagged"], frame["later"] = frame["close"].shift(1), frame["close"].shift(3)
    reading = read(frame, replace(ASKED, exog=("lagged", "later")), "x")
    assert len(reading.table) == len(frame) - 3 and reading.table.notna().all().all()
    days = [f"{day:%Y-%m-%d}" for day in pd.to_datetime(frame["date"].head(3))]
    assert f"1 row before the first value of the input lagged, {days[0]}, not used" in reading.notes
    assert (
        f"2 rows before the first value of the input later, {days[1]} to {days[2]}, not used" in reading.notes
    )


@pytest.mark.parametrize("columns", [("Date", "close"), ("date", "price")])
def test_missing_columns_are_named_beside_those_found(columns: tuple[str, str]) -> None:
    request = Request(time=columns[0], target=columns[1])
    assert "found date, close" in refusal(prices(), request)


@pytest.mark.parametrize(("step", "freq"), [(1, "MS"), (3, "QS"), (12, "YS")])
@pytest.mark.parametrize("form", ["{d.month}/{d.day}/{d.year}", "{d.day}/{d.month}/{d.year}"])
def test_months_tell_the_day_from_the_month(step: int, freq: str, form: str) -> None:
    months = pd.date_range("1900-01-01", periods=120, freq=pd.DateOffset(months=step))
    values = np.random.default_rng(0).normal(size=120)
    frame = pd.DataFrame({"date": [form.format(d=d) for d in months], "close": values})
    if freq == "YS":  # 1/1/1900 in either order
        assert list(read(frame).table["time"]) == list(months)
        return
    assert refusal(frame).endswith(
        f"or pass --freq {freq} if rows are {'month' if step == 1 else 'quarter'}s"
    )
    assert list(read(frame, replace(ASKED, freq=freq)).table["time"]) == list(months)
    assert "may begin with" in refusal(frame, replace(ASKED, freq="D"))
    frame["date"] = months
    words = "a month" if step == 1 else "a quarter"
    assert f"frequency {freq}: rows are {words} apart" in read(frame).notes
    assert f"rows are {words} apart, which is {freq}" in refusal(frame, replace(ASKED, freq="D"))


def test_backwards_order_time_zones_and_local_dates_are_understood() -> None:
    plain = read(prices(), ASKED, "x").table
    backwards = read(prices().iloc[::-1], ASKED, "x")
    pd.testing.assert_frame_equal(backwards.table.reset_index(drop=True), plain.reset_index(drop=True))
    assert backwards.table.index[0] == 60  # rows keep their numbers in the file
    assert any("rows were in reverse order of time" in s for s in backwards.notes)
    zoned = prices()
    written = zoned["date"]
    for offset in ("+00:00", "+02:00", "-05:00", "Z"):
        zoned["date"] = written + "T00:00:00" + offset
        pd.testing.assert_frame_equal(read(zoned, ASKED, "x").table, plain)
    zoned["date"] = pd.to_datetime(written).dt.tz_localize("Europe/Zurich")
    pd.testing.assert_frame_equal(read(zoned, ASKED, "x").table, plain)
    local = prices()
    local["date"] = pd.to_datetime(local["date"]).dt.strftime("%d/%m/%Y")
    pd.testing.assert_frame_equal(read(local, ASKED, "x").table, plain)
    ambiguous = prices(5).assign(date=["01/02/2018", "01/03/2018", "01/04/2018", "01/05/2018", "01/08/2018"])
    assert "may begin with the day or the month" in refusal(ambiguous)
    assert "no date in row 1 ('soon')" in refusal(prices().assign(date=["soon", *prices()["date"][1:]]))
    assert "no date in row 1 (empty)" in refusal(prices().assign(date=[None, *prices()["date"][1:]]))


def test_comma_as_decimal_mark_semicolons_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv.gz"
    prices().to_csv(path, sep=";", decimal=",", index=False)
    reading = understand(load(path), ASKED)
    assert any("comma is read as the decimal mark" in s for s in reading.notes)
    np.testing.assert_allclose(reading.table["close"], prices()["close"])
    assert "a cell that is no number in row 1" in refusal(
        prices().assign(close=["soft", *prices()["close"][1:].astype(str)])
    )


def test_parquet_and_netcdf_are_read(tmp_path: Path) -> None:
    prices().to_parquet(tmp_path / "p.parquet")
    assert len(load(tmp_path / "p.parquet").frame) == 60
    import xarray as xr

    data = xr.Dataset(
        {"nino": ("time", np.arange(24.0))}, {"time": pd.date_range("2000-01-01", periods=24, freq="MS")}
    )
    data.to_netcdf(tmp_path / "n.nc", engine="h5netcdf")
    request = Request(time="time", target="nino")
    reading = understand(load(tmp_path / "n.nc"), request)
    assert (reading.freq, reading.kind) == ("MS", "level")
    with pytest.raises(BasinError, match="no variable sst; found"):
        load(tmp_path / "n.nc", ("sst",))


def test_what_is_no_file_or_no_series_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path / "pipe", "is a pipe or device"), (Path(os.devnull), "is a pipe or device"),
                       (Path(""), "the path is empty or the working folder")):  # fmt: skip
        with pytest.raises(BasinError, match=said):
            load(path)
    with pytest.raises(BasinError, match="no such file"):
        load(tmp_path / "none.csv")
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(BasinError, match=r"not readable as \.parquet"):
        load(tmp_path / "bad.parquet")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(BasinError, match="is empty; give a CSV, Excel, Parquet or NetCDF"):
        load(tmp_path / "empty.csv")
    assert "the same value in all rows" in refusal(prices().assign(close=5.0))
    assert "no rows" in refusal(prices().iloc[:0])
    assert "no series has more than one date" in refusal(prices().iloc[:1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"date,close\n" + b"2020-01-01,=cmd|' /C calc'!A0\n" * 9, "is not a number"),
        (b"date,close\n2020-01-01," + b"9" * 500_000 + b"\n", "not readable as .csv"),
        (bytes(range(128, 256)) * 99, "not readable as text"),
        (b"date,close\n" + b"\x00" * 9999, "not readable as text"),
        (b'date,close\n"2020-01-01,1\n' * 20, "not a number|more than one date|form that is not read"),
        (b"date,close\n" + b"2020-01-01,1\n" * 30, "more than 20 rows"),
    ],
    ids=["formula", "huge field", "binary", "zeros", "quotes", "endless"],
)
def test_a_hostile_file_is_one_line(tmp_path: Path, monkeypatch, content: bytes, said: str) -> None:
    monkeypatch.setattr("tasks.userdata.files.text.MOST_ROWS", 20)
    (tmp_path / "hostile.csv").write_bytes(content)
    with pytest.raises(BasinError, match=said) as refused:
        understand(load(tmp_path / "hostile.csv"), ASKED)
    assert len(str(refused.value)) < 400


def test_the_daily_range_is_used_where_it_fits() -> None:
    frame = prices()
    frame["Open"] = frame["close"]
    frame["High"], frame["Low"] = frame["close"] * 1.01, frame["close"] * 0.99
    assert read(frame, ASKED, "x").ohlc
    frame.loc[3, "High"] = frame.loc[3, "close"] * 0.5
    reading = read(frame, ASKED, "x")
    assert not reading.ohlc and any("not used: in 1 rows" in s for s in reading.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "stock"}, "--kind stock"),
        ({"freq": "Q"}, "--freq Q"),
        ({"leads": (0,)}, "--leads 0"),
        ({"events": ("min<=-0.08@21",)}, "--events 'min"),
        ({"events": ("end>=0.5@6",)}, "step 6 is not forecast"),
        ({"dev": True}, "give --test-from"),
    ],
)
def test_questions_without_an_answer_are_refused(options: dict, said: str) -> None:
    with pytest.raises(BasinError, match=said):
        replace(ASKED, **options)


def test_a_column_has_one_role() -> None:
    assert "column close is named twice" in refusal(prices(), replace(ASKED, exog=("close",)))


def test_a_price_that_is_not_positive_is_named_and_the_user_asked_what_it_is() -> None:
    fallen = prices(200)
    fallen.loc[6, "close"] = -3.0
    with pytest.raises(BasinError, match=r"x: row 7: close is -3, where .*--kind price"):
        read(fallen, ASKED, "x")
    assert read(fallen, replace(ASKED, kind="rate"), "x").kind == "rate"


@pytest.mark.parametrize("kind", ["price", "level"])
@pytest.mark.parametrize("name", ["time", "series", "close", "value", "row", "far", "date_5"])
def test_an_input_may_have_the_name_of_a_column_of_ours(name: str, kind: Any) -> None:
    values = np.random.default_rng(1).normal(size=60)
    frame = prices().rename(columns={"close": "price"}).assign(**{name: values})
    plain = read(frame, Request(time="date", target="price", kind=kind), "x").table
    reading = read(frame, Request(time="date", target="price", exog=(name,), kind=kind), "x")
    assert reading.table[f"{name}_"].tolist() == values.tolist()
    pd.testing.assert_frame_equal(reading.table.drop(columns=f"{name}_"), plain)
    assert f"the input {name} is called {name}_" in reading.notes


def test_every_input_with_another_name_is_noted() -> None:
    frame = prices().rename(columns={"close": "price"}).assign(close=1.0, close_=2.0, vix=3.0)
    notes = read(frame, Request(time="date", target="price", exog=("close", "close_", "vix")), "x").notes
    assert [sentence for sentence in notes if " is called " in sentence] == [
        "the input close is called close_",
        "the input close_ is called close__",
    ]


def test_a_level_is_called_value() -> None:
    reading = read(prices(), Request(time="date", target="close", kind="level"), "x")
    assert list(reading.table.columns) == ["time", "series", "value"]


def test_events_are_thresholds_in_the_unit_of_the_forecast() -> None:
    asked = replace(ASKED, leads=(1, 6), events=("<=-2", "end>=0.5@6", ">= 1"))
    assert asked.thresholds() == ("<= -2", ">= 0.5", ">= 1")
    assert asked.thresholds(1) == ("<= -2", ">= 1") and asked.thresholds(6) == asked.thresholds()


@pytest.mark.parametrize(
    "index",
    [
        pd.period_range("1980-01", periods=60, freq="M"),
        pd.date_range("1980-01-01", periods=60, freq="MS"),
        pd.Index([f"{day:%Y-%m-%d}" for day in pd.date_range("1980-01-01", periods=60, freq="MS")]),
        pd.Index(list(pd.date_range("1980-01-01", periods=60, freq="MS").date)),
    ],
    ids=["periods", "times", "text", "dates"],
)
def test_an_index_of_dates_without_a_name_is_read(index: pd.Index) -> None:
    frame = prices().drop(columns="date").set_axis(index)
    reading = read(frame, Request())
    assert reading.freq == "MS" and reading.table["time"].iloc[0] == pd.Timestamp("1980-01-01")
    assert any("the index is read as the column" in sentence for sentence in reading.notes)


def test_a_series_beside_a_grid_in_a_netcdf_file_is_read_and_said(tmp_path: Path) -> None:
    import xarray as xr

    time = pd.date_range("1950-01-01", periods=240, freq="MS")
    variables = {"mean": ("time", np.arange(240.0)), "map": (("time", "lat"), np.ones((240, 3)))}
    xr.Dataset(variables, {"time": time, "lat": [1, 2, 3]}).to_netcdf(tmp_path / "n.nc", engine="h5netcdf")
    reading = understand(load(tmp_path / "n.nc"), Request())
    assert reading.targets == ("mean",)
    assert any(sentence.endswith("for each date: map") for sentence in reading.notes)


@pytest.mark.filterwarnings("error")
def test_one_date_is_refused_without_a_warning_of_a_library() -> None:
    assert "no series has more than one date" in refusal(prices().iloc[:1], Request())
    panel = pd.DataFrame({"date": ["2020-01-01"] * 3, "s": ["A", "B", "C"], "close": [1.0, 2.0, 3.0]})
    assert "no series has more than one date" in refusal(panel, Request(series="s"))


def test_an_audit_finds_the_columns_as_the_other_commands_do(tmp_path: Path) -> None:
    prices().rename(columns={"date": "Datum", "close": "Kurs"}).to_csv(tmp_path / "kurse.csv", index=False)
    spec, frame = read_audited(tmp_path / "kurse.csv", read_spec(None))
    assert (spec.time, spec.target, len(frame)) == ("Datum", "Kurs", 60)
    spec, _ = read_audited(tmp_path / "kurse.csv", read_spec(None, time="Datum"))
    assert spec.target == "Kurs"


@pytest.mark.parametrize("check", ["coverage", "dates"])
def test_each_warning_of_the_reading_is_accepted_by_the_name_of_its_check(check: str) -> None:
    frame = prices(400)
    if check == "coverage":
        frame = frame.drop(index=range(200, 225))
    else:
        frame = pd.concat([frame, pd.DataFrame({"date": ["2018-01-06"], "close": [100.0]})])
    with pytest.raises(BasinError, match=f"--strict: {check}: .*--accept {check}="):
        inspect(frame, replace(ASKED, strict=True))
    found = inspect(frame, replace(ASKED, strict=True, accept=((check, "as it should be"),)))
    assert any(sentence.startswith(f"warning: {check}: ") for sentence in found.notes)
