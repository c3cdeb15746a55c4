"""Manifold Parzen windows against SciPy's Gaussians, their samples against their own moments."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from ebm_core.energies.parzen import ManifoldParzen


@pytest.fixture
def examples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    label = torch.tensor([0] * 8 + [1] * 5)
    x = torch.randn(13, 3, generator=generator, dtype=torch.double) + 3 * label[:, None]
    return x, label


def test_class_densities_are_mixtures_of_gaussians(examples) -> None:
    x, label = examples
    model = ManifoldParzen(x, label, neighbours=4, rank=2, noise=0.1, spread=0.7)
    at = x[:4] + 0.3
    expected = np.empty((4, 2))
    for c in (0, 1):
        rows = x[label == c].numpy()
        density = np.zeros(4)
        for row in rows:
            near = np.argsort(np.linalg.norm(rows - row, axis=1))[1:5]
            steps = 0.7 * (rows[near] - row)
            values, vectors = np.linalg.eigh(steps.T @ steps / 4)
            main = vectors[:, 1:] * values[1:] @ vectors[:, 1:].T
            density += multivariate_normal(row, main + 0.1 * np.eye(3)).pdf(at.numpy()) / len(rows)
        expected[:, c] = np.log(density)
    assert model.class_log_prob(at).numpy() == pytest.approx(expected, abs=1e-8)
    assert model(at).numpy() == pytest.approx(-np.log(np.exp(expected).mean(1)), abs=1e-8)


def test_samples_have_the_moments_of_the_density(examples) -> None:
    x, label = examples
    model = ManifoldParzen(x, label, neighbours=4, rank=2, noise=0.1, spread=0.7).double()
    drawn = model.sample(200_000, torch.Generator().manual_seed(1), label=1).double()
    inner = torch.einsum("ndr,ner->de", model.factors[8:], model.factors[8:]) / 5 + 0.1 * torch.eye(3)
    covariance = inner + torch.cov(x[8:].T, correction=0)
    assert torch.allclose(drawn.mean(0), x[8:].mean(0), atol=0.02)
    assert torch.allclose(torch.cov(drawn.T), covariance, atol=0.03)
    assert torch.allclose(model.sample(100_000, torch.Generator().manual_seed(1)).mean(0).double(),
                          (x[:8].mean(0) + x[8:].mean(0)) / 2, atol=0.03)  # fmt: skip


def test_a_class_of_two_is_refused(examples) -> None:
    x, label = examples
    with pytest.raises(ValueError, match="class 1 has 2"):
        ManifoldParzen(x[:10], label[:10], neighbours=4, rank=2, noise=0.1, spread=0.7)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"x": torch.zeros(13)}, "x: torch.float32 of shape \\(13,\\)"),
        ({"x": torch.full((13, 3), torch.nan)}, "x: "),
        (
            {"label": torch.zeros(12, dtype=torch.int64)},
            "label: .*; expected int64 classes from 0 on, shape \\(13,\\)",
        ),
        ({"label": torch.zeros(13)}, "label: torch.float32"),
        ({"label": torch.full((13,), -1)}, "label: "),
        ({"rank": -1}, "rank: -1"),
        ({"neighbours": -1}, "neighbours: -1"),
        ({"noise": 0.0}, "noise: 0.0"),
    ],
)
def test_examples_and_numbers_that_cannot_be_are_named(examples, change, named) -> None:
    x, label = examples
    numbers = {"x": x, "label": label, "neighbours": 4, "rank": 2, "noise": 0.1, "spread": 0.7}
    with pytest.raises(ValueError, match=f"^{named}"):
        ManifoldParzen(**numbers | change)


def test_points_of_another_width_and_classes_that_are_none_are_named(examples) -> None:
    model = ManifoldParzen(*examples, neighbours=4, rank=2, noise=0.1, spread=0.7)
    for x in (torch.zeros(5, 2), torch.zeros(3)):
        with pytest.raises(ValueError, match=r"^x: .*; expected \(B, 3\)"):
            model(x)
    for label in (-1, 2):
        with pytest.raises(ValueError, match=r"^label: .*; expected 0 to 1"):
            model.sample(4, torch.Generator(), label)


@pytest.mark.parametrize("apart", [0.0, 2000.0])
def test_densities_far_from_zero_keep_their_digits(apart) -> None:
    label = torch.arange(64) % 2
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)) + 1000 - apart * label[:, None]
    at, found = x[:8] + 0.1, []
    for dtype in (torch.float32, torch.float64):
        model = ManifoldParzen(x.to(dtype), label, neighbours=8, rank=2, noise=0.1, spread=1.0)
        found.append(model(at.to(dtype)).double())
    torch.testing.assert_close(*found, rtol=0, atol=2e-3)


def test_the_tensors_of_a_density_and_of_an_earlier_version_restore_it(examples) -> None:
    x, label = examples
    model = ManifoldParzen(x, label, neighbours=4, rank=2, noise=0.1, spread=0.7)
    tensors = dict(model.state_dict())
    torch.testing.assert_close(ManifoldParzen.restored(tensors, 0.1)(x), model(x))
    earlier = {name: tensor for name, tensor in tensors.items() if name not in ("middle", "away")}
    earlier["centres"] = model.centres
    earlier["shift"] = torch.einsum("nd,ndr->nr", model.centres, model.whitening)
    torch.testing.assert_close(ManifoldParzen.restored(earlier, 0.1)(x), model(x))
