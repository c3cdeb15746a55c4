"""Fields on a grid: a Gaussian base of large-scale patterns and local noise, and a convolutional energy."""

import torch
from torch import Tensor, nn

from ebm_core.energies.gradients import without_autocast


class PatternNormal:
    """Gaussian distribution of a field of d cells, e = V z + √D ξ with z ~ N(0, I) and ξ ~ N(0, I).

    ``patterns`` is V ``(d, k)``, ``local`` the positive variances D ``(d,)``, and z ``(k,)`` are the
    amplitudes of the patterns. A tilt changes only the distribution of z. Its dimension is therefore k,
    however fine the grid is. Raises ``ValueError`` if a local variance is not positive.
    """

    def __init__(self, patterns: Tensor, local: Tensor) -> None:
        if not bool((local > 0).all()):
            raise ValueError("local: a variance is not positive; expected a positive variance for every cell")
        self.patterns, self.local = patterns, local
        self._gain = self.given(torch.ones_like(local, dtype=torch.bool))[0]

    def colour(self, z: Tensor) -> Tensor:
        """Map amplitudes z ``(n, k)`` to fields V z ``(n, d)``."""
        return z @ self.patterns.T

    def amplitudes(self, error: Tensor) -> Tensor:
        """Map fields e ``(n, d)`` to their expected amplitudes E[z | e] ``(n, k)``."""
        return error @ self._gain.T

    def given(self, seen: Tensor, noise: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        """Return ``(gain, root)`` such that z given the observed cells is N(gain · e[seen], root · rootᵀ).

        ``seen`` ``(d,)`` is true for the observed cells, and ``noise`` is the standard deviation of their
        observation errors. ``gain`` has shape ``(k, observed cells)`` and ``root`` ``(k, k)``.
        """
        factor = self.patterns[seen]
        weighted = factor / (self.local[seen] + noise**2)[:, None]
        precision = torch.eye(factor.shape[1]).to(factor) + factor.T @ weighted
        covariance = torch.linalg.inv(precision)
        return covariance @ weighted.T, torch.linalg.cholesky((covariance + covariance.T) / 2)


class FieldEnergy(nn.Module):
    """Convolutional energy F(e; c) = Σ over cells of ½ (G(e; c) − G(−e; c)) · e of a forecast error e.

    The error is e = (y − m)/s with the mean m and spread s of the base. The context c consists of fields and
    numbers. G has three 3 × 3 convolutions with SiLU, of which the two hidden ones have ``width`` channels
    and the second is dilated. F is even in e, so a tilt changes the shape of the distribution of errors and
    not its mean. The last layer starts at zero, so an untrained energy is 0 and the tilted distribution is
    the base. ``mask`` ``(height, width)`` is true for the d cells of the grid that have values. Fields are
    vectors of these cells, in the order of the mask.

    Called with ``error`` ``(n, d)``, ``context`` ``(n, fields, d)`` in units of the spread, and ``numbers``
    ``(n, numbers)``, such as season and noise angle, it returns the energy ``(n,)`` in nats.
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
        hidden = nn.functional.silu(self.far(hidden))
        with without_autocast(hidden):
            pulled: Tensor = self.last(hidden.to(self.last.weight.dtype))[:, 0][:, self.mask]
        plus, minus = pulled.chunk(2)
        return ((plus - minus) / 2 * error).sum(-1)

    def grid(self, fields: Tensor) -> Tensor:
        """Put cells ``(n, fields, d)`` on the grid ``(n, fields, height, width)``, zero outside the mask."""
        empty = fields.new_zeros(*fields.shape[:-1], *self.mask.shape)
        empty[..., self.mask] = fields
        return empty
