"""A model with a prior is stored whole; a prior has seen nothing of the years that it serves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ebm_core import BilinearEnergy
from tasks.runtime.files import read_json
from tasks.runtime.folds import Fold
from tasks.tilts.config import TiltConfig
from tasks.tilts.global_prior import GLOBAL_TILT, prior_tilts
from tasks.tilts.model import TiltedModel, load_model, save_model


def random_model(columns: tuple[str, ...], seed: int, weight: float) -> TiltedModel:
    count = len(columns)
    energy = BilinearEnergy(count, 3, 4, 2, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
    config = TiltConfig(columns, (0.0,) * count, (1.0,) * count, 3, 4, 2, {"1": weight}, {"1": {"base": 1.0}})
    return TiltedModel(config, energy.double())


def test_a_model_comes_back_with_its_prior(tmp_path):
    prior = random_model(("x_a",), 1, 0.4)
    model = random_model(("x_a", "x_b"), 2, 0.7)
    model = TiltedModel(replace(model.config, prior=prior.config), model.energy, prior)
    save_model(tmp_path / "model", model, {})
    again = load_model(tmp_path / "model")
    rows = pd.DataFrame({"x_a": [0.3, -1.0], "x_b": [2.0, 0.1], "lead": 1})
    score = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    energy = again.total_energy(rows)(score)
    assert energy.numpy() == pytest.approx(model.total_energy(rows)(score).detach().numpy(), abs=1e-6)
    own = 0.7 * model.mean_energy(score, model.inputs(rows)) + 0.4 * prior.mean_energy(
        score, prior.inputs(rows)
    )
    assert energy.numpy() == pytest.approx(own.numpy(), abs=1e-6)
    assert again.weight(1) == pytest.approx(1.1)


def test_a_year_gets_a_global_tilt_that_was_learned_on_earlier_dates():
    starts = [pd.Timestamp(year, 1, 1) for year in (1980, 2004, 2012, 2040)]
    plan = [Fold(str(s.year), s, s + pd.DateOffset(years=1)) for s in starts]
    tilts, gains = prior_tilts(GLOBAL_TILT, plan)
    assert tilts[0] is None
    assert gains[0] == 0.0
    folds = {e["fold"]: e for e in read_json(GLOBAL_TILT / "fits.json")["folds"]}
    for tilt, fold in zip(tilts[1:], ("2004", "2012", "final"), strict=True):
        assert tilt.config.center == tuple(folds[fold]["tilt"]["center"])
    rows = [folds[fold]["training_rows"] for fold in ("2004", "2012", "final")]
    assert np.all(np.diff(rows) > 0)
    assert min(gains[1:]) > 0
