"""Energies E(y, x) of an outcome's normal score given inputs, many seeds in one batched program."""

import math

import torch
from torch import Tensor, nn


class BilinearEnergy(nn.Module):
    """E(s, x) = a(x) · φ(s): ``seeds`` independent networks evaluated as one batched product.

    a(x) = A₂ tanh(A₁ x + b₁) + A₀ x + b₀ of shape ``(seeds, n, features)`` and φ(s) = tanh(w s + v), bounded,
    so that every tilt has a finite normaliser. A₂, A₀ and b₀ start at zero: an untrained energy is 0 and
    the tilted model is its base.

    Shapes: ``x`` is ``(n, inputs)``; a score ``(*sample, n)`` or ``(*sample, 1)`` gives energies
    ``(seeds, *sample, n)``.
    """

    def __init__(
        self, inputs: int, hidden: int, features: int, seeds: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.inputs, self.hidden, self.features, self.seeds = inputs, hidden, features, seeds

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.inner_weight = nn.Parameter(normal(seeds, inputs, hidden) / math.sqrt(inputs))
        self.inner_bias = nn.Parameter(torch.zeros(seeds, 1, hidden))
        self.outer_weight = nn.Parameter(torch.zeros(seeds, hidden, features))
        self.linear_weight = nn.Parameter(torch.zeros(seeds, inputs, features))
        self.bias = nn.Parameter(torch.zeros(seeds, 1, features))
        self.score_weight = nn.Parameter(0.5 + 0.5 * normal(seeds, features).abs())
        self.score_bias = nn.Parameter(1.5 * normal(seeds, features))

    def coefficients(self, x: Tensor) -> Tensor:
        """a(x), shape ``(seeds, n, features)``."""
        hidden = torch.tanh(x @ self.inner_weight + self.inner_bias)
        return hidden @ self.outer_weight + x @ self.linear_weight + self.bias

    def basis(self, score: Tensor) -> Tensor:
        """φ(s), shape ``(seeds, *score.shape, features)``."""
        shape = (self.seeds,) + (1,) * score.dim() + (self.features,)
        return torch.tanh(
            score[..., None] * self.score_weight.reshape(shape) + self.score_bias.reshape(shape)
        )

    def forward(self, score: Tensor, x: Tensor) -> Tensor:
        coefficients, basis = self.coefficients(x), self.basis(score)
        if score.shape[-1] == 1:
            return torch.einsum("snf,s...f->s...n", coefficients, basis.squeeze(-2))
        return torch.einsum("snf,s...nf->s...n", coefficients, basis)
