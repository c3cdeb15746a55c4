"""Fields on a grid: a Gaussian base with large-scale patterns and local noise, and a convolutional energy."""

import torch
from torch import Tensor, nn


class PatternNormal:
    """e = V z + √D ξ over d cells: k patterns V ``(d, k)``, amplitudes z ~ N(0, I), variances D ``(d,)``.

    What a tilt changes is the law of z, so that its dimension is k, however fine the grid. Raises
    ``ValueError`` where a local variance is not positive.
    """

    def __init__(self, patterns: Tensor, local: Tensor) -> None:
        if not bool((local > 0).all()):
            raise ValueError("local variances must be positive")
        self.patterns, self.local = patterns, local
        self._gain = self.given(torch.ones_like(local, dtype=torch.bool))[0]

    def colour(self, z: Tensor) -> Tensor:
        """V z: ``(n, k)`` → ``(n, d)``."""
        return z @ self.patterns.T

    def amplitudes(self, error: Tensor) -> Tensor:
        """E[z | e]: ``(n, d)`` → ``(n, k)``."""
        return error @ self._gain.T

    def given(self, seen: Tensor, noise: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        """``(gain, root)``: with the cells ``seen`` (boolean, ``(d,)``) known up to N(0, noise²), z is
        N(gain · e[seen], root · rootᵀ), shapes ``(k, seen)`` and ``(k, k)``."""
        factor = self.patterns[seen]
        weighted = factor / (self.local[seen] + noise**2)[:, None]
        precision = torch.eye(factor.shape[1]).to(factor) + factor.T @ weighted
        covariance = torch.linalg.inv(precision)
        return covariance @ weighted.T, torch.linalg.cholesky((covariance + covariance.T) / 2)


class FieldEnergy(nn.Module):
    """F(e; c, φ) = Σ over cells of ½ (G(e) − G(−e)) · e for an error e = (y − m)/s in its circumstances.

    G is a stack of convolutions over error, circumstances c and angle φ: two hidden ones of ``width``
    channels, 3 × 3, the second dilated, with SiLU. F is even in e, so that a tilt shapes the law of the
    errors and leaves its mean. The last layer starts at zero: an untrained energy is 0 and the tilted law is
    its base. ``mask`` ``(height, width)`` is true where the field has cells; fields come as vectors over
    these, in the mask's order.

    Shapes: ``error`` ``(n, d)`` and ``context`` ``(n, fields, d)``, whole fields in units of their spread s;
    ``numbers`` ``(n, numbers)`` such as season and angle. The energy is ``(n,)``.
    """

    def __init__(
        self, mask: Tensor, fields: int, numbers: int, width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", mask)
        channels = 1 + fields + numbers + 1
        self.near = nn.Conv2d(channels, width, 3, padding=1)
        self.far = nn.Conv2d(width, width, 3, padding=2, dilation=2)
        self.last = nn.Conv2d(width, 1, 3, padding=1, bias=False)
        with torch.no_grad():
            for layer, gain in ((self.near, 2.0), (self.far, 2.0), (self.last, 0.0)):
                spread = (gain / layer.weight[0].numel()) ** 0.5
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * spread)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, error: Tensor, context: Tensor, numbers: Tensor) -> Tensor:
        field = self.grid(error[:, None])
        around = [
            self.grid(context),
            numbers[:, :, None, None] * self.mask,
            self.mask.expand(len(error), 1, *self.mask.shape).to(error),
        ]
        grid = torch.cat([torch.cat([sign * field, *around], 1) for sign in (1, -1)])
        hidden = nn.functional.silu(self.near(grid))
        pulled: Tensor = self.last(nn.functional.silu(self.far(hidden)))[:, 0][:, self.mask]
        plus, minus = pulled.chunk(2)
        return ((plus - minus) / 2 * error).sum(-1)

    def grid(self, fields: Tensor) -> Tensor:
        """``(n, fields, d)`` → ``(n, fields, height, width)``, zero outside the mask."""
        empty = fields.new_zeros(*fields.shape[:-1], *self.mask.shape)
        empty[..., self.mask] = fields
        return empty
