"""Fields on a grid: a Gaussian base with large-scale patterns and local noise, and a convolutional energy."""

import torch
from torch import Tensor, nn


class PatternNormal:
    """N(m, D + V Vᵀ) over d cells: k patterns V ``(d, k)`` and local variances D ``(d,)``, all positive.

    ``colour`` maps z ~ N(0, I) to y − m by the root D^½ (I + W Wᵀ)^½, W = D^−½ V; ``whiten`` is its inverse.
    Means are the caller's: one law of errors serves many forecasts.
    """

    def __init__(self, patterns: Tensor, local: Tensor) -> None:
        if not bool((local > 0).all()):
            raise ValueError("local variances must be positive")
        self.patterns, self.local = patterns, local
        self._root = local.sqrt()
        left, singular, _ = torch.linalg.svd(patterns / self._root[:, None], full_matrices=False)
        self._left, self._stretch = left, (1 + singular.square()).sqrt()

    def colour(self, z: Tensor) -> Tensor:
        """``(n, d)`` → ``(n, d)``."""
        return self._root * (z + (z @ self._left * (self._stretch - 1)) @ self._left.T)

    def whiten(self, error: Tensor) -> Tensor:
        """``(n, d)`` → ``(n, d)``."""
        z = error / self._root
        return z + (z @ self._left * (1 / self._stretch - 1)) @ self._left.T

    @property
    def log_scale(self) -> Tensor:
        """log |det| of the root, so that −log p(y) = ½|z|² + log_scale + (d/2) log 2π."""
        return self._root.log().sum() + self._stretch.log().sum()

    def given(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """``(gain, root)``: with the cells ``seen`` (boolean, ``(d,)``) known, the others are
        N(gain · (y − m)[seen], root · rootᵀ)."""
        factor = self.patterns
        weight = factor[seen] / self.local[seen, None]
        inner = torch.linalg.inv(torch.eye(factor.shape[1]).to(factor) + factor[seen].T @ weight)
        gain = factor[~seen] @ inner @ weight.T
        covariance = torch.diag(self.local[~seen]) + factor[~seen] @ inner @ factor[~seen].T
        return gain, torch.linalg.cholesky(covariance)


class FieldEnergy(nn.Module):
    """F(y; c, φ) = Σ over cells of G · (y − m)/s, G a stack of convolutions over field, context and angle.

    Two hidden convolutions of ``width`` channels, 3 × 3, the second dilated, with SiLU; the last layer starts
    at zero, so an untrained energy is 0 and the tilted law is its base. ``mask`` ``(height, width)`` is true
    where the field has cells; fields come as vectors over these, in the mask's order.

    Shapes: ``error`` y − m and ``mean`` ``(n, d)`` and ``context`` ``(n, fields, d)``, whole fields, all in
    units of their spread s; ``numbers`` ``(n, numbers)`` such as season and angle. The energy is ``(n,)``.
    """

    def __init__(
        self, mask: Tensor, fields: int, numbers: int, width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", mask)
        channels = 2 + fields + numbers + 1
        self.near = nn.Conv2d(channels, width, 3, padding=1)
        self.far = nn.Conv2d(width, width, 3, padding=2, dilation=2)
        self.last = nn.Conv2d(width, 1, 3, padding=1)
        with torch.no_grad():
            for layer, gain in ((self.near, 2.0), (self.far, 2.0), (self.last, 0.0)):
                spread = (gain / layer.weight[0].numel()) ** 0.5
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * spread)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, error: Tensor, mean: Tensor, context: Tensor, numbers: Tensor) -> Tensor:
        grid = torch.cat(
            [
                self.grid(torch.stack([error, mean], 1)),
                self.grid(context),
                numbers[:, :, None, None] * self.mask,
                self.mask.expand(len(error), 1, *self.mask.shape).to(error),
            ],
            1,
        )
        hidden = nn.functional.silu(self.near(grid))
        pulled: Tensor = self.last(nn.functional.silu(self.far(hidden)))[:, 0][:, self.mask]
        return (pulled * error).sum(-1)

    def grid(self, fields: Tensor) -> Tensor:
        """``(n, fields, d)`` → ``(n, fields, height, width)``, zero outside the mask."""
        empty = fields.new_zeros(*fields.shape[:-1], *self.mask.shape)
        empty[..., self.mask] = fields
        return empty
