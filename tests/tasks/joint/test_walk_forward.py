"""Joint models of a panel: nothing of the future is used, and correlations that are there are found."""

import numpy as np
import pandas as pd
import pytest
import torch

from tasks.joint import models
from tasks.joint.correlation import Pool, averaged, components, dcc, fit_dcc, fit_pool, pooled
from tasks.joint.marginals import fit_marginals
from tasks.joint.models import CopulaPath
from tasks.joint.panel import Panel, refits
from tasks.joint.portfolios import portfolio_returns
from tasks.joint.walk_forward import WEIGHTS, fit_year, history, weights_of
from tasks.runtime.errors import BasinError


def returns(rows: int = 800, series: int = 3, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed)
    common = draws.standard_t(6, rows)
    return 0.8 * common[:, None] + 0.6 * draws.standard_t(6, (rows, series))


def panel(values: np.ndarray) -> Panel:
    times = pd.bdate_range("2010-01-01", periods=len(values))
    return Panel(times, tuple("ABCDEFGH"[: values.shape[1]]), values)


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "DRAWS", 2000)


@pytest.mark.usefixtures("few_draws")
def test_a_return_changes_no_density_before_it():
    values = returns(900)
    changed = values.copy()
    changed[-20] = [9, -9, 9]
    found = []
    for each in (values, changed):
        known = panel(each)
        walk = refits(known.times)[-1:]
        marginals = fit_marginals(known, walk)
        year = fit_year(marginals.scores(known.returns), marginals, walk[0], ("base", "dcc-t"), 0)
        densities = [path.log_density(slice(0, len(year.ahead))) for path in year.paths.values()]
        found.append(np.column_stack([marginals.log_density(each)[year.ahead].sum(1), *densities, year.gain]))
    before = len(found[0]) - 20
    assert np.array_equal(found[0][:before], found[1][:before])
    assert (found[0][before:] != found[1][before:]).any(axis=0)[[0, 1, 2, -1]].all()


def test_correlations_are_those_before_each_row():
    x = np.random.default_rng(0).normal(size=(300, 3))
    later = x.copy()
    later[200:] *= -3
    later[200:, 0] *= -1
    target = np.eye(3)
    for name, found, changed in (
        ("averages", averaged(x, 20), averaged(later, 20)),
        ("dcc", dcc(x, 0.05, 0.9, target), dcc(later, 0.05, 0.9, target)),
        ("pool", components(x).mean(0), components(later).mean(0)),
    ):
        assert len(found) == 301, name
        assert np.array_equal(found[:201], changed[:201]), name
        assert not np.allclose(found[201], changed[201]), name
        assert np.allclose(np.einsum("tii->ti", found), 1), name


def test_the_pool_follows_a_correlation_that_moves_and_beats_one_of_all_rows():
    draws = np.random.default_rng(1)
    correlation = np.where(np.arange(1500) // 250 % 2, 0.8, 0.1)
    common = draws.normal(size=1500)
    own = draws.normal(size=(1500, 4))
    scores = np.sqrt(correlation)[:, None] * common[:, None] + np.sqrt(1 - correlation)[:, None] * own
    pool = fit_pool(scores[:1000], 250)
    assert isinstance(pool, Pool) and pool.weights.sum() == pytest.approx(1)
    ahead = slice(1000, 1500)
    moving = CopulaPath.along(scores, pool).log_density(ahead).mean()
    still = np.corrcoef(scores[:1000].T)
    constant = pooled(np.repeat(still[None, None], 1501, axis=1), np.ones(1))
    assert moving > models.log_copula(scores[ahead], constant[ahead], 30.0).mean() + 0.1
    assert moving > CopulaPath.along(scores, fit_dcc(scores[:1000])).log_density(ahead).mean() - 0.05


def test_a_series_takes_part_from_its_first_fit_and_not_before():
    """Before it, its scores are those of parameters that were not known at that time."""
    values = returns(1600, 4)
    values[:400, 2] = np.nan
    values[:700, 3] = np.where(np.arange(700) % 2, values[:700, 3], 0)
    known = panel(values)
    walk = refits(known.times)
    marginals = fit_marginals(known, walk)
    scores = marginals.scores(known.returns)
    for refit in walk:
        members, rows, learned = history(scores, marginals.known, refit)
        assert marginals.known[rows[learned:]][:, members].all()
        changed = values.copy()
        changed[refit.end :] *= 3
        later = fit_marginals(panel(changed), walk)
        again, same, _ = history(later.scores(changed), later.known, refit)
        assert list(again) == list(members) and np.array_equal(rows, same)
        assert np.array_equal(scores[rows][:, members], later.scores(changed)[rows][:, members])
    assert list(members) == [0, 1, 2, 3]


def test_the_energy_is_weighted_by_the_years_before():
    class Past:
        def __init__(self, *gains: float) -> None:
            self.gain = np.array([gains])

    first = Past(0, 1, 2, 1, -5)
    assert weights_of([first, Past(0, -9, -9, -9, -9), first]) == [WEIGHTS[1], WEIGHTS[2], WEIGHTS[0]]


def test_portfolios_compound_returns_of_prices():
    moves = np.array([[10.0, -10.0]])
    simple = (np.exp(0.1) + np.exp(-0.1)) / 2 - 1
    half = np.array([[0.5], [0.5]])
    assert portfolio_returns(moves, half, True)[0, 0] == pytest.approx(100 * np.log1p(simple))
    assert portfolio_returns(moves, half, False)[0, 0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (returns(800, 1), "1 series; expected two or more"),
        (returns(300, 3), "expected more than 500"),
        (np.column_stack([returns(800, 2), returns(800, 2)[:, 0]]), "series A and C are the same"),
        (np.column_stack([returns(800, 2), np.zeros(800)]), "series C is constant"),
    ],
)
def test_panels_that_say_nothing_are_refused(values: np.ndarray, words: str):
    with pytest.raises(BasinError, match=words):
        panel(values)


@pytest.mark.usefixtures("few_draws")
def test_draws_of_the_tilt_have_the_marginals_and_one_seed_gives_the_same():
    known = panel(returns())
    walk = refits(known.times)[-1:]
    marginals = fit_marginals(known, walk)
    year = fit_year(marginals.scores(known.returns), marginals, walk[0], ("base",), 0)
    first, second = (year.tilted.draws(0, 500, torch.Generator().manual_seed(1)) for _ in range(2))
    assert np.array_equal(first, second) and first.shape == (500, 3)
    assert np.corrcoef(first.T)[0, 1] > 0.3
