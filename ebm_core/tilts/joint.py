"""Joint tilts: many steps and series under one energy, trained by ranking, normalised by sampling."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ebm_core.tilts.training import Fit, fit_seeds


class JointEnergy(nn.Module):
    """E(f, x) = Σ_m a(x_m) · tanh(W f_m + v): ``seeds`` energies of an outcome, summed over members.

    Members (the series of a path, say) share one network and enter through their own features f_m and inputs
    x_m; a single vector is the case of one member. a(x) = A₂ tanh(A₁ x + b₁) + A₀ x + b₀ with A₂, A₀ and b₀
    zero at the start, so an untrained energy is 0 and the tilted model is its base. tanh is bounded, so every
    tilt has a finite normaliser.

    Shapes: f ``(n, k, members, features)`` and x ``(n, members, inputs)`` give energies ``(seeds, n, k)``.
    """

    def __init__(
        self, features: int, inputs: int, hidden: int, basis: int, seeds: int, generator: torch.Generator
    ) -> None:
        super().__init__()

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self.seeds = seeds
        self.inner_weight = nn.Parameter(normal(seeds, inputs, hidden) / math.sqrt(inputs))
        self.inner_bias = nn.Parameter(torch.zeros(seeds, hidden))
        self.outer_weight = nn.Parameter(torch.zeros(seeds, hidden, basis))
        self.linear_weight = nn.Parameter(torch.zeros(seeds, inputs, basis))
        self.bias = nn.Parameter(torch.zeros(seeds, basis))
        self.feature_weight = nn.Parameter(normal(seeds, features, basis) / math.sqrt(features))
        self.feature_bias = nn.Parameter(normal(seeds, basis))

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        hidden = torch.einsum("nmi,sih->snmh", x, self.inner_weight) + self.inner_bias[:, None, None]
        coefficients = torch.einsum("snmh,shb->snmb", torch.tanh(hidden), self.outer_weight)
        coefficients = coefficients + torch.einsum("nmi,sib->snmb", x, self.linear_weight)
        coefficients = coefficients + self.bias[:, None, None]
        basis = torch.einsum("nkmf,sfb->snkmb", features, self.feature_weight)
        basis = torch.tanh(basis + self.feature_bias[:, None, None, None])
        return torch.einsum("snmb,snkmb->snk", coefficients, basis)


def ranking_loss(energy: Tensor) -> Tensor:
    """E₀ + log mean_j exp(−E_j) over the last axis, in nats, where candidate 0 is the truth.

    Softmax cross entropy of picking the truth among itself and draws of the base, less log(1 + K): 0 for a
    zero energy, and as K grows −log p(y|x) + log q(y|x).

    Reference: Ma and Collins (2018), Noise contrastive estimation and negative sampling, EMNLP.
    """
    return energy[..., 0] + torch.logsumexp(-energy, -1) - math.log(energy.shape[-1])


def fit_ranking(energy: JointEnergy, truth: Tensor, proposals: Tensor, x: Tensor, **options: Any) -> Fit:
    """Ranking noise-contrastive estimation of a joint tilt, rows in time order.

    Features of the outcome ``truth`` ``(n, members, features)`` and of K draws of the base ``proposals``
    ``(n, K, members, features)``, inputs ``x`` ``(n, members, inputs)``. ``options`` are those of
    :func:`ebm_core.tilts.training.fit_seeds`. Raises ``ValueError`` for shapes that differ or non-finite
    values.
    """
    if proposals.shape[:1] + proposals.shape[2:] != truth.shape or x.shape[:2] != truth.shape[:2]:
        raise ValueError(
            f"truth {tuple(truth.shape)}, proposals {tuple(proposals.shape)} and x {tuple(x.shape)}: "
            "expected (n, members, features), (n, K, members, features) and (n, members, inputs)"
        )
    for name, tensor in (("truth", truth), ("proposals", proposals), ("x", x)):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has non-finite values; drop or mend those rows before training")
    candidates = torch.cat([truth[:, None], proposals], 1)

    def loss(module: JointEnergy, rows: Tensor) -> Tensor:
        return ranking_loss(module(candidates[rows], x[rows]))

    return fit_seeds(energy, loss, len(truth), device=x.device, **options)


@dataclass(frozen=True)
class JointTilt:
    """p(y) = q(y) exp(−E(y)) / Z on ``n`` draws of the base whose energies ``(n,)`` are given.

    Self-normalised importance sampling: weights w_i ∝ exp(−E(y_i)). The error bars assume independent draws;
    for draws in antithetic pairs they are conservative where the energy is monotone in the draw.
    Reference: Owen (2013), Monte Carlo theory, methods and examples, ch. 9.
    """

    energy: Tensor

    @property
    def weights(self) -> Tensor:
        """Normalised weights ``(n,)``."""
        return torch.softmax(-self.energy, 0)

    @property
    def log_z(self) -> Tensor:
        """log Z = log mean exp(−E), in nats."""
        return torch.logsumexp(-self.energy, 0) - math.log(len(self.energy))

    @property
    def effective_size(self) -> Tensor:
        """1 / Σ w²: ``n`` for a constant energy, 1 when one draw carries everything."""
        return 1 / (self.weights**2).sum()

    @property
    def log_z_error(self) -> Tensor:
        """Standard error of log Z by the delta method, √(1/ESS − 1/n)."""
        return (1 / self.effective_size - 1 / len(self.energy)).clamp_min(0).sqrt()

    def expectation(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """E_p[g] and its standard error √Σ w²(g − E_p[g])², from g at the draws ``(n, *shape)``."""
        weights = self.weights.reshape(-1, *(1,) * (values.dim() - 1)).to(values)
        mean = (weights * values).sum(0)
        return mean, (weights**2 * (values - mean) ** 2).sum(0).sqrt()

    def resample(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices ``(count,)`` of draws by systematic resampling, each kept ⌊count·w⌋ or ⌈count·w⌉ times.

        Reference: Kitagawa (1996), J. Computational and Graphical Statistics 5(1).
        """
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        position = (torch.arange(count, dtype=torch.float64) + offset) / count
        cumulative = self.weights.double().cumsum(0)
        return torch.searchsorted(cumulative / cumulative[-1], position).clamp_max(len(self.energy) - 1)
