"""A stored tilt forecasts without PyTorch what the model forecasts in PyTorch."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy import integrate

from ebm_core import BilinearEnergy, TiltedDistribution
from ebm_core.tilts.normalised import NormalisedTilt
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json, write_json
from tasks.scoring.describe import describe, expected_shortfalls
from tasks.scoring.quantiles import LEVELS, RISK_LEVELS
from tasks.tilts.config import TiltConfig
from tasks.tilts.model import TiltedModel, load_model, save_model
from tasks.tilts.stored import load_tilt

ROWS = pd.DataFrame(
    {
        "series": "a",
        "origin": pd.Timestamp("2020-01-01"),
        "lead": [1, 2, 3],
        "x_a": [0.3, -1.0, 2.5],
        "x_b": [2.0, 0.1, -9.0],
    }
)
MEMBERS = {
    "usual": {
        "loc": [0.1, 0.2, -0.3],
        "scale": [1.0, 2.0, 0.5],
        "eta": [6.0, 4.0, 12.0],
        "lam": [-0.3, 0.1, 0.0],
    },
    "normal": {
        "loc": [0.0, 1.0, 0.5],
        "scale": [0.7, 1.0, 3.0],
        "eta": [1e6, 1e4, 1e9],
        "lam": [0.0, 0.3, 0.0],
    },
    "heavy": {
        "loc": [0.0, 0.5, 0.1],
        "scale": [1.0, 0.4, 2.0],
        "eta": [2.05, 2.3, 2.01],
        "lam": [0.6, -0.8, 0.0],
    },
}
CLASSICAL = pd.concat(
    [ROWS[["series", "origin", "lead"]].assign(model=name, **m) for name, m in MEMBERS.items()]
)


def a_model(
    hidden: int, strength: float, weight: float, members: tuple[str, ...], seed: int = 0
) -> TiltedModel:
    generator = torch.Generator().manual_seed(seed)
    energy = BilinearEnergy(2, hidden, 5, 3, generator)
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.copy_(strength * torch.randn(parameter.shape, generator=generator))
    weights = dict.fromkeys("123", weight)
    shares = np.arange(1, len(members) + 1) / sum(range(len(members) + 1))
    pool = {lead: dict(zip(members, shares.tolist(), strict=True)) for lead in weights}
    config = TiltConfig(("x_a", "x_b"), (0.1, 0.0), (1.0, 2.0), hidden, 5, 3, weights, pool)
    return TiltedModel(config, energy.double())


def with_prior(model: TiltedModel) -> TiltedModel:
    prior = a_model(4, 0.6, 0.4, ("usual",), seed=1)
    return TiltedModel(replace(model.config, prior=prior.config), model.energy, prior)


MODELS = {
    "no hidden units": a_model(0, 0.7, 1.0, ("usual",)),
    "hidden units": a_model(8, 0.7, 0.8, ("usual", "normal")),
    "a prior": with_prior(a_model(3, 0.7, 0.8, ("usual",))),
    "weight 0": a_model(3, 0.7, 0.0, ("usual", "normal")),
    "nearly normal": a_model(3, 0.7, 1.0, ("normal",)),
    "heavy tails": a_model(3, 0.7, 1.0, ("heavy",)),
    "three members": a_model(3, 0.7, 1.0, ("usual", "normal", "heavy")),
    "a strong energy": a_model(8, 1.5, 1.0, ("usual", "normal")),
    "a steep energy": a_model(4, 6.0, 1.0, ("usual",)),
    "mass beyond nine": a_model(0, 2.0, 40.0, ("usual",)),
}


@pytest.fixture(params=MODELS)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[NormalisedTilt, TiltedDistribution]:
    """The forecast of a stored tilt, and that of the same model in PyTorch."""
    save_model(tmp_path / "model", MODELS[request.param], {})
    tilt, model = load_tilt(tmp_path / "model"), load_model(tmp_path / "model")
    assert [tilt.weight(lead) for lead in (1, 2, 3)] == [model.weight(lead) for lead in (1, 2, 3)]
    law = tilt.distribution(ROWS, tilt.base(CLASSICAL, ROWS))
    with torch.no_grad():
        exact = model.distribution(ROWS, model.base(CLASSICAL, ROWS))
    assert law.rule.count == exact.rule.count and law.rule.reach == exact.rule.reach
    return law, exact


def close(found: Any, exact: torch.Tensor) -> None:
    np.testing.assert_allclose(found, exact.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_a_stored_tilt_is_the_model_in_pytorch(both: tuple[NormalisedTilt, TiltedDistribution]) -> None:
    law, exact = both
    levels = np.concatenate([[0.0, 1e-30, 1e-9, 1.0], LEVELS])[:, None]
    y = exact.icdf(torch.tensor(levels)).numpy()
    close(law.log_z, exact.log_z)
    close(law.icdf(levels), torch.from_numpy(y))
    close(law.cdf(y), exact.cdf(torch.from_numpy(y)))
    close(law.log_prob(y), exact.log_prob(torch.from_numpy(y)))
    for found, expected in zip(law.weighted_nodes(), exact.weighted_nodes(), strict=True):
        close(found, expected)


def test_a_description_has_the_probabilities_of_the_model_in_pytorch(
    both: tuple[NormalisedTilt, TiltedDistribution],
) -> None:
    law, exact = both
    floor = np.array([-1.0, -np.inf, 0.2])
    values, weights = exact.weighted_nodes()
    cut = values.maximum(torch.from_numpy(floor))
    mean = (cut * weights).sum(0)
    sd = ((cut - mean) ** 2 * weights).sum(0).sqrt()
    quantiles = exact.icdf(torch.from_numpy(LEVELS)[:, None]).maximum(torch.from_numpy(floor))
    shortfalls = expected_shortfalls(law, RISK_LEVELS)
    of_exact: Any = SimpleNamespace(icdf=lambda levels: np.asarray(exact.icdf(levels)))
    close(shortfalls, torch.from_numpy(expected_shortfalls(of_exact, RISK_LEVELS)))
    chance = 1 - exact.cdf(torch.full((3,), 0.5, dtype=torch.float64))
    for i, step in enumerate(describe(law, (">= 0.5",), floor, returns=True)):
        close([step["mean"], step["sd"]], torch.stack([mean[i], sd[i]]))
        close(list(step["quantiles"].values()), quantiles[:, i])
        assert list(step["es"].values()) == shortfalls[:, i].tolist()
        assert step["var"].items() <= step["quantiles"].items()
        close(step["mass_at_lowest"], exact.cdf(torch.from_numpy(floor))[i])
        close(step["events"][">= 0.5"], chance[i])
        y, p = (np.array(step["density"][name]) for name in "yp")
        close(p, exact.log_prob(torch.from_numpy(y)[:, None])[:, i].exp())


def test_a_density_integrates_to_one_and_quantiles_are_inverse_to_probabilities(
    both: tuple[NormalisedTilt, TiltedDistribution],
) -> None:
    law, _ = both
    u = np.linspace(0.001, 0.999, 37)[:, None]
    quantiles = law.icdf(u)
    np.testing.assert_allclose(law.cdf(quantiles), np.broadcast_to(u, (37, 3)), atol=1e-12)
    assert law.log_z_error < 1e-6
    for i in range(3):
        points = law.icdf(np.array([0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])[:, None])[:, i]
        inside = integrate.quad(
            lambda y, i=i: np.exp(law.log_prob(np.full(3, y))[i]),
            *quantiles[[0, -1], i],
            points=points,
            limit=200,
        )[0]
        assert inside == pytest.approx(0.998, abs=1e-6)


ADDED = {"surplus": "scale", "surplus of the prior": "prior/scale", "prior": "prior/bias"}
"""Parameters that a model has not."""


@pytest.mark.parametrize("wrong", ["absent", *ADDED, "shape", "configuration", "not a file of parameters"])
def test_a_folder_without_a_usable_model_is_refused(tmp_path: Path, wrong: str) -> None:
    folder = tmp_path / "model"
    save_model(folder, MODELS["weight 0" if wrong == "prior" else "a prior"], {})
    parameters = load_file(folder / "model.safetensors")
    if wrong == "absent":
        del parameters["prior/bias"]
    if wrong in ADDED:
        parameters[ADDED[wrong]] = np.ones(2)
    if wrong == "shape":
        write_json(
            folder / "config.json", {"tilt": read_json(folder / "config.json")["tilt"] | {"hidden": 5}}
        )
    if wrong == "configuration":
        write_json(folder / "config.json", {"tilt": "x"})
    save_file(parameters, folder / "model.safetensors")
    if wrong.startswith("not"):
        (folder / "model.safetensors").write_bytes(b"nothing")
    for load in (load_tilt, load_model):
        with pytest.raises(
            BasinError, match=r"holds no usable model \(.*; give another model, or fit it again"
        ):
            load(folder)
