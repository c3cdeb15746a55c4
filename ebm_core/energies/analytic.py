"""Energies with a formula: landscapes on which samplers and normalisers can be checked.

``log_z`` is log ∫ exp(−E) dx; ``sample(count, generator)`` draws exactly, where that is possible.
"""

import math

import torch
from torch import Tensor, nn

LOG_2PI = math.log(2 * math.pi)


def rows(x: Tensor, d: int) -> Tensor:
    """``x`` if it is ``(B, d)``, else ``ValueError``."""
    if x.dim() != 2 or x.shape[1] != d:
        raise ValueError(f"x: shape {tuple(x.shape)}; expected (B, {d})")
    return x


class GaussianEnergy(nn.Module):
    """E(x) = ½ (x − μ)ᵀ Σ⁻¹ (x − μ), ``mean`` μ ``(d,)``, ``covariance`` Σ ``(d, d)``; log Z = ½ log |2πΣ|.

    Raises ``ValueError`` where Σ is not positive definite.
    """

    mean: Tensor
    root: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        root, failed = torch.linalg.cholesky_ex(covariance)
        if covariance.shape != (len(mean), len(mean)) or bool(failed):
            raise ValueError(f"covariance: expected a positive definite ({len(mean)}, {len(mean)})")
        self.register_buffer("mean", mean)
        self.register_buffer("root", root)

    def forward(self, x: Tensor) -> Tensor:
        away = rows(x, len(self.mean)) - self.mean
        return torch.linalg.solve_triangular(self.root, away.T, upper=False).square().sum(0) / 2

    @property
    def log_z(self) -> float:
        return float(self.root.diagonal().log().sum()) + len(self.mean) * LOG_2PI / 2

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        noise = self.mean.new_empty(count, len(self.mean)).normal_(generator=generator)
        return self.mean + noise @ self.root.T


class GaussianMixtureEnergy(nn.Module):
    """E(x) = −log Σₖ wₖ N(x; μₖ, σₖ² I): ``means`` ``(k, d)``, the others ``(k,)``; log Z = 0.

    Raises ``ValueError`` for weights that are not probabilities or scales that are not positive.
    """

    means: Tensor
    scales: Tensor
    weights: Tensor
    log_z = 0.0

    def __init__(self, means: Tensor, scales: Tensor, weights: Tensor) -> None:
        super().__init__()
        if not bool((weights > 0).all()) or abs(float(weights.sum()) - 1) > 1e-5:
            raise ValueError(f"weights: {weights.tolist()}; expected positive ones with sum 1")
        if means.dim() != 2 or len(means) != len(weights):
            raise ValueError(f"means: shape {tuple(means.shape)}; expected ({len(weights)}, d)")
        if scales.shape != weights.shape or not bool((scales > 0).all()):
            raise ValueError(f"scales: {scales.tolist()}; expected {len(weights)} positive ones")
        self.register_buffer("means", means)
        self.register_buffer("scales", scales)
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor) -> Tensor:
        d = self.means.shape[1]
        away = (rows(x, d)[:, None] - self.means).square().sum(-1) / (2 * self.scales.square())
        return -(self.weights.log() - d * (self.scales.log() + LOG_2PI / 2) - away).logsumexp(1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        kind = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = self.means.new_empty(count, self.means.shape[1]).normal_(generator=generator)
        return self.means[kind] + self.scales[kind, None] * noise


class DoubleWellEnergy(nn.Module):
    """E(x) = h (x₁² − 1)² + ½ Σ_{i>1} xᵢ²: two equal wells at x₁ = ±1, a barrier of ``height`` h nats."""

    def __init__(self, d: int, height: float) -> None:
        super().__init__()
        if not 0 < height < math.inf:
            raise ValueError(f"height: {height}; expected a positive number of nats")
        self.d, self.height = d, height

    def forward(self, x: Tensor) -> Tensor:
        first, others = rows(x, self.d)[:, 0], x[:, 1:]
        return self.height * (first.square() - 1).square() + others.square().sum(1) / 2

    @property
    def log_z(self) -> float:
        """By ∫ exp(−h (x² − 1)²) dx = ½π e^{−h/2} (I_{−¼}(h/2) + I_{¼}(h/2)), modified Bessel functions."""
        from scipy.special import ive

        half = self.height / 2
        integral = math.pi / 2 * (ive(-0.25, half) + ive(0.25, half))
        return math.log(integral) + (self.d - 1) * LOG_2PI / 2


class RosenbrockEnergy(nn.Module):
    """E(x, y) = (x − 1)²/20 + 5 (y − x²)²: a curved, narrow valley; log Z = log 2π.

    The density of Goodman and Weare (2010), Ensemble samplers with affine invariance, scaled so that x ~
    N(1, 10) and y | x ~ N(x², 1/10), whence exact samples.
    """

    log_z = LOG_2PI

    def forward(self, x: Tensor) -> Tensor:
        first, second = rows(x, 2).unbind(1)
        return (first - 1).square() / 20 + 5 * (second - first.square()).square()

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(count, 2, generator=generator, device=generator.device)
        first = 1 + math.sqrt(10) * noise[:, 0]
        return torch.stack([first, first.square() + math.sqrt(0.1) * noise[:, 1]], 1)


class RastriginEnergy(nn.Module):
    """E(x) = ½ Σᵢ xᵢ² + a Σᵢ (1 − cos 2πxᵢ): a bowl with a well at about every integer point.

    log Z by the expansion exp(a cos 2πx) = I₀(a) + 2 Σ_k I_k(a) cos 2πkx in modified Bessel functions.
    """

    def __init__(self, d: int, amplitude: float) -> None:
        super().__init__()
        if not 0 <= amplitude < math.inf:
            raise ValueError(f"amplitude: {amplitude}; expected 0 or more nats")
        self.d, self.amplitude = d, amplitude

    def forward(self, x: Tensor) -> Tensor:
        ripple = 1 - torch.cos(2 * math.pi * rows(x, self.d))
        return (x.square() / 2 + self.amplitude * ripple).sum(1)

    @property
    def log_z(self) -> float:
        from scipy.special import ive

        terms = [ive(k, self.amplitude) * math.exp(-2 * (math.pi * k) ** 2) for k in range(1, 6)]
        return self.d * (LOG_2PI / 2 + math.log(ive(0, self.amplitude) + 2 * sum(terms)))


class FunnelEnergy(nn.Module):
    """Neal's funnel: v = x₁ ~ N(0, σ²), xᵢ | v ~ N(0, eᵛ) for i > 1; log Z = 0, so E is −log p.

    Reference: Neal (2003), Slice sampling, Annals of Statistics 31(3).
    """

    log_z = 0.0

    def __init__(self, d: int, scale: float = 3.0) -> None:
        super().__init__()
        if not 0 < scale < math.inf:
            raise ValueError(f"scale: {scale}; expected a positive number")
        self.d, self.scale = d, scale

    def forward(self, x: Tensor) -> Tensor:
        v, others = rows(x, self.d)[:, 0], x[:, 1:]
        neck = v.square() / (2 * self.scale**2) + math.log(self.scale) + self.d * LOG_2PI / 2
        return neck + others.square().sum(1) * torch.exp(-v) / 2 + (self.d - 1) * v / 2

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(count, self.d, generator=generator, device=generator.device)
        v = self.scale * noise[:, :1]
        return torch.cat([v, torch.exp(v / 2) * noise[:, 1:]], 1)
