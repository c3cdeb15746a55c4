"""Likelihood of tilts in training, with a normaliser whose gradient is explicit."""

from typing import Any

import torch
from torch import Tensor

from ebm_core.base.formulas import explicit
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.quadrature import panels

TRAINING_PANELS = 16
"""Quadrature panels of the normaliser during training. Forecasts use more panels."""

CHECK_PANELS, CHECK_ROWS = 64, 256
"""Panels and largest number of rows with which the normaliser of a fit is checked."""


def negative_log_tilt(energy: BilinearEnergy, score: Tensor, x: Tensor) -> Tensor:
    """Return E(sᵢ, xᵢ) + log Z(xᵢ) = −log p(yᵢ|xᵢ) + log q(yᵢ|xᵢ) ``(seeds, n)``, which is 0 for E = 0.

    Z is computed with the fixed number ``TRAINING_PANELS`` of panels of scores within ±9, which is too few
    for steep energies. ``fit_tilt`` checks them at the end.
    """
    rule = panels(TRAINING_PANELS)
    nodes, log_weight = rule.score.to(x)[:, None], rule.log_weight.to(x)
    if explicit(energy, "coefficients") is not None:
        # The coefficients, the expensive part, are computed once for outcomes and nodes.
        coefficients = energy.coefficients(x)
        own = (coefficients * energy.basis(score)).sum(-1)
        energies = coefficients @ energy.basis(nodes).squeeze(-2).transpose(1, 2)
    else:
        own, energies = energy(score, x), energy(nodes, x).transpose(1, 2)
    normaliser: Tensor = _LogNormaliser.apply(energies, log_weight)
    return own + normaliser


def normaliser_error(energy: BilinearEnergy, x: Tensor) -> Tensor:
    """Return the mean error of log Z in training ``(seeds,)``, in nats, on some of the rows of x."""
    some = x[:: -(-len(x) // CHECK_ROWS)]
    with torch.no_grad():
        error = _log_z(energy, some, TRAINING_PANELS) - _log_z(energy, some, CHECK_PANELS)
    return error.mean(1).abs()


def _log_z(energy: BilinearEnergy, x: Tensor, count: int) -> Tensor:
    rule = panels(count)
    nodes = rule.score.to(x)[:, None]
    return torch.logsumexp(rule.log_weight.to(x)[:, None] - energy(nodes, x), dim=1)


class _LogNormaliser(torch.autograd.Function):
    """log Σₖ exp(log wₖ − Eₖ) ``(seeds, n)`` of energies ``(seeds, n, nodes)``.

    Its gradient −pₖ reuses the exponentials, which autograd would compute again.
    """

    @staticmethod
    def forward(context: Any, energies: Tensor, log_weight: Tensor) -> Tensor:
        mass = log_weight - energies
        top = mass.amax(2, keepdim=True)
        mass.sub_(top).exp_()
        total = mass.sum(2, keepdim=True)
        context.save_for_backward(mass, total)
        return (top + total.log()).squeeze(2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        mass, total = context.saved_tensors
        return mass * (-gradient[..., None] / total), None
