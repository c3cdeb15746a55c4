"""The base's weights: earned on past scores, each year from what was known before it."""

import numpy as np
import pandas as pd
import pytest
import torch

from ebm_core import SkewT
from tasks.tilts.pool_weights import PastScores


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Targets that are N(0, 1): the model `right` says so, `wrong` says N(0, 3)."""
    time = pd.bdate_range("2000-01-03", periods=701)
    target = np.random.default_rng(0).normal(size=700)
    inputs = pd.DataFrame(
        {"series": "one", "origin": time[:-1], "lead": 1, "time": time[1:], "target": target}
    )
    keys = inputs[["series", "origin", "lead"]].assign(loc=0.0, eta=1e6, lam=0.0)
    classical = [keys.assign(model=name, scale=scale) for name, scale in (("right", 1.0), ("wrong", 3.0))]
    return inputs, pd.concat(classical, ignore_index=True)


def test_weights_are_equal_before_any_score_and_then_follow_the_better_model(tables):
    past = PastScores(*tables, ("right", "wrong"))
    assert past.weights(pd.Timestamp(2000, 1, 1)) == {"1": {"right": 0.5, "wrong": 0.5}}
    assert past.weights(pd.Timestamp(2002, 1, 1))["1"]["right"] > 0.9


def test_scores_not_known_by_then_do_not_enter(tables):
    inputs, classical = tables
    start = pd.Timestamp(2001, 1, 1)
    spoiled = inputs.assign(target=inputs["target"].where(inputs["time"] < start, 99.0))
    clean, seen = (PastScores(t, classical, ("right", "wrong")).weights(start) for t in (inputs, spoiled))
    assert clean == seen


def test_normal_scores_are_those_of_each_years_pool(tables):
    inputs, classical = tables
    inputs.loc[699, "target"] = np.nan
    past = PastScores(inputs, classical, ("right", "wrong"))
    score = past.normal_scores()
    assert torch.isnan(score[699])
    assert not torch.isnan(score[:699]).any()
    share = past.weights(pd.Timestamp(2002, 1, 1))["1"]
    row = np.flatnonzero(inputs["origin"].dt.year == 2002)[3]
    y = torch.tensor(inputs["target"][row])
    u = share["right"] * SkewT(0.0, 1.0).cdf(y) + share["wrong"] * SkewT(0.0, 3.0).cdf(y)
    assert torch.special.ndtri(u).item() == pytest.approx(score[row].item(), abs=1e-9)
