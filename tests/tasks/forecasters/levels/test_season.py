"""The test for a season has its level and its power, and absolute values are never taken for anomalies."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from tasks.forecasters.levels.season import has_season, normals

Noise = Callable[[np.random.Generator, int, int], np.ndarray]
SERIES = 300


def _ar(*coefficients: float) -> Noise:
    def noise(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
        shocks = generator.normal(size=(rows + 500, columns))
        filtered: np.ndarray = lfilter([1.0], [1.0, *(-c for c in coefficients)], shocks, axis=0)[500:]
        return filtered / filtered.std()

    return noise


def _seasonal_spread(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    scale = 1 + 0.5 * np.cos(2 * np.pi * np.arange(rows) / 12)
    return _ar(0.9)(generator, rows, columns) * scale[:, None]


ENSO = _ar(1.3, -0.4)
ANOMALIES: dict[str, Noise] = {
    "white": lambda generator, rows, columns: generator.normal(size=(rows, columns)),
    "persistent": _ar(0.95),
    "oscillating": _ar(1.5, -0.6),
    "alternating": _ar(-0.5),
    "ENSO": ENSO,
    "random walk": lambda generator, rows, columns: generator.normal(size=(rows, columns)).cumsum(axis=0),
    "seasonal spread": _seasonal_spread,
    "heavy tails": lambda generator, rows, columns: generator.standard_t(3, size=(rows, columns)),
    "trend": lambda generator, rows, columns: (
        np.linspace(0, 3, rows)[:, None] + generator.normal(size=(rows, columns))
    ),
}


@pytest.mark.parametrize("name", ANOMALIES)
@pytest.mark.parametrize(("period", "cycles"), [(4, 10), (7, 20), (12, 4), (12, 30)])
def test_series_without_a_season_are_seldom_taken_for_seasonal(name: str, period: int, cycles: int) -> None:
    rows = period * cycles
    values = ANOMALIES[name](np.random.default_rng(0), rows, SERIES)
    assert has_season(values, np.arange(rows) % period, period).mean() <= 0.015


@pytest.mark.parametrize(("years", "power"), [(8, 0.75), (12, 0.97), (20, 1.0)])
def test_a_season_as_large_as_the_anomalies_is_found(years: int, power: float) -> None:
    month = np.arange(12 * years) % 12
    wave = 1.2 * np.cos(2 * np.pi * month / 12)[:, None]
    values = wave + ENSO(np.random.default_rng(1), len(month), SERIES)
    assert has_season(values, month, 12).mean() >= power


@pytest.mark.parametrize("period", [4, 7, 12, 24, 52])
def test_one_season_unlike_the_others_is_found(period: int) -> None:
    season = np.arange(6 * period) % period
    values = np.random.default_rng(2).normal(size=(len(season), 20)) + 8.0 * (season == period - 1)[:, None]
    assert has_season(values, season, period).mean() >= 0.9


def test_exact_seasons_constants_and_years_are_no_special_cases() -> None:
    season = np.arange(48) % 12
    exact = np.column_stack([season.astype(float), np.full(48, 27.0), np.zeros(48)])
    assert has_season(exact, season, 12).tolist() == [True, False, False]
    assert not has_season(exact, np.zeros(48, dtype=int), 1).any()


@pytest.mark.parametrize("noise", ["white", "persistent", "ENSO", "heavy tails", "random walk"])
def test_the_mean_of_absolute_values_is_removed_and_that_of_anomalies_is_not(noise: str) -> None:
    anomalies = ANOMALIES[noise](np.random.default_rng(3), 240, SERIES)
    season = np.arange(240) % 12
    kept = (normals(anomalies, season, 12) == 0).all(axis=0)
    assert noise == "random walk" or kept.mean() >= 0.9
    absolute = anomalies + 10 * anomalies.std(axis=0) - anomalies.mean(axis=0)
    apart = normals(absolute, season, 12).mean(axis=0) / absolute.mean(axis=0)
    assert apart == pytest.approx(np.ones(SERIES))


def test_normals_are_seasonal_means_where_there_is_a_season() -> None:
    season = np.arange(120) % 12
    values = np.random.default_rng(4).normal([20.0, 30.0], size=(120, 2))
    values[:, 1] += 5 * np.sin(2 * np.pi * season / 12)
    found = normals(values, season, 12)
    assert found[:, 0] == pytest.approx(np.full(12, values[:, 0].mean()))
    assert found[:, 1] == pytest.approx([values[season == s, 1].mean() for s in range(12)])
