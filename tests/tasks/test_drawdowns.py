"""Probabilities of an event: what they know, and a simulation against its closed form."""

import numpy as np
import pytest

from tasks.drawdowns import _paths, origins, running_rate, tilted
from tasks.events import parse

EVENT = parse("min<=-0.08@21")


@pytest.fixture(scope="module")
def market() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    returns = 0.012 * rng.standard_t(5, 2400)
    days = np.arange("2000-01-03", "2009-03-16", dtype="datetime64[D]")
    years = days[np.is_busday(days)][:2400].astype("datetime64[Y]").astype(int) + 1970
    return 100 * np.exp(np.cumsum(returns)), years


def test_paths_of_constant_variance_have_the_variance_of_their_sum() -> None:
    constant = {"mu": 0.0, "omega": 4.0, "alpha[1]": 0.0, "gamma[1]": 0.0, "beta[1]": 0.0}
    normal = np.random.default_rng(0).standard_normal(5000)
    path = _paths(constant, np.array([4.0]), np.ones(1), normal, 21, np.random.default_rng(1))
    assert 100 * np.log1p(path[0, :, -1]).std() == pytest.approx(2 * np.sqrt(21), rel=0.1)


def test_nothing_is_known_before_its_time(market) -> None:
    close, years = market
    cut = 2000
    now, then = (origins(close[:n], EVENT, years[:n], {}, 0) for n in (len(close), cut))
    np.testing.assert_array_equal(now.probability[: cut - 260], then.probability[: cut - 260])
    p_now, p_then = (tilted(found, years[: len(found.label)], 800, 0)[0] for found in (now, then))
    np.testing.assert_array_equal(p_now[800 : cut - 260], p_then[800 : cut - 260])
    spoiled = now.label.copy()
    spoiled[1500:] = True
    rate = running_rate(now, 21)
    from dataclasses import replace

    assert (running_rate(replace(now, label=spoiled), 21)[:1521] == rate[:1521]).all()
