"""Probabilities of an event: what they know, and simulations against their closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from tasks.events.event import parse
from tasks.events.simulation import BARRIERS, EXACT, Simulated, _paths, _simulated, origins, running_rate
from tasks.events.tilt import tilted

EVENT = parse("min<=-0.08@21")


@pytest.fixture(scope="module")
def market() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prices, years and an input that knows the volatility of the coming days, which wanders."""
    rng = np.random.default_rng(3)
    log_volatility = np.zeros(2400)
    for row in range(1, 2400):
        log_volatility[row] = 0.98 * log_volatility[row - 1] + 0.12 * rng.standard_normal()
    returns = 0.012 * np.exp(log_volatility) * rng.standard_normal(2400)
    days = np.arange("2000-01-03", "2009-03-16", dtype="datetime64[D]")
    years = days[np.is_busday(days)][:2400].astype("datetime64[Y]").astype(int) + 1970
    return 100 * np.exp(np.cumsum(returns)), years, 20 * np.exp(log_volatility)


def test_paths_of_constant_variance_have_the_variance_of_their_sum() -> None:
    constant = {"mu": 0.0, "omega": 4.0, "alpha[1]": 0.0, "gamma[1]": 0.0, "beta[1]": 0.0}
    moves = _paths(constant, 4.0, np.random.default_rng(0).standard_normal((20000, 21)))
    assert moves.sum(axis=1).std() == pytest.approx(2 * np.sqrt(21), rel=0.02)


def test_odds_are_counts_at_the_starts_and_lie_between_them_elsewhere() -> None:
    statistics = [np.sort(np.random.default_rng(k).normal(0, 1 + k, 999)) for k in range(3)]
    barrier, nothing = np.full((3, 1), -1.0), np.empty(0)
    below = Simulated(statistics, True, nothing, np.array([0.0, 1.5, 2.0]), nothing)
    counted = special.logit([((s <= -1).sum() + 0.5) / 1000 for s in statistics])
    np.testing.assert_allclose(below.log_odds(barrier)[:, 0], [counted[0], counted[1:].mean(), counted[2]])
    above = replace(below, below=False, place=np.ones(3))
    np.testing.assert_allclose(above.log_odds(barrier)[:, 0], -counted[1])


def test_an_input_that_knows_the_volatility_leads_the_simulation(market) -> None:
    from sklearn.metrics import roc_auc_score

    close, years, known = market
    found = origins(close, EVENT, years, {"implied": known}, 0)
    assert (np.diff(found.led[800:], axis=1) < 0).all(), "a farther barrier is reached less often"
    rows = slice(1100, len(close) - EVENT.steps)
    with_input, without = (roc_auc_score(found.label[rows], p[rows, EXACT]) for p in (found.led, found.plain))
    assert with_input > without + 0.01


@pytest.mark.parametrize("text", ["min<=-0.08@21", "max>=0.08@21", "end<=-0.08@21", "sum>=0.08@21"])
def test_paths_that_explode_after_a_split_have_a_finite_statistic_and_volatility(text: str) -> None:
    # A split in the past is a shock of 97 standard deviations. Drawn twice, it moves the log price by more
    # than floating-point numbers can hold as a simple return.
    explosive = {"mu": 0.0, "omega": 0.8, "alpha[1]": 0.04, "gamma[1]": 0.25, "beta[1]": 0.0}
    explosive |= {"eta": 5.0, "lambda": 0.0}
    returns = np.random.default_rng(1).standard_normal(800)
    returns[[300, 500]] = -350, 330
    with np.errstate(all="raise"):
        found = _simulated(parse(text), explosive, returns, np.array([800]), np.random.default_rng(0))
    assert all(np.isfinite(statistic).all() for statistic in found.statistics)
    assert np.isfinite(found.horizon).all()


def test_nothing_is_known_before_its_time(market) -> None:
    close, years, known = market
    cut = 2000
    now, then = (origins(close[:n], EVENT, years[:n], {"x": known[:n]}, 0) for n in (len(close), cut))
    same = cut - 260
    np.testing.assert_array_equal(now.led[:same], then.led[:same])
    p_now, p_then = (tilted(found, 21, years[: len(found.label)])[0] for found in (now, then))
    np.testing.assert_array_equal(p_now[:same], p_then[:same])
    spoiled = now.label.copy()
    spoiled[1500:] = True
    rate = running_rate(now, 21)
    assert (running_rate(replace(now, label=spoiled), 21)[:1521] == rate[:1521]).all()


def test_a_path_times_a_factor_reaches_the_barrier_when_the_path_reaches_the_nearer_one() -> None:
    assert EVENT.barrier(np.array(BARRIERS))[EXACT] == pytest.approx(-0.08)
    log_path = np.random.default_rng(0).normal(0, 0.03, (500, 21)).cumsum(axis=1)
    scaled = EVENT.happened(EVENT.statistic(np.expm1(1.5 * log_path)))
    plain = EVENT.statistic(np.expm1(log_path)) <= EVENT.barrier(np.array(1 / 1.5))
    np.testing.assert_array_equal(scaled, plain)
