"""Joint tilts of several steps and series by one energy, trained by ranking and normalised by sampling."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ebm_core.tilts.seeds import Fit, fit_seeds


class JointEnergy(nn.Module):
    """Energy E(f, x) = Σ_m a(x_m) · tanh(W f_m + v) of a joint outcome, summed over its members m.

    The members, such as the series of a path, share one network. Each has its own features f_m of the outcome
    and inputs x_m. The coefficients are a(x) = A₂ tanh(A₁ x + b₁) + A₀ x + b₀. A₂, A₀ and b₀ start at zero,
    so an untrained energy is 0 and the tilted distribution is the base. tanh is bounded, so every tilt has a
    finite normaliser. Several seeds are computed at once.

    Maps f ``(n, k, members, features)`` and x ``(n, members, inputs)`` to energies ``(seeds, n, k)``, in
    nats.
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
    """Compute the ranking loss E₀ + log mean_j exp(−E_j) over the last axis; candidate 0 is the outcome.

    This is the softmax cross entropy of picking the outcome among itself and K draws of the base, minus
    log(1 + K), in nats. It is 0 for a zero energy and tends to −log p(y|x) + log q(y|x) as K grows.

    Reference: Ma and Collins (2018), Noise contrastive estimation and negative sampling, EMNLP.
    """
    return energy[..., 0] + torch.logsumexp(-energy, -1) - math.log(energy.shape[-1])


def fit_ranking(energy: JointEnergy, truth: Tensor, proposals: Tensor, x: Tensor, **options: Any) -> Fit:
    """Fit a joint tilt by ranking noise-contrastive estimation, with rows in time order.

    ``truth`` ``(n, members, features)`` are the features of the outcomes, ``proposals``
    ``(n, K, members, features)`` those of K draws of the base, and ``x`` ``(n, members, inputs)`` the inputs.
    ``options`` are those of :func:`ebm_core.tilts.seeds.fit_seeds`. Raises ``ValueError`` if shapes do not
    match or values are not finite.
    """
    if proposals.shape[:1] + proposals.shape[2:] != truth.shape or x.shape[:2] != truth.shape[:2]:
        raise ValueError(
            f"truth {tuple(truth.shape)}, proposals {tuple(proposals.shape)} and x {tuple(x.shape)}: "
            "expected (n, members, features), (n, K, members, features) and (n, members, inputs)"
        )
    for name, tensor in (("truth", truth), ("proposals", proposals), ("x", x)):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has non-finite values; drop or correct those rows before training")
    candidates = torch.cat([truth[:, None], proposals], 1)

    def loss(module: JointEnergy, rows: Tensor) -> Tensor:
        return ranking_loss(module(candidates[rows], x[rows]))

    return fit_seeds(energy, loss, len(truth), device=x.device, **options)


@dataclass(frozen=True)
class JointTilt:
    """Tilted distribution p(y) = q(y) exp(−E(y)) / Z, represented by weighted draws of the base.

    ``energy`` ``(n,)`` holds the energies of n draws y_i. Their weights are w_i ∝ exp(−E(y_i)) by
    self-normalised importance sampling. Standard errors assume independent draws. For draws in antithetic
    pairs they are too large if the energy is monotone in the draw, and too small by up to √2 if it is the
    same at both draws of a pair. Reference: Owen (2013), Monte Carlo
    theory, methods and examples, ch. 9.
    """

    energy: Tensor

    @property
    def weights(self) -> Tensor:
        """Weights of the draws ``(n,)``, which sum to one."""
        return torch.softmax(-self.energy, 0)

    @property
    def log_z(self) -> Tensor:
        """Estimate of log Z, log mean exp(−E), in nats."""
        return torch.logsumexp(-self.energy, 0) - math.log(len(self.energy))

    @property
    def effective_size(self) -> Tensor:
        """Effective sample size 1 / Σ w², which is n for a constant energy and 1 if one draw dominates."""
        return 1 / (self.weights**2).sum()

    @property
    def log_z_error(self) -> Tensor:
        """Standard error of log Z by the delta method, √(1/ESS − 1/n), with the effective sample size ESS."""
        return (1 / self.effective_size - 1 / len(self.energy)).clamp_min(0).sqrt()

    def expectation(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return E_p[g] and its standard error √Σ w²(g − E_p[g])², given g at the draws ``(n, *shape)``."""
        weights = self.weights.reshape(-1, *(1,) * (values.dim() - 1)).to(values)
        mean = (weights * values).sum(0)
        return mean, (weights**2 * (values - mean) ** 2).sum(0).sqrt()

    def resample(self, count: int, generator: torch.Generator) -> Tensor:
        """Return indices ``(count,)`` of draws by systematic resampling.

        Draw i appears ⌊count·w_i⌋ or ⌈count·w_i⌉ times.

        Reference: Kitagawa (1996), J. Computational and Graphical Statistics 5(1).
        """
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        position = (torch.arange(count, dtype=torch.float64) + offset) / count
        cumulative = self.weights.double().cumsum(0)
        return torch.searchsorted(cumulative / cumulative[-1], position).clamp_max(len(self.energy) - 1)
