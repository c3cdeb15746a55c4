"""Gaussian and Student t copulas in whitened coordinates, the bases of joint tilts of many series."""

import math
from numbers import Real
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from ebm_core.base.arguments import check_finite, check_generator, check_points, check_whole


class EllipticalCopula:
    """Gaussian or t copula of d variables, with one correlation matrix for each of n dates.

    A point is given by its normal scores s = Φ⁻¹(u), because probabilities u lose their digits in the tails.
    Its whitened coordinates are w = R^(−1/2) t_ν⁻¹(Φ(s)), with the symmetric root, so that coordinate i stays
    that of variable i. Under the copula, w has the same spherical t distribution at all dates, whatever R is,
    and the standard normal distribution for ν = ∞. A tilt in these coordinates therefore needs only draws of
    one distribution.

    ``correlation`` is ``(n, d, d)`` with ones on the diagonal, and positive definite. ``nu`` are the degrees
    of freedom, above 2. Quantiles of the t distribution are accurate to scores of ±20.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import EllipticalCopula
    >>> copula = EllipticalCopula(torch.tensor([[[1.0, 0.5], [0.5, 1.0]]]))
    >>> copula.log_density(torch.zeros(1, 2, dtype=torch.float64)).item()  # −½ log(1 − ρ²)
    0.1438410362258904
    """

    def __init__(self, correlation: Tensor, nu: float = math.inf) -> None:
        correlation = torch.as_tensor(correlation).double()
        shape = tuple(correlation.shape)
        if len(shape) != 3 or shape[1] != shape[2] or shape[0] < 1:
            raise ValueError(f"correlation: shape {shape}; expected (dates, d, d)")
        check_whole("the number of variables", shape[1], 2)
        check_freedom(nu)
        ones = torch.diagonal(correlation, dim1=1, dim2=2)
        wrong = torch.maximum((correlation - correlation.mT).abs().amax((1, 2)), (ones - 1).abs().amax(1))
        if not (wrong <= 1e-6).all():
            date = int((~(wrong <= 1e-6)).int().argmax())
            raise ValueError(
                f"correlation: the matrix of date {date} is not a correlation matrix; expected finite "
                "symmetric matrices with ones on the diagonal"
            )
        values, vectors = torch.linalg.eigh(correlation)
        if not values.min() > 1e-10:
            date = int(values.min(1).values.argmin())
            raise ValueError(
                f"correlation: the matrix of date {date} has the eigenvalue {values.min():.1g}; expected "
                "positive definite matrices: leave out duplicates, or mix the matrix with the identity"
            )
        self.nu = float(nu)
        self.dimension = correlation.shape[1]
        self.correlation = correlation
        self.log_determinant = values.log().sum(1)
        self._root = vectors * values.sqrt()[:, None] @ vectors.mT
        self._whitener = vectors / values.sqrt()[:, None] @ vectors.mT

    def whiten(self, scores: Tensor) -> Tensor:
        """Return the whitened coordinates of normal scores ``(n, *, d)``."""
        scores = self._checked("scores", scores)
        return torch.einsum("nij,n...j->n...i", self._whitener, student_of_normal(scores, self.nu))

    def scores(self, whitened: Tensor) -> Tensor:
        """Return the normal scores of whitened coordinates ``(n, *, d)``, the inverse of :meth:`whiten`."""
        whitened = self._checked("whitened", whitened)
        return normal_of_student(torch.einsum("nij,n...j->n...i", self._root, whitened), self.nu)

    def log_density(self, scores: Tensor) -> Tensor:
        """Return the log density of the copula at normal scores ``(n, d)``, with respect to u, in nats."""
        if scores.dim() != 2:
            raise ValueError(f"scores: shape {tuple(scores.shape)}; expected (dates, {self.dimension})")
        x = student_of_normal(self._checked("scores", scores), self.nu)
        w = torch.einsum("nij,nj->ni", self._whitener, x)
        joint = log_spherical(w, self.nu) - 0.5 * self.log_determinant
        return joint - log_spherical(x[..., None], self.nu).sum(-1)

    def _checked(self, name: str, points: Tensor) -> Tensor:
        """Return points as double, if there is a finite one of each date."""
        check_points(name, points, "(dates, *, d)")
        shape, expected = tuple(points.shape), (len(self.correlation), self.dimension)
        if len(shape) < 2 or (shape[0], shape[-1]) != expected:
            raise ValueError(f"{name}: shape {shape}; expected ({expected[0]}, *, {expected[1]})")
        if not torch.isfinite(points).all():
            raise ValueError(f"{name}: has values that are not finite; expected none: leave out those dates")
        return points.double()

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return ``count`` draws ``(count, d)`` of whitened coordinates, in antithetic pairs w and −w."""
        return draw_spherical(count, self.dimension, self.nu, generator).to(self.correlation.device)

    def draw_given(self, given: dict[int, float], count: int, generator: torch.Generator) -> Tensor:
        """Return draws ``(n, count, d)`` of whitened coordinates, given normal scores of some variables.

        ``given`` maps the positions of these variables to their scores. The others then have a t distribution
        with a shifted mean and ν + k degrees of freedom, k being the number given (Ding 2016, The American
        Statistician 70(3)).
        """
        known = sorted(given)
        if not known or len(known) >= self.dimension or not set(known) <= set(range(self.dimension)):
            raise ValueError(f"given: {known}; expected some, but not all, of 0 to {self.dimension - 1}")
        for i in known:
            check_finite(f"given[{i}]", given[i])
        rest = [i for i in range(self.dimension) if i not in given]
        x = student_of_normal(torch.tensor([[given[i] for i in known]], dtype=torch.float64), self.nu)
        x = x.to(self.correlation.device)
        r = self.correlation
        across = torch.linalg.solve(r[:, known][:, :, known], r[:, known][:, :, rest])
        spread = r[:, rest][:, :, rest] - r[:, rest][:, :, known] @ across
        standard = draw_spherical(count, len(rest), self.nu + len(known), generator).to(x.device)
        free = standard @ torch.linalg.cholesky(spread).mT
        if self.nu != math.inf:
            distance = (torch.linalg.solve(r[:, known][:, :, known], x.mT)[..., 0] * x).sum(-1)
            free = free * ((self.nu + distance) / (self.nu + len(known))).sqrt()[:, None, None]
        point = torch.empty(len(r), count, self.dimension, dtype=torch.float64, device=x.device)
        point[..., known] = x
        point[..., rest] = (x @ across) + free
        return torch.einsum("nij,nkj->nki", self._whitener, point)


def check_freedom(nu: float) -> None:
    """Raise ``ValueError`` unless ``nu`` is a number above 2, or infinity."""
    if not isinstance(nu, Real) or not nu > 2:
        raise ValueError(f"nu: {nu!r}; expected a number above 2, or infinity")


def draw_spherical(count: int, dimension: int, nu: float, generator: torch.Generator) -> Tensor:
    """Return draws ``(count, dimension)`` of the spherical t, or normal, distribution, as w and then −w."""
    check_whole("count", count, 2)
    check_generator(generator)
    half = -(-count // 2)
    options: dict[str, Any] = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    w = torch.randn(half, dimension, **options)
    if nu != math.inf:
        shape = torch.full((half, 1), nu / 2, dtype=torch.float64, device=generator.device)
        w = w * (nu / 2 / torch._standard_gamma(shape, generator)).sqrt()
    return torch.cat([w, -w])[:count]


def log_spherical(w: Tensor, nu: float) -> Tensor:
    """Return the log density of the spherical t, or normal, distribution at ``(*, d)``, in nats."""
    dimension, square = w.shape[-1], (w**2).sum(-1)
    if nu == math.inf:
        return -0.5 * square - dimension / 2 * math.log(2 * math.pi)
    constant = (
        math.lgamma((nu + dimension) / 2) - math.lgamma(nu / 2) - dimension / 2 * math.log(nu * math.pi)
    )
    return constant - (nu + dimension) / 2 * torch.log1p(square / nu)


def student_of_normal(scores: Tensor, nu: float) -> Tensor:
    """Return t_ν⁻¹(Φ(s)), computed from the nearer tail, on the CPU."""
    if nu == math.inf:
        return scores
    s = scores.detach().cpu().numpy()
    t = special.stdtrit(nu, special.ndtr(-np.abs(s)))
    return torch.as_tensor(np.where(s < 0, t, -t)).to(scores)


def normal_of_student(x: Tensor, nu: float) -> Tensor:
    """Return Φ⁻¹(t_ν(x)), the inverse of :func:`student_of_normal`."""
    if nu == math.inf:
        return x
    t = x.detach().cpu().numpy()
    s = special.ndtri(special.stdtr(nu, -np.abs(t)))
    return torch.as_tensor(np.where(t < 0, s, -s)).to(x)
