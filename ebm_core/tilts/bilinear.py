"""Energies of the normal score of an outcome given inputs, with several seeds in one batched computation."""

import math

import torch
from torch import Tensor, nn

from ebm_core.base.arguments import check_generator, check_whole
from ebm_core.tilts import bilinear_formula


class BilinearEnergy(nn.Module):
    """Energy E(s, x) = a(x) · φ(s) of a normal score s given inputs x, for several seeds at once.

    The coefficients are a(x) = A₂ tanh(A₁ x + b₁) + A₀ x + b₀. The features φ(s) = tanh(w s + v) are bounded,
    so every tilt has a finite normaliser. A₂, A₀ and b₀ start at zero, so an untrained energy is 0 and the
    tilted distribution is the base.

    Called with scores ``(*sample, n)`` or ``(*sample, 1)`` and inputs ``(n, inputs)``, it returns energies
    ``(seeds, *sample, n)``, in nats.

    Parameters
    ----------
    inputs : int
        Number of inputs x.
    hidden : int
        Number of hidden units of a(x). Zero makes it linear.
    features : int
        Number of features φ(s).
    seeds : int
        Number of independent networks.
    generator : torch.Generator
        Source of the initial weights.

    Raises
    ------
    ValueError
        If a number is below 1, or ``hidden`` below 0.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import BilinearEnergy
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = BilinearEnergy(3, hidden=8, features=4, seeds=2, generator=generator)
    >>> score, x = torch.randn(10, generator=generator), torch.randn(10, 3, generator=generator)
    >>> tuple(energy(score, x).shape)
    (2, 10)
    >>> bool((energy(score, x) == 0).all())  # before training
    True
    """

    def __init__(
        self, inputs: int, hidden: int, features: int, seeds: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        for name, number in (("inputs", inputs), ("features", features), ("seeds", seeds)):
            check_whole(name, number, 1)
        check_whole("hidden", hidden, 0)
        check_generator(generator)
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
        """Return a(x), shape ``(seeds, n, features)``."""
        return bilinear_formula.coefficients(
            torch,
            x,
            self.inner_weight,
            self.inner_bias,
            self.outer_weight,
            self.linear_weight,
            self.bias,
        )

    def basis(self, score: Tensor) -> Tensor:
        """Return φ(s), shape ``(seeds, *score.shape, features)``."""
        return bilinear_formula.basis(torch, score, self.score_weight, self.score_bias)

    def forward(self, score: Tensor, x: Tensor) -> Tensor:
        return bilinear_formula.energies(torch, self.coefficients(x), self.basis(score))
