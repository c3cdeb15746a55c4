"""Diagnostics on laws that agree and laws that do not, and surfaces that are known."""

import numpy as np
import pytest
import torch
from torch import nn

from ebm_core.energies.analytic import GaussianEnergy
from ebm_core.views.discrepancies import energy_calibration, energy_histogram, ksd, mmd
from ebm_core.views.surfaces import draw_surface, log_to_tensorboard, loss_surface, plane_slice

STANDARD = GaussianEnergy(torch.zeros(2), torch.eye(2))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_stein_statistic_is_the_mean_of_its_kernel_by_autograd():
    x = torch.randn(6, 2, generator=generator(), dtype=torch.float64)
    total = 0.0
    for i in range(6):
        for j in range(6):
            a, b = x[i].clone().requires_grad_(), x[j].clone().requires_grad_()
            k = (4 + (a - b).square().sum()) ** -0.5
            (da,) = torch.autograd.grad(k, a, create_graph=True)
            (db,) = torch.autograd.grad(k, b, create_graph=True, retain_graph=True)
            mixed = sum(torch.autograd.grad(da[c], b, retain_graph=True)[0][c] for c in range(2))
            total += ((a @ b) * k - a @ db - b @ da + mixed).item() * (i != j)
    assert ksd(STANDARD.double(), x, generator(), length=2.0).statistic == pytest.approx(
        total / 30, abs=1e-12
    )
    STANDARD.float()


def test_stein_and_mean_discrepancies_have_their_level_and_see_a_shift():
    right = [ksd(STANDARD, torch.randn(150, 2, generator=generator(s)), generator()) for s in range(40)]
    assert sum(test.p_value < 0.1 for test in right) <= 9  # 98 % point of Binomial(40, 0.1)
    assert ksd(STANDARD, 0.4 + torch.randn(300, 2, generator=generator()), generator()).p_value < 0.01
    same = [
        mmd(
            torch.randn(80, 2, generator=generator(s)),
            torch.randn(90, 2, generator=generator(99 + s)),
            generator(),
        )
        for s in range(40)
    ]
    assert sum(test.p_value < 0.1 for test in same) <= 9
    shifted = 0.5 + torch.randn(150, 2, generator=generator(1))
    assert mmd(torch.randn(150, 2, generator=generator()), shifted, generator()).p_value < 0.01


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_the_stein_test_does_not_depend_on_the_unit(unit):
    energy = GaussianEnergy(torch.zeros(2), unit**2 * torch.eye(2))
    x = unit * torch.randn(300, 2, generator=generator())
    assert ksd(energy, x, generator()).p_value > 0.05
    assert ksd(energy, x + 0.4 * unit, generator()).p_value < 0.01


@pytest.mark.parametrize("d", [1, 2, 10, 50])
def test_the_stein_test_sees_other_scales_and_means_in_all_dimensions(d):
    """In most of ten samples. The least of these powers is .83, over 60 samples in one dimension."""
    energy = GaussianEnergy(torch.zeros(d), torch.eye(d))
    for change in (lambda x: 0.7 * x, lambda x: x + 0.3):
        seen = [
            ksd(energy, change(torch.randn(100, d, generator=generator(s))), generator(s)) for s in range(10)
        ]
        assert sum(test.p_value < 0.05 for test in seen) >= 6


def test_equal_rows_are_named_and_repeated_rows_are_not_far_apart():
    once = 5 + torch.randn(40, 2, generator=generator())
    repeated = torch.cat([once[:1].expand(160, 2), once])
    for call in (
        lambda x: ksd(STANDARD, x, generator()),
        lambda x: mmd(x, x, generator()),
    ):
        with pytest.raises(ValueError, match=r"^x( and y)?: all rows are the same; expected two or more"):
            call(once[:1].expand(100, 2))
        assert abs(call(repeated).statistic) < 100


def test_energies_of_the_right_law_are_calibrated_and_of_a_narrow_one_are_not():
    right, narrow = (
        torch.randn(4000, 2, generator=generator()),
        0.7 * torch.randn(4000, 2, generator=generator(1)),
    )
    held_out = STANDARD(torch.randn(4000, 2, generator=generator(2)))
    found = energy_calibration(held_out, STANDARD(right))
    assert np.abs(found.coverage - found.level).max() < 0.05 and found.p_value > 0.01
    missed = energy_calibration(held_out, STANDARD(narrow))
    assert (missed.coverage < missed.level).all() and missed.p_value < 1e-6


def test_histograms_are_densities_over_common_edges():
    found = energy_histogram(
        torch.rand(500, generator=generator()), 1 + torch.rand(300, generator=generator()), 20
    )
    width = np.diff(found.edges)
    assert found.data @ width == pytest.approx(1) and found.samples @ width == pytest.approx(1)
    assert (found.data * found.samples)[:9].max() == 0


@pytest.mark.parametrize("compare", [energy_calibration, energy_histogram])
@pytest.mark.parametrize("bad", [torch.tensor([torch.nan]), torch.zeros(0), torch.zeros(3, 1)])
def test_energies_that_say_nothing_are_named(compare, bad):
    with pytest.raises(ValueError, match=r"^sample_energy: shape"):
        compare(torch.zeros(3), bad)
    with pytest.raises(ValueError, match=r"^data_energy: shape"):
        compare(bad, torch.zeros(3))


def test_a_plane_slice_is_the_energy_where_there_are_data_and_blank_elsewhere():
    data = torch.randn(2000, 2, generator=generator()) * torch.tensor([1.0, 1.0])
    surface = plane_slice(STANDARD, data, resolution=41)
    centre = surface.height[20, 20]
    assert centre == pytest.approx(np.nanmin(surface.height), abs=0.3)
    assert np.isnan(surface.height[0, 0]) and 0.3 < np.isfinite(surface.height).mean() < 0.95


def test_a_loss_surface_has_its_trained_minimum_in_the_middle_ignores_scale_and_restores():
    def network(scale):
        layers = nn.Sequential(nn.Linear(3, 8, bias=False), nn.ReLU(), nn.Linear(8, 1, bias=False))
        with torch.no_grad():
            layers[0].weight.copy_(scale * torch.randn(8, 3, generator=generator()))
            layers[2].weight.copy_(torch.randn(1, 8, generator=generator(1)) / scale)
        return layers

    x = torch.randn(50, 3, generator=generator(2))
    heights = []
    for scale in (1.0, 10.0):
        net = network(scale)
        target = net(x).detach()
        before = [p.clone() for p in net.parameters()]
        surface = loss_surface(net, lambda n=net, t=target: (n(x) - t).square().mean(), generator(3), 1.0, 5)
        assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
        heights.append(surface.height)
    assert heights[0].argmin() == 12 and heights[0][2, 2] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(heights[0], heights[1], rtol=1e-3, atol=1e-6)


def test_surfaces_are_drawn_and_logged(tmp_path):
    surface = plane_slice(STANDARD, torch.randn(200, 2, generator=generator()), resolution=12)
    assert draw_surface(surface).axes
    log_to_tensorboard(tmp_path, "energy", surface)
    assert list(tmp_path.glob("events*"))
