"""Analytic energies with a known normaliser, on which samplers and estimates of log Z can be checked.

``log_z`` is log ∫ exp(−E) dx. Energies that can be sampled exactly have ``sample(count, generator)``.
"""

import math

import torch
from torch import Tensor, nn

from ebm_core.base.arguments import check_at_least, check_points, check_positive, check_whole
from ebm_core.energies.gradients import full_precision

LOG_2PI = math.log(2 * math.pi)


def rows(x: Tensor, d: int) -> Tensor:
    """Return ``x`` in full precision if its shape is ``(B, d)``, otherwise raise ``ValueError``."""
    if x.dim() != 2 or x.shape[1] != d:
        raise ValueError(f"x: shape {tuple(x.shape)}; expected (B, {d})")
    return full_precision(x)


def _root(covariance: Tensor) -> Tensor | None:
    """Return the Cholesky factor of a matrix, or None if it is not symmetric and positive definite."""
    if not torch.isfinite(covariance).all():
        return None
    rounding = 1e-5 * float(covariance.abs().max())
    root, failed = torch.linalg.cholesky_ex(covariance)
    symmetric = torch.allclose(covariance, covariance.T, rtol=1e-3, atol=rounding)
    return root if symmetric and not bool(failed) else None


class GaussianEnergy(nn.Module):
    """Gaussian energy E(x) = ½ (x − μ)ᵀ Σ⁻¹ (x − μ), with log Z = ½ log |2πΣ|.

    The energy maps ``(B, d)`` to ``(B,)``, in nats. ``sample`` draws exactly.

    Parameters
    ----------
    mean : Tensor, shape (d,)
        Mean μ, in the units of x.
    covariance : Tensor, shape (d, d)
        Covariance Σ, in the squared units of x.

    Raises
    ------
    ValueError
        If Σ has the wrong shape or is not positive definite, and if ``x`` is not ``(B, d)``.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy
    >>> energy = GaussianEnergy(torch.tensor([1.0, 0.0]), torch.tensor([[4.0, 0.0], [0.0, 1.0]]))
    >>> energy(torch.tensor([[1.0, 0.0], [3.0, 1.0]]))
    tensor([0., 1.])
    >>> round(energy.log_z, 4)
    2.531
    >>> x = energy.sample(500, torch.Generator().manual_seed(0))
    >>> tuple(x.shape)
    (500, 2)
    """

    mean: Tensor
    root: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        check_points("mean", mean, "(d,)")
        check_points("covariance", covariance, "(d, d)")
        if mean.dim() != 1 or not len(mean) or not torch.isfinite(mean).all():
            raise ValueError(f"mean: shape {tuple(mean.shape)}; expected finite numbers (d,)")
        if covariance.dtype != mean.dtype or covariance.device != mean.device:
            found = f"{covariance.dtype} on {covariance.device}"
            raise ValueError(
                f"covariance: {found}; expected those of the mean, {mean.dtype} on {mean.device}"
            )
        root = _root(full_precision(covariance)) if covariance.shape == (len(mean), len(mean)) else None
        if root is None:
            raise ValueError(
                f"covariance: shape {tuple(covariance.shape)}; expected a symmetric, positive definite "
                f"matrix of shape ({len(mean)}, {len(mean)})"
            )
        self.register_buffer("mean", mean)
        self.register_buffer("root", root.to(mean))

    def forward(self, x: Tensor) -> Tensor:
        away = rows(x, len(self.mean)) - self.mean
        return (
            torch.linalg.solve_triangular(full_precision(self.root), away.T, upper=False).square().sum(0) / 2
        )

    @property
    def log_z(self) -> float:
        return float(full_precision(self.root).diagonal().log().sum()) + len(self.mean) * LOG_2PI / 2

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        check_whole("count", count, 0)
        noise = self.mean.new_empty(count, len(self.mean)).normal_(generator=generator)
        return self.mean + noise @ self.root.T


class GaussianMixtureEnergy(nn.Module):
    """Energy of a mixture of Gaussians, E(x) = −log Σₖ wₖ N(x; μₖ, σₖ² I), with log Z = 0.

    The energy maps ``(B, d)`` to ``(B,)``, in nats. ``sample`` draws exactly.

    Parameters
    ----------
    means : Tensor, shape (k, d)
        Means μₖ, in the units of x.
    scales : Tensor, shape (k,)
        Standard deviations σₖ, in the units of x.
    weights : Tensor, shape (k,)
        Positive probabilities wₖ of the components.

    Raises
    ------
    ValueError
        If the weights are not probabilities, if a scale is not positive, or if the shapes do not match.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianMixtureEnergy
    >>> means = torch.tensor([[-3.0, 0.0], [3.0, 0.0]])
    >>> energy = GaussianMixtureEnergy(means, torch.ones(2), torch.tensor([0.25, 0.75]))
    >>> left, middle, right = energy(torch.tensor([[-3.0, 0.0], [0.0, 0.0], [3.0, 0.0]]))
    >>> bool(right < left < middle)
    True
    >>> x = energy.sample(10_000, torch.Generator().manual_seed(0))
    >>> abs(float((x[:, 0] > 0).float().mean()) - 0.75) < 0.02
    True
    """

    means: Tensor
    scales: Tensor
    weights: Tensor
    log_z = 0.0

    def __init__(self, means: Tensor, scales: Tensor, weights: Tensor) -> None:
        super().__init__()
        for name, tensor in (("means", means), ("scales", scales), ("weights", weights)):
            check_points(name, tensor, "(k, d)" if name == "means" else "(k,)")
        if weights.dim() != 1 or not bool((weights > 0).all()) or not abs(float(weights.sum()) - 1) <= 1e-5:
            raise ValueError(f"weights: {weights.tolist()}; expected positive weights (k,) with sum 1")
        if means.dim() != 2 or len(means) != len(weights) or not torch.isfinite(means).all():
            raise ValueError(f"means: shape {tuple(means.shape)}; expected finite ({len(weights)}, d)")
        if scales.shape != weights.shape or not bool(((scales > 0) & torch.isfinite(scales)).all()):
            raise ValueError(f"scales: {scales.tolist()}; expected {len(weights)} positive scales")
        self.register_buffer("means", means)
        self.register_buffer("scales", scales)
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor) -> Tensor:
        d = self.means.shape[1]
        scales, weights = full_precision(self.scales), full_precision(self.weights)
        away = (rows(x, d)[:, None] - self.means).square().sum(-1) / (2 * scales.square())
        return -(weights.log() - d * (scales.log() + LOG_2PI / 2) - away).logsumexp(1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        check_whole("count", count, 0)
        kind = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = self.means.new_empty(count, self.means.shape[1]).normal_(generator=generator)
        return self.means[kind] + self.scales[kind, None] * noise


class DoubleWellEnergy(nn.Module):
    """Double well E(x) = h (x₁² − 1)² + ½ Σ_{i>1} xᵢ², with two equal wells at x₁ = ±1.

    The energy maps ``(B, d)`` to ``(B,)``, in nats. ``log_z`` is exact.

    Parameters
    ----------
    d : int
        Dimension of x.
    height : float
        Height h of the barrier between the wells, in nats.

    Raises
    ------
    ValueError
        If the height is not positive and finite, and if ``x`` is not ``(B, d)``.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DoubleWellEnergy
    >>> energy = DoubleWellEnergy(1, height=3.0)
    >>> energy(torch.tensor([[-1.0], [0.0], [1.0]]))
    tensor([0., 3., 0.])

    The normaliser agrees with a numerical integral.

    >>> x = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    >>> integral = torch.trapezoid(torch.exp(-energy(x[:, None])), x)
    >>> abs(float(integral.log()) - energy.log_z) < 1e-6
    True
    """

    def __init__(self, d: int, height: float) -> None:
        super().__init__()
        check_whole("d", d, 1)
        check_positive("height", height, "a positive number of nats")
        self.d, self.height = d, height

    def forward(self, x: Tensor) -> Tensor:
        x = rows(x, self.d)
        first, others = x[:, 0], x[:, 1:]
        return self.height * (first.square() - 1).square() + others.square().sum(1) / 2

    @property
    def log_z(self) -> float:
        """Exact log Z, from ∫ exp(−h (x² − 1)²) dx = ½π e^{−h/2} (I_{−¼}(h/2) + I_{¼}(h/2)).

        I are modified Bessel functions of the first kind.
        """
        from scipy.special import ive

        half = self.height / 2
        integral = math.pi / 2 * (ive(-0.25, half) + ive(0.25, half))
        return math.log(integral) + (self.d - 1) * LOG_2PI / 2


class RosenbrockEnergy(nn.Module):
    """Rosenbrock energy E(x, y) = (x − 1)²/20 + 5 (y − x²)², a curved, narrow valley with log Z = log 2π.

    This is the density of Goodman and Weare, in which x ~ N(1, 10) and y | x ~ N(x², 1/10), so that it can
    be sampled exactly. The energy maps ``(B, 2)`` to ``(B,)``, in nats.

    Raises
    ------
    ValueError
        If the input is not ``(B, 2)``.

    References
    ----------
    Goodman and Weare (2010), Ensemble samplers with affine invariance, Communications in Applied
    Mathematics and Computational Science 5(1).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import RosenbrockEnergy
    >>> energy = RosenbrockEnergy()
    >>> energy(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    tensor([0.0000, 5.0500])
    >>> tuple(energy.sample(100, torch.Generator().manual_seed(0)).shape)
    (100, 2)
    """

    log_z = LOG_2PI

    def forward(self, x: Tensor) -> Tensor:
        first, second = rows(x, 2).unbind(1)
        return (first - 1).square() / 20 + 5 * (second - first.square()).square()

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        check_whole("count", count, 0)
        noise = torch.randn(count, 2, generator=generator, device=generator.device)
        first = 1 + math.sqrt(10) * noise[:, 0]
        return torch.stack([first, first.square() + math.sqrt(0.1) * noise[:, 1]], 1)


class RastriginEnergy(nn.Module):
    """Rastrigin energy E(x) = ½ Σᵢ xᵢ² + a Σᵢ (1 − cos 2πxᵢ), a bowl with wells near integer points.

    ``log_z`` uses the expansion exp(a cos 2πx) = I₀(a) + 2 Σ_k I_k(a) cos 2πkx in modified Bessel functions.
    The energy maps ``(B, d)`` to ``(B,)``, in nats.

    Parameters
    ----------
    d : int
        Dimension of x.
    amplitude : float
        Amplitude a of the ripples, in nats. Each ripple is 2a high.

    Raises
    ------
    ValueError
        If the amplitude is negative or not finite, and if ``x`` is not ``(B, d)``.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import RastriginEnergy
    >>> energy = RastriginEnergy(1, amplitude=2.0)
    >>> energy(torch.tensor([[0.0], [0.5], [1.0]]))
    tensor([0.0000, 4.1250, 0.5000])
    """

    def __init__(self, d: int, amplitude: float) -> None:
        super().__init__()
        check_whole("d", d, 1)
        check_at_least("amplitude", amplitude, 0, "0 or more nats")
        self.d, self.amplitude = d, amplitude

    def forward(self, x: Tensor) -> Tensor:
        x = rows(x, self.d)
        ripple = 1 - torch.cos(2 * math.pi * x)
        return (x.square() / 2 + self.amplitude * ripple).sum(1)

    @property
    def log_z(self) -> float:
        from scipy.special import ive

        terms = [ive(k, self.amplitude) * math.exp(-2 * (math.pi * k) ** 2) for k in range(1, 6)]
        return self.d * (LOG_2PI / 2 + math.log(ive(0, self.amplitude) + 2 * sum(terms)))


class FunnelEnergy(nn.Module):
    """Neal's funnel, v = x₁ ~ N(0, σ²) and xᵢ | v ~ N(0, eᵛ) for i > 1, with E = −log p and log Z = 0.

    The energy maps ``(B, d)`` to ``(B,)``, in nats. ``sample`` draws exactly.

    Parameters
    ----------
    d : int
        Dimension of x, the first coordinate included.
    scale : float, default 3.0
        Standard deviation σ of the first coordinate.

    Raises
    ------
    ValueError
        If the scale is not positive and finite, and if ``x`` is not ``(B, d)``.

    References
    ----------
    Neal (2003), Slice sampling, Annals of Statistics 31(3).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import FunnelEnergy
    >>> energy = FunnelEnergy(2)
    >>> round(float(energy(torch.zeros(1, 2))), 4)
    2.9365

    The second coordinate is wide where the first is large.

    >>> x = energy.sample(1000, torch.Generator().manual_seed(0))
    >>> bool(x[x[:, 0] > 0, 1].std() > 10 * x[x[:, 0] < 0, 1].std())
    True
    """

    log_z = 0.0

    def __init__(self, d: int, scale: float = 3.0) -> None:
        super().__init__()
        check_whole("d", d, 1)
        check_positive("scale", scale)
        self.d, self.scale = d, scale

    def forward(self, x: Tensor) -> Tensor:
        x = rows(x, self.d)
        v, others = x[:, 0], x[:, 1:]
        neck = v.square() / (2 * self.scale**2) + math.log(self.scale) + self.d * LOG_2PI / 2
        return neck + others.square().sum(1) * torch.exp(-v) / 2 + (self.d - 1) * v / 2

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        check_whole("count", count, 0)
        noise = torch.randn(count, self.d, generator=generator, device=generator.device)
        v = self.scale * noise[:, :1]
        return torch.cat([v, torch.exp(v / 2) * noise[:, 1:]], 1)
