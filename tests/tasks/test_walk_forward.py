"""Folds look only back, growth must pay, and no gain means no tilt."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from tasks.errors import BasinError
from tasks.params import SplitParams, TrainParams
from tasks.walk_forward import WEIGHTS, Trained, choose, folds, mdn_chain, tilt_chain

SPLIT = SplitParams(walk_from=date(2001, 1, 1), test_from=date(2002, 1, 1), test_to=date(2003, 12, 31))
TRAIN = TrainParams(
    seeds=2,
    capacities=(0, 4),
    features=4,
    learning_rate=0.02,
    weight_decay=0.01,
    max_steps=60,
    warm_steps=20,
    validation_share=0.2,
    seed=0,
)


def table(rows: int = 1000, lead: int = 1) -> tuple[pd.DataFrame, torch.Tensor]:
    """Daily rows whose target is N(0.8·x, 1), and its normal score where the base says N(0, 1)."""
    generator = np.random.default_rng(0)
    time = pd.bdate_range("2000-01-03", periods=rows + lead)
    x = generator.normal(size=rows)
    inputs = pd.DataFrame(
        {"series": "one", "origin": time[:-lead], "lead": lead, "time": time[lead:], "x_signal": x}
    )
    inputs.insert(4, "target", 0.8 * x + generator.normal(size=rows))
    return inputs, torch.tensor(inputs["target"].to_numpy())


def test_folds_are_the_years_of_the_origins_then_everything():
    inputs, _ = table()
    plan = folds(SPLIT, inputs["origin"].max())
    assert [f.name for f in plan] == ["2001", "2002", "2003", "final"]
    assert plan[-1].start > inputs["origin"].max()


def test_a_fold_does_not_see_its_own_year():
    """Spoil everything from 2002 on: the fold that starts there must not change by a bit."""
    inputs, _ = table()
    plan = folds(SPLIT, inputs["origin"].max())[:2]
    spoiled = inputs.copy()
    later = spoiled["time"] >= "2002-01-01"
    spoiled.loc[later, ["target", "x_signal"]] = 99.0
    for run in (
        lambda data: tilt_chain(0, data, torch.tensor(data["target"].to_numpy()), plan, TRAIN)[
            1
        ].model.energy.state_dict(),
        lambda data: mdn_chain(data, plan, TRAIN)[1]["parameters"],
    ):
        clean, seen = run(inputs), run(spoiled)
        assert all((clean[name] == seen[name]).all() for name in clean)


def test_gains_are_those_of_the_model_on_later_rows():
    inputs, score = table()
    trained = tilt_chain(0, inputs, score, folds(SPLIT, inputs["origin"].max()), TRAIN)
    assert np.all(trained[0].gains[:, 0] == 0)  # weight 0 is the base
    assert trained[1].gains[:, -1].mean() == pytest.approx(0.32, abs=0.08)  # in theory 0.8² / 2
    years = inputs["origin"].iloc[trained[1].rows].dt.year
    assert set(years) == {2002}


def evidence(gain: float, capacity: int, years: int = 8, spread: float = 0.004) -> list[Trained]:
    """Past years of 60 rows whose mean gains at weight 1 have mean ``gain`` and deviation ``spread``."""
    noise = np.random.default_rng(capacity).normal(size=years)
    yearly = gain + spread * (noise - noise.mean()) / noise.std(ddof=1)
    model = type("Model", (), {"config": type("Config", (), {"hidden": capacity})})
    return [
        Trained(model, [], [], [], [], np.arange(60 * k, 60 * k + 60), np.outer(np.full(60, g), WEIGHTS))
        for k, g in enumerate(yearly)
    ]


def choice(*chains: list[Trained]) -> tuple[int, float]:
    inputs, _ = table()
    chosen, weights, _ = choose(list(chains), inputs, folds(SPLIT, inputs["origin"].max())[-1])
    return chosen, weights["1"]


def test_a_larger_energy_is_taken_only_when_it_pays_beyond_one_standard_error():
    assert choice(evidence(0.05, 0), evidence(0.0505, 1))[0] == 0
    assert choice(evidence(0.05, 0), evidence(0.10, 1))[0] == 1
    assert choice(evidence(0.05, 0), evidence(0.02, 1), evidence(0.10, 2))[0] == 2


def test_the_weight_shrinks_with_the_evidence():
    """By 1 − 1/t²: eight years with deviation 0.02 give a standard error of 0.0071."""
    assert choice(evidence(0.0141, 0, spread=0.02))[1] == pytest.approx(0.75, abs=0.01)
    assert choice(evidence(0.0283, 0, spread=0.02))[1] == pytest.approx(1 - 1 / 16, abs=0.01)


def test_one_good_year_is_no_evidence():
    """All of the gain in one of eight years: t over years is 1, whatever the rows within it say."""
    chain = evidence(0.0, 0, spread=0.0)
    chain[3].gains[:] = np.outer(np.full(60, 0.5), WEIGHTS)
    assert choice(chain) == (0, 0.0)


def test_without_a_gain_or_with_few_years_the_model_falls_back_to_its_base():
    assert choice(evidence(-0.05, 0), evidence(-0.02, 1)) == (0, 0.0)
    assert choice(evidence(0.05, 0, years=4)) == (0, 0.0)


def test_each_lead_has_its_own_weight():
    """A tilt that gains at lead 1 and loses at lead 2 is kept where it gains."""
    inputs, _ = table()
    inputs["lead"] = 1 + inputs.index % 2
    chain = evidence(0.05, 0)
    for year in chain:
        year.gains[1::2] *= -0.2
    _, weights, _ = choose([chain], inputs, folds(SPLIT, inputs["origin"].max())[-1])
    assert weights["1"] > 0.9
    assert weights["2"] == 0.0


def test_scores_not_known_when_the_fold_starts_do_not_enter_its_choice():
    inputs, _ = table()
    early = folds(SPLIT, inputs["origin"].max())[0]  # starts in 2001: rows from 260 on are not known yet
    assert choose([evidence(0.05, 0)[1:]], inputs, early) == (0, {"1": 0.0}, [])  # 4 of these 7 years began
    spoiled = evidence(0.05, 0)
    for year in spoiled[5:]:
        year.gains[:] = -1.0
    late = folds(SPLIT, inputs["origin"].max())[1]  # starts in 2002: all rows to 479 are known
    assert choose([spoiled], inputs, late)[1] == {"1": 0.0}


def test_too_few_training_rows_are_named():
    inputs, score = table()
    with pytest.raises(BasinError, match=r"fold 2001: 39 training rows before 2001-01-01.*walk_from"):
        tilt_chain(
            0,
            inputs.iloc[220:].reset_index(drop=True),
            score[220:],
            folds(SPLIT, inputs["origin"].max()),
            TRAIN,
        )
