"""Restricted Boltzmann machine with real visible and binary hidden units."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebm_core.base.arguments import check_whole
from ebm_core.energies.gradients import Gradient, full_precision
from ebm_core.energies.networks import check_widths
from ebm_core.energies.noise import normal_like

LOG_ROOT_2PI = math.log(2 * math.pi) / 2


class GaussianBernoulliRBM(nn.Module):
    """Restricted Boltzmann machine p(v, h) of real v ``(B, d)`` and binary h, with its free energy.

    The joint energy is E(v, h) = ½ ‖(v − b)/σ‖² − c · h − (v/σ)ᵀ W h with σ = exp(``log_scale``). Summing
    exp(−E) over h gives the free energy F(v) = ½ ‖(v − b)/σ‖² − Σ softplus(c + Wᵀ v/σ), which maps ``(B, d)``
    to ``(B,)``, in nats. Its gradient is explicit, and ``gibbs`` runs block Gibbs steps.

    Parameters
    ----------
    d : int
        Dimension of v.
    hidden : int
        Number of hidden units h. ``log_z`` sums over all their states and allows at most 20 units.
    generator : torch.Generator
        Source of the initial weights.

    Raises
    ------
    ValueError
        If a width is below 1, and if v is not ``(B, d)``.

    References
    ----------
    Cho, Ilin and Raiko (2011), Improved learning of Gaussian–Bernoulli restricted Boltzmann machines, ICANN.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianBernoulliRBM
    >>> generator = torch.Generator().manual_seed(0)
    >>> rbm = GaussianBernoulliRBM(1, hidden=3, generator=generator)
    >>> tuple(rbm.gibbs(torch.zeros(100, 1), steps=10, generator=generator).shape)
    (100, 1)

    With the exact normaliser the density integrates to one.

    >>> v = torch.linspace(-10, 10, 2001)
    >>> density = torch.exp(-rbm(v[:, None]) - rbm.log_z()).detach()
    >>> round(float(torch.trapezoid(density, v)), 3)
    1.0
    """

    def __init__(self, d: int, hidden: int, *, generator: torch.Generator) -> None:
        super().__init__()
        check_widths(generator, d=[d], hidden=[hidden])
        self.weight = nn.Parameter(0.1 * torch.randn(d, hidden, generator=generator))
        self.visible_bias = nn.Parameter(torch.zeros(d))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.log_scale = nn.Parameter(torch.zeros(d))

    def hidden_logits(self, v: Tensor) -> Tensor:
        """Return the log odds of h = 1 given v, ``(B, hidden)``."""
        if v.dim() != 2 or v.shape[1] != len(self.weight):
            raise ValueError(f"x: shape {tuple(v.shape)}; expected (B, {len(self.weight)})")
        standard, weight = full_precision(v) * self._inverse_scale(), full_precision(self.weight)
        return self.hidden_bias + full_precision(standard @ weight)

    def forward(self, v: Tensor) -> Tensor:
        """Return the free energy F(v), ``(B,)``."""
        logits = self.hidden_logits(v)
        standard = (full_precision(v) - self.visible_bias) * self._inverse_scale()
        return standard.square().sum(1) / 2 - functional.softplus(logits).sum(1)

    def input_gradient(self, v: Tensor) -> Tensor:
        """Compute ∇F = (v − b)/σ² − W p(h = 1 | v)/σ, differentiable in the parameters."""
        pulled = torch.sigmoid(self.hidden_logits(v)) @ full_precision(self.weight).T
        inverse = self._inverse_scale()
        return (full_precision(v) - self.visible_bias) * inverse.square() - pulled * inverse

    def frozen_gradient(self, v: Tensor) -> Gradient:
        return self.input_gradient

    def _inverse_scale(self) -> Tensor:
        return torch.exp(-full_precision(self.log_scale))

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator) -> Tensor:
        """Run block Gibbs steps from v ``(B, d)``; each draws h given v, and then v = b + σ (W h + ξ)."""
        check_whole("steps", steps, 0)
        for _ in range(steps):
            h = torch.bernoulli(torch.sigmoid(self.hidden_logits(v)), generator=generator)
            noise = normal_like(v, generator)
            v = self.visible_bias + (h @ full_precision(self.weight).T + noise) / self._inverse_scale()
        return v

    @torch.no_grad()
    def log_z(self) -> Tensor:
        """Compute log ∫ exp(−F(v)) dv exactly by a sum over all hidden states.

        Raises ``ValueError`` for more than 20 hidden units.
        """
        weight, log_scale = full_precision(self.weight), full_precision(self.log_scale)
        d, hidden = weight.shape
        if hidden > 20:
            raise ValueError(f"hidden: {hidden} units have 2^{hidden} states; use ais for more than 20 units")
        bits = torch.arange(2**hidden)[:, None] >> torch.arange(hidden) & 1
        h = bits.to(weight)
        pull = h @ weight.T
        exponent = h @ full_precision(self.hidden_bias)
        exponent = exponent + (pull * self.visible_bias * self._inverse_scale()).sum(1)
        return (exponent + pull.square().sum(1) / 2).logsumexp(0) + log_scale.sum() + d * LOG_ROOT_2PI
