"""Folds look only back, growth must pay, and no gain means no tilt."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from ebm_core import LinearPool, SkewT
from ebm_core.tilts.seeds import Fit
from tasks.runtime.errors import BasinError
from tasks.runtime.folds import folds
from tasks.runtime.params import SplitParams, TrainParams
from tasks.tilts import walk_forward
from tasks.tilts.walk_forward import SHARES, WEIGHTS, Trained, choose, mdn_chain, tilt_chain

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
        lambda data: [*tilt_chain(0, data, torch.tensor(data["target"].to_numpy()), plan, TRAIN)][
            1
        ].model.energy.state_dict(),
        lambda data: mdn_chain(data, plan, TRAIN)[1]["parameters"],
    ):
        clean, seen = run(inputs), run(spoiled)
        assert all((clean[name] == seen[name]).all() for name in clean)


def test_gains_are_those_of_the_model_on_later_rows():
    inputs, score = table()
    trained = [*tilt_chain(0, inputs, score, folds(SPLIT, inputs["origin"].max()), TRAIN)]
    assert trained[0].gains[:, 0, 0] == pytest.approx(0, abs=1e-12)  # weight 0 is the base
    assert trained[1].gains[:, 0, -1].mean() == pytest.approx(0.32, abs=0.08)  # in theory 0.8² / 2
    years = inputs["origin"].iloc[trained[1].rows].dt.year
    assert set(years) == {2002}


def test_the_batches_of_a_fold_do_not_depend_on_how_long_the_folds_before_it_trained(monkeypatch):
    inputs, score = table()
    plan, drawn = folds(SPLIT, inputs["origin"].max())[:2], []

    def fitted(energies, score, x, generator, **options):
        drawn.append(generator.initial_seed())
        return [Fit(e, [0], torch.zeros(1, 2), torch.zeros(1, 2), [0, 0]) for e in energies]

    monkeypatch.setattr(walk_forward, "fit_tilts", fitted)
    [*tilt_chain(0, inputs, score, plan, TRAIN)]
    [*tilt_chain(0, inputs, score, plan[1:], TRAIN)]
    assert drawn[1] == drawn[2] != drawn[0]


def evidence(gain: float, capacity: int, years: int = 8, spread: float = 0.004) -> list[Trained]:
    """Past years of 60 rows whose mean gains at weight 1 have mean ``gain`` and deviation ``spread``; the
    share of a prior makes no difference."""
    noise = np.random.default_rng(capacity).normal(size=years)
    yearly = gain + spread * (noise - noise.mean()) / noise.std(ddof=1)
    model = type("Model", (), {"config": type("Config", (), {"hidden": capacity})})
    return [
        Trained(model, [], [], [], [], np.arange(60 * k, 60 * k + 60), same(60, np.tile(g * WEIGHTS, (6, 1))))
        for k, g in enumerate(yearly)
    ]


def same(rows: int, gains: np.ndarray) -> np.ndarray:
    """``gains`` of share and weight for each of ``rows``."""
    return np.tile(gains, (rows, 1, 1))


def choice(*chains: list[Trained]) -> tuple[int, float]:
    inputs, _ = table()
    found = choose(list(chains), inputs, folds(SPLIT, inputs["origin"].max())[-1])
    return found.capacity, found.weights["1"]


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
    chain[3].gains[:] = 0.5 * WEIGHTS
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
    weights = choose([chain], inputs, folds(SPLIT, inputs["origin"].max())[-1]).weights
    assert weights["1"] > 0.9
    assert weights["2"] == 0.0


def test_scores_not_known_when_the_fold_starts_do_not_enter_its_choice():
    inputs, _ = table()
    early = folds(SPLIT, inputs["origin"].max())[0]  # starts in 2001: rows from 260 on are not known yet
    few = choose([evidence(0.05, 0)[1:]], inputs, early)  # 4 of these 7 years began
    assert (few.capacity, few.weights, few.path) == (0, {"1": 0.0}, [])
    spoiled = evidence(0.05, 0)
    for year in spoiled[5:]:
        year.gains[:] = -WEIGHTS
    late = folds(SPLIT, inputs["origin"].max())[1]  # starts in 2002: all rows to 479 are known
    assert choose([spoiled], inputs, late).weights == {"1": 0.0}


def against(gains: np.ndarray, years: int = 8) -> tuple[float, float]:
    """Weight and share chosen when every past year had these ``gains`` of share and weight."""
    inputs, _ = table()
    chain = evidence(0.0, 0, years)
    for k, year in enumerate(chain):
        year.gains[:] = gains * (1 + 0.1 * (-1) ** k)
    found = choose([chain], inputs, folds(SPLIT, inputs["origin"].max())[-1], prior_gain=0.01)
    return found.weights["1"], found.shares["1"]


def test_a_prior_tilt_has_its_full_weight_until_the_file_speaks_against_it():
    v, w = SHARES[:, None], WEIGHTS
    nothing = np.zeros((len(v), len(w)))
    assert against(nothing) == (0.0, 1.0)
    assert against(nothing - 0.005 * v) == (0.0, pytest.approx(0.6))  # 8 · .005 = 2 · 5 · .01 · (1 − v)
    assert against(nothing - 0.02 * v) == (0.0, 0.0)


def test_an_energy_that_learned_the_same_takes_the_place_of_the_prior():
    """The gain is that of v + w up to one, the file's own energy a little better."""
    both = SHARES[:, None] + WEIGHTS
    weight, share = against(0.2 * (1 - (1 - both) ** 2) + 0.1 * WEIGHTS)
    assert weight > 0.9
    assert share < 0.2


def test_gains_with_a_prior_are_those_of_both_energies_together():
    inputs, score = table()
    plan = folds(SPLIT, inputs["origin"].max())[:2]
    alone = [*tilt_chain(0, inputs, score, plan, TRAIN)]
    prior = replace(alone[0].model, config=replace(alone[0].model.config, weights={"1": 0.5}))
    trained = [*tilt_chain(0, inputs, score, plan, TRAIN, [prior, prior])][1]
    rows = inputs.iloc[trained.rows].reset_index(drop=True)
    base = LinearPool([SkewT(*torch.tensor([[0.0], [1.0], [1e6], [0.0]]).double().expand(4, len(rows)))],
                      torch.ones(1, len(rows), dtype=torch.float64))  # fmt: skip
    half = replace(prior, config=replace(prior.config, weights={"1": 0.5 * SHARES[2]}))
    config = replace(trained.model.config, weights={"1": WEIGHTS[8]}, prior=half.config)
    law = replace(trained.model, config=config, prior=half).distribution(rows, base)
    target = torch.tensor(rows["target"].to_numpy())
    gain = law.log_prob(target) - base.log_prob(target)
    assert trained.gains[:, 2, 8] == pytest.approx(gain.numpy(), abs=1e-3)  # tails: e6 degrees of freedom


def test_too_few_training_rows_are_named():
    inputs, score = table()
    with pytest.raises(BasinError, match=r"fold 2001: 39 training rows before 2001-01-01.*walk_from"):
        next(
            tilt_chain(
                0,
                inputs.iloc[220:].reset_index(drop=True),
                score[220:],
                folds(SPLIT, inputs["origin"].max()),
                TRAIN,
            )
        )
