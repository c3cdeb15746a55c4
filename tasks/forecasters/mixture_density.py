"""Mixture density network, the neural peer, with the inputs, seeds, batches and stopping rule of the tilt."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ebm_core.tilts.seeds import Fit, fit_seeds

COMPONENTS = 4


class MixtureDensityNetwork(nn.Module):
    """Mixture density network p(y|x) = Σⱼ πⱼ(x) N(y; μⱼ(x), σⱼ(x)) with four components.

    The outputs are the sum of a tanh network and a linear map of the inputs, so that they can follow an input
    that is itself a volatility. The target must be standardised. ``seeds`` networks are computed in one
    batch. Reference: Bishop (1994), Mixture density networks, NCRG/94/004.
    """

    def __init__(self, inputs: int, hidden: int, seeds: int, generator: torch.Generator) -> None:
        super().__init__()
        self.seeds = seeds

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.inner_weight = nn.Parameter(normal(seeds, inputs, hidden) / math.sqrt(inputs))
        self.inner_bias = nn.Parameter(torch.zeros(seeds, 1, hidden))
        self.outer_weight = nn.Parameter(torch.zeros(seeds, hidden, 3 * COMPONENTS))
        self.linear_weight = nn.Parameter(torch.zeros(seeds, inputs, 3 * COMPONENTS))
        self.bias = nn.Parameter(0.3 * normal(seeds, 1, 3 * COMPONENTS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(log π, μ, σ)``, each ``(seeds, n, components)``."""
        hidden = torch.tanh(x @ self.inner_weight + self.inner_bias)
        out = hidden @ self.outer_weight + x @ self.linear_weight + self.bias
        logits, loc, log_scale = out.split(COMPONENTS, dim=-1)
        return torch.log_softmax(logits, -1), loc, torch.exp(log_scale.clamp(-5, 5))

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Return the log density ``(seeds, n)`` of targets y ``(n,)`` given inputs x ``(n, inputs)``."""
        log_pi, loc, scale = self(x)
        return torch.logsumexp(log_pi + torch.distributions.Normal(loc, scale).log_prob(y[:, None]), -1)


def fit_mdn(network: MixtureDensityNetwork, y: Tensor, x: Tensor, **options: Any) -> Fit:
    """Fit by maximum likelihood with ``ebm_core.fit_seeds``, which also trains the tilt."""
    return fit_seeds(
        network, lambda n, rows: -n.log_prob(y[rows], x[rows]), len(y), device=x.device, **options
    )
