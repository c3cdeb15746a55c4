"""Ranking NCE and the choice energy against closed forms."""

import math

import pytest
import torch

from ebm_core.tilts.choices import ChoiceEnergy, fit_choices, ranking_nce


def test_an_untrained_energy_is_zero_and_ranks_as_its_base() -> None:
    energy = ChoiceEnergy(3, 4, torch.Generator().manual_seed(0))
    base, x = torch.randn(2, 5), torch.randn(2, 5, 3)
    assert energy(x).abs().max() == 0
    assert torch.equal(energy.logits(base, x), base)


def test_one_chosen_of_all_is_the_exact_negative_log_likelihood() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0]])
    loss = ranking_nce(logits, torch.tensor([[False, True, False]]))
    assert loss == pytest.approx(float(-torch.log_softmax(logits, -1)[0, 1]))


def test_several_chosen_do_not_compete_with_each_other() -> None:
    loss = ranking_nce(torch.tensor([[5.0, 5.0, 0.0]]), torch.tensor([[True, True, False]]))
    assert float(loss) == pytest.approx(math.log1p(math.exp(-5)))


def test_noise_of_known_probability_is_taken_out() -> None:
    logits, noise = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    assert float(ranking_nce(logits, torch.tensor([[True, False]]), noise)) == pytest.approx(math.log(2))


def test_a_row_without_a_choice_is_named() -> None:
    with pytest.raises(ValueError, match="chosen"):
        ranking_nce(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool))


def test_a_fit_recovers_the_odds_of_a_conditional_logit() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 6, 1, generator=generator)
    chosen = torch.multinomial(torch.softmax(1.5 * x[..., 0], -1), 1, generator=generator)
    energy = ChoiceEnergy(1, 1, generator)
    energy.outer_weight.requires_grad_(False)
    hit = torch.zeros(4000, 6, dtype=torch.bool).scatter(1, chosen, True)
    options = {"epochs": 8, "learning_rate": 0.05, "weight_decay": 0.0, "generator": generator}
    losses = fit_choices(energy, torch.zeros(4000, 6), x, hit, **options)
    assert losses[-1] < losses[0]
    assert float(energy.linear_weight.detach()) == pytest.approx(1.5, abs=0.1)
