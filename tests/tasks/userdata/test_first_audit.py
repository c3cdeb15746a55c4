"""The audit of a user's file informs: it warns with rows, and stops only if it is asked to."""

import numpy as np
import pandas as pd
import pytest

from tasks.runtime.errors import BasinError
from tasks.userdata.first_audit import first_audit
from tasks.userdata.inspection import inspect
from tasks.userdata.request import Request


def prices(rows: int = 500) -> pd.DataFrame:
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, rows)))
    return pd.DataFrame({"date": pd.bdate_range("2018-01-01", periods=rows), "close": walk})


def spoiled(rows: slice, factor: float) -> pd.DataFrame:
    frame = prices()
    frame.loc[rows, "close"] *= factor
    return frame


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (spoiled(slice(400, None), 0.25), "row 401"),
        (spoiled(slice(300, 301), 100), "rows 301, 302"),
        (spoiled(slice(300, 300), 100), "row 301"),
        (
            prices().assign(close=lambda d: d["close"].where(d.index < 460, d["close"].iloc[460])),
            "the last 40 rows",
        ),
    ],
    ids=["split", "block of two", "one row", "stale end"],
)
def test_what_may_be_wrong_is_a_warning_with_its_rows(frame: pd.DataFrame, said: str) -> None:
    found = inspect(frame, Request())
    assert found.refusal is None
    assert any(said in sentence for sentence in found.warnings)
    assert found.notes[0].startswith("warning: ")
    with pytest.raises(BasinError, match=r"--strict: .*--accept"):
        inspect(frame, Request(strict=True))
    inspect(
        frame, Request(strict=True, accept=(("impossible", "a known split"), ("coverage", "a known halt")))
    )


def test_rows_keep_the_numbers_of_the_file() -> None:
    frame = spoiled(slice(400, None), 0.25)
    backwards = inspect(frame.iloc[::-1], Request())
    assert any("row 100" in sentence for sentence in backwards.warnings)
    frame.loc[10, "close"] = np.nan
    assert any("row 401" in s for s in inspect(frame, Request(on_bad_row="drop")).warnings)


def test_a_sound_file_has_no_warning() -> None:
    assert inspect(prices(), Request()).warnings == ()


@pytest.mark.parametrize(
    ("accept", "said"),
    [((("luck", "because I say so"),), "no such check"), ((("coverage", "fine"),), "10 characters")],
)
def test_only_known_checks_are_accepted_and_with_a_reason(accept: tuple, said: str) -> None:
    with pytest.raises(BasinError, match=said):
        Request(accept=accept)


def test_too_few_rows_are_refused_with_the_number_needed() -> None:
    assert "expected at least 222" in str(inspect(prices(60), Request()).refusal)
    assert inspect(prices(290), Request()).refusal is None


def test_the_checks_run_without_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arch.univariate.ConstantMean.fit", None)
    found = inspect(prices(), Request())
    assert first_audit(found.reading, Request()) == ()


def test_a_warning_of_an_input_names_the_target_as_the_file_does() -> None:
    frame = prices().rename(columns={"close": "yield"})
    frame["ahead"] = frame["yield"].diff().shift(-1) + 1
    frame["mean"] = frame["yield"].rolling(9, center=True, min_periods=1).mean()
    frame["mean"] *= 1 + 1e-6 * frame.index
    found = inspect(frame, Request(target="yield", exog=("ahead", "mean"))).warnings
    (line,) = [sentence for sentence in found if sentence.startswith("columns: ")]
    assert "ahead predicts the next move of yield" in line and "the distance of mean from yield" in line
    assert "close" not in line
