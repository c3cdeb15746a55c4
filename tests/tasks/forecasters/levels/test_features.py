"""Seasonal levels: models recover what they assume, nothing looks ahead, bad tables end in one line."""

import numpy as np
import pandas as pd
import pytest
from pandas.tseries.frequencies import to_offset

from tasks.forecasters.levels.ensemble import MEMBERS, PEERS
from tasks.forecasters.levels.features import _MODELS, BASE, LEARNING, SeasonalLevels, _Walk
from tasks.forecasters.levels.linear import changes, corrected, lim, ridge
from tasks.forecasters.levels.recharge_oscillator import xro
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams


def _var(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    step = np.array([[0.9, -0.2], [0.2, 0.8]])
    generator = np.random.default_rng(seed)
    x = np.zeros((rows, 2))
    for t in range(1, rows):
        x[t] = step @ x[t - 1] + generator.normal(size=2)
    return x, step


def _table(rows: int, freq: str = "MS", seed: int = 0) -> pd.DataFrame:
    x, _ = _var(rows, seed)
    time = pd.date_range("1960-01-01", periods=rows, freq=freq)
    return pd.DataFrame({"time": time, "series": "a", "y": x[:, 0] + 10, "w": x[:, 1]})


def test_lim_recovers_a_known_var() -> None:
    x, step = _var(30_000)
    forecast = lim(x, len(x), np.arange(len(x)) % 12, 12, (1, 5), 0.0, 1e6, 1)
    for column, lead in enumerate((1, 5)):
        expected = x @ np.linalg.matrix_power(step, lead)[0]
        assert np.abs(forecast[:, column] - expected).max() < 0.15


def test_lim_follows_propagators_that_change_with_the_season() -> None:
    generator, season = np.random.default_rng(1), np.arange(24_000) % 12
    damping = 0.5 + 0.4 * np.cos(2 * np.pi * season / 12)
    x = np.zeros((len(season), 1))
    for t in range(1, len(x)):
        x[t] = damping[t - 1] * x[t - 1] + generator.normal()
    forecast = lim(x, len(x), season, 12, (1,), 0.0, 0.0, 0)
    assert np.abs(forecast[:, 0] / x[:, 0] - damping)[1:].max() < 0.1


def test_ridge_has_its_closed_form_about_zero_and_about_a_first_guess() -> None:
    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.0, 2.0, 4.0])
    # Two pairs at lead 1: (1, 2) and (2, 4): β = (2 + 8) / (1 + 4 + 5).
    assert ridge(x, y, 3, (1,), 5.0)[:, 0] == pytest.approx([1.0, 2.0, 3.0])
    # Its errors about a first guess of 1 are 1 and 3: β = (1 + 6) / (1 + 4 + 5).
    assert corrected(np.ones((3, 1)), x, y, 3, (1,), 5.0)[:, 0] == pytest.approx([1.7, 2.4, 3.1])


def test_changes_are_those_of_the_first_two_columns() -> None:
    state = np.arange(12.0).reshape(4, 3) ** 2
    found = changes(state, 2)
    assert found[:, :3] == pytest.approx(state) and np.isnan(found[:2, 3:]).all()
    assert found[2:, 3:] == pytest.approx((state[2:] - state[:2])[:, :2])


def test_xro_agrees_with_the_package() -> None:
    package = pytest.importorskip("XRO.core")
    xarray = pytest.importorskip("xarray")
    x, _ = _var(480)
    x /= x.std(axis=0)
    time = pd.date_range("1980-01-01", periods=len(x), freq="MS")
    data = xarray.Dataset({"T": ("time", x[:, 0]), "H": ("time", x[:, 1])}, coords={"time": time})
    model = package.XRO(ncycle=12, ac_order=2, is_forward=True)
    fit = model.fit_matrix(data, maskNT=["T2", "TH"])
    theirs = model.reforecast(fit, data.isel(time=slice(0, 24)), n_month=6, ncopy=1, noise_type="zero")
    ours = xro(x, len(x), np.arange(len(x)) % 12, 12, (1, 6))[:24]
    assert ours == pytest.approx(theirs["T"].transpose("init", "lead").values[:, [1, 6]], abs=1e-6)


def test_the_spread_of_a_fit_allows_for_what_later_rows_have_taught() -> None:
    walk = _Walk((1,), 12, np.arange(121) % 12, 2)
    walk.error[60:119], walk.rows[60:119] = 2.0, 60
    spread = walk._spread(119, np.array([119]), 1.0)[0, 0]
    learnt = (1 + 24 * LEARNING / 120) / (1 + 24 * LEARNING / 60)
    fitted, climatology = _MODELS.index("lim"), _MODELS.index("climatology")
    assert spread[[fitted, climatology]] == pytest.approx([2 * np.sqrt(learnt), 2])


@pytest.mark.parametrize("season", [0.0, 0.8, 5.0])
@pytest.mark.parametrize("exog", [(), ("w",)])
def test_features_of_a_cut_table_are_identical(exog: tuple[str, ...], season: float) -> None:
    family, params = SeasonalLevels("y", exog, (1, 6)), FeatureParams(refit=12, min_rows=60)
    raw = _table(180)
    raw["y"] += season * np.cos(2 * np.pi * raw["time"].dt.month / 12)
    inputs, classical = family.features(raw, params)
    for cut in (150, 157):
        fewer, models = family.features(raw.iloc[:cut], params)
        last = raw["time"].iloc[cut - 1]
        same = inputs[inputs["origin"] <= last].reset_index(drop=True)
        pd.testing.assert_frame_equal(same.drop(columns="target"), fewer.drop(columns="target"))
        before = classical[classical["origin"] <= last].reset_index(drop=True)
        pd.testing.assert_frame_equal(before, models)
        assert fewer["target"].notna().equals(fewer["time"] <= last)


@pytest.mark.parametrize("freq", ["MS", "W-SUN", "D", "h"])
def test_every_frequency_gives_every_model_for_every_lead(freq: str) -> None:
    family = SeasonalLevels("y", (), (1, 4))
    inputs, classical = family.features(_table(420, freq), FeatureParams(refit=26, min_rows=200))
    assert {*PEERS, *MEMBERS, BASE} == set(classical["model"])
    assert (classical.groupby("model").size() == len(inputs)).all()
    assert np.isfinite(classical[["loc", "scale"]].to_numpy()).all() and (classical["scale"] > 0).all()
    assert inputs["origin"].max() == _table(420, freq)["time"].max()


@pytest.mark.parametrize("freq", ["YS", "YE", "YS-OCT", "QS", "QE-JAN"])
def test_years_and_quarters_are_forecast(freq: str) -> None:
    table = _table(160, freq)
    inputs, classical = SeasonalLevels("y", ("w",), (1, 4), freq.split("-")[0]).features(
        table, FeatureParams(refit=4, min_rows=60)
    )
    assert np.isfinite(classical[["loc", "scale"]].to_numpy()).all() and (classical["scale"] > 0).all()
    assert np.isfinite(inputs.filter(like="x_").to_numpy()).all()
    last = inputs[inputs["origin"] == table["time"].iloc[-1]]
    assert list(last["time"]) == [table["time"].iloc[-1] + lead * to_offset(freq) for lead in (1, 4)]
    observed = inputs.merge(table, on="time").dropna()
    assert (observed["target"] + observed["normal"]).to_numpy() == pytest.approx(observed["y"].to_numpy())


def test_a_frequency_that_the_dates_do_not_have_is_refused() -> None:
    with pytest.raises(BasinError, match="found frequency MS, expected QS"):
        SeasonalLevels("y", (), (1,), "QS").features(_table(180), FeatureParams(refit=12, min_rows=60))


def test_the_season_of_absolute_values_is_removed() -> None:
    table = _table(360)
    month = table["time"].dt.month
    table["y"] = 26 + 0.3 * (table["y"] - 10) + 0.7 * np.cos(2 * np.pi * month / 12)
    inputs, _ = SeasonalLevels("y", (), (1, 6)).features(table, FeatureParams(refit=12, min_rows=60))
    inputs = inputs[inputs["origin"] >= "1980"]
    assert inputs["target"].abs().max() < 4
    for row in inputs.iloc[::50].itertuples():
        base = table[table["time"].between(row.normal_from, row.normal_to)]
        assert row.normal_to <= row.origin and len(base) <= 360
        assert row.normal == pytest.approx(base["y"][base["time"].dt.month == row.time.month].mean())


def test_bad_tables_end_in_one_line() -> None:
    family, params = SeasonalLevels("y", ("w",), (1, 6)), FeatureParams(refit=12, min_rows=60)
    with pytest.raises(BasinError, match="50 rows, expected more than 66"):
        family.features(_table(50), params)
    with pytest.raises(BasinError, match="1 MS rows absent, first 1968-05"):
        family.features(_table(180).drop(index=100), params)
    missing = _table(180)
    missing.loc[70, "w"] = np.nan
    with pytest.raises(BasinError, match="w is missing at 1965-11"):
        family.features(missing, params)
