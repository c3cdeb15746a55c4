"""Joint tilts of many series: a linear energy of symmetric statistics of their whitened coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm_core.base.arguments import check_at_least, check_generator, check_whole
from ebm_core.tilts.copula import draw_spherical

STATISTICS = (
    "radius",
    "nearness",
    "size",
    "market",
    "market size",
    "market share",
    "market in the tail",
    "members' tails",
    "members' far tails",
    "members near the centre",
    "members at the centre",
    "shares' tails",
    "shares near the centre",
    "shares at the centre",
    "mean share",
    "largest share",
    "second share",
)
"""Names of the statistics of :func:`statistics`, in their order."""

POOL = 20_000
"""Draws of the base by which statistics are standardised."""


def statistics(w: Tensor, nu: float) -> Tensor:
    """Return the statistics ``(*, 17)`` of whitened coordinates ``(*, d)``, named in ``STATISTICS``.

    They do not change if series change their places. The market is Σ w/√d, the size is the mean square, and
    shares are coordinates divided by its root. All are bounded or grow with a logarithm, so that a linear
    energy of small weight keeps a finite normaliser.
    """
    d = w.shape[-1]
    square = (w**2).mean(-1)
    radius = torch.log1p(d * square / nu) if nu != math.inf else torch.log1p(square)
    share = w.abs() / square.clamp_min(1e-12).sqrt()[..., None]
    market = w.sum(-1) / math.sqrt(d)
    largest = torch.log1p(share.topk(2, -1).values)
    found = [
        radius,
        torch.exp(-radius),
        torch.log1p(square),
        torch.tanh(market / 2),
        torch.log1p(market**2),
        torch.log1p(market**2 / square.clamp_min(1e-12)),
        torch.tanh(market / 2) * radius,
        torch.log1p(w**2).mean(-1),
        torch.log1p(w**2 / 9).mean(-1),
        torch.exp(-(w**2) / 2).mean(-1),
        torch.exp(-2 * w**2).mean(-1),
        torch.log1p(share**2).mean(-1),
        torch.exp(-(share**2) / 2).mean(-1),
        torch.exp(-2 * share**2).mean(-1),
        share.mean(-1),
        largest[..., 0],
        largest[..., 1],
    ]
    return torch.stack(found, -1)


def member_terms(w: Tensor) -> tuple[Tensor, Tensor]:
    """Return the terms of each series, of the size and the sign of its coordinate, each ``(*, d)``."""
    return torch.log1p(w**2) - 0.53, torch.tanh(w)


@dataclass(frozen=True)
class Conditions:
    """What is known before each of n dates, on which the energy depends.

    ``state`` ``(n, states)`` describes the whole cross-section. ``size`` and ``sign`` ``(n, terms, d)`` are
    coefficients of each series, such as its recent size. The energy does not change if series change their
    places together with their coefficients.
    """

    state: Tensor
    size: Tensor
    sign: Tensor

    def __len__(self) -> int:
        return len(self.state)

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> "Conditions":
        return Conditions(self.state[rows], self.size[rows], self.sign[rows])


@dataclass(frozen=True)
class CrossSectionTilt:
    """Tilt p(w|x) = q(w) exp(−E(w, x)) / Z(x) of the spherical t distribution of whitened coordinates.

    E = γ (Σ_k θ_k(x) z_k(w) + Σ_i (a_i(x) f(w_i) + b_i(x) g(w_i))/√d), with the standardised statistics z of
    the cross-section, θ(x) linear in the state, f and g of :func:`member_terms`, and a and b linear in the
    coefficients of the members. E is linear in its parameters, which are therefore fitted by a convex loss.
    ``weight`` γ is 1 after a fit and 0 gives the base.
    """

    nu: float
    mean: Tensor
    spread: Tensor
    theta: Tensor
    size: Tensor
    sign: Tensor
    weight: float = 1.0

    def energy(self, w: Tensor, conditions: Conditions) -> Tensor:
        """Return energies ``(n, k)``, in nats, of points ``(n, k, d)``, or ``(k, d)`` for all dates."""
        z = (statistics(w, self.nu) - self.mean) / self.spread
        terms = member_terms(w)
        ones = torch.ones(len(conditions), 1, dtype=w.dtype, device=w.device)
        linear = torch.cat([ones, conditions.state], 1) @ self.theta.T
        points = "nk" if w.dim() == 3 else "k"
        energy = torch.einsum(f"nf,{points}f->nk", linear, z)
        for parameter, coefficient, term in zip(
            (self.size, self.sign), (conditions.size, conditions.sign), terms, strict=True
        ):
            member = torch.einsum("j,njd->nd", parameter, coefficient) / math.sqrt(w.shape[-1])
            energy = energy + torch.einsum(f"nd,{points}d->nk", member, term)
        return self.weight * energy


def fit_cross_section(
    w: Tensor,
    conditions: Conditions,
    nu: float,
    *,
    pairs: int = 32,
    ridge: tuple[float, float, float] = (10.0, 3000.0, 10.0),
    generator: torch.Generator,
) -> CrossSectionTilt:
    """Fit a tilt to whitened coordinates ``(n, d)`` by ranking noise contrast, with Newton's method.

    Each row is to be told from ``pairs`` antithetic pairs of draws of the base. The loss
    Σ_t E(w_t) + log Σ_j exp(−E(w_tj)) is convex. ``ridge`` are the penalties of half the squared constant
    weights of the statistics, of their dependence on the state, and of the members' weights. Reference: Ma
    and Collins (2018), EMNLP.
    """
    check_whole("pairs", pairs, 1)
    check_generator(generator)
    for name, value in zip(("constant", "state", "members"), ridge, strict=True):
        check_at_least(f"ridge of {name}", value, 1e-6)
    if w.dim() != 2 or len(w) != len(conditions):
        raise ValueError(f"w {tuple(w.shape)} and {len(conditions)} conditions: expected (n, d) and n")
    if not (torch.isfinite(w).all() and all(torch.isfinite(v).all() for v in vars(conditions).values())):
        raise ValueError("w or conditions have values that are not finite; leave out those dates")
    w = w.double()
    n, d = w.shape
    pool = statistics(draw_spherical(POOL, d, nu, generator).to(w), nu)
    mean, spread = pool.mean(0), pool.std(0)
    noise = draw_spherical(2 * n * pairs, d, nu, generator).to(w).reshape(2, n, pairs, d)
    points = torch.cat([w[:, None], *noise], 1)
    z = (statistics(points, nu) - mean) / spread
    members = [
        torch.einsum("nkd,njd->nkj", term, coefficient) / math.sqrt(d)
        for term, coefficient in zip(member_terms(points), (conditions.size, conditions.sign), strict=True)
    ]
    state = torch.cat([torch.ones(n, 1).to(w), conditions.state], 1)
    theta, alpha = _newton(z, state, torch.cat(members, 2), ridge)
    sizes = conditions.size.shape[1]
    return CrossSectionTilt(nu, mean, spread, theta, alpha[:sizes], alpha[sizes:])


def _newton(
    z: Tensor, state: Tensor, members: Tensor, ridge: tuple[float, float, float]
) -> tuple[Tensor, Tensor]:
    """Minimise the ranking loss plus the ridge, and return θ ``(features, states)`` and the members' weights.

    The energy of point k at date n is Σ θ_fp z_nkf s_np + Σ α_j m_nkj. The Hessian is the sum over dates of
    the covariance of (z, m) under the softmax, times the outer product of the state.
    """
    n, _, features = z.shape
    size, count = features * state.shape[1], members.shape[2]
    both = torch.cat([z, members], 2)
    penalty = torch.full((features, state.shape[1]), ridge[1]).to(z)
    penalty[:, 0] = ridge[0]
    penalty = torch.cat([penalty.reshape(-1), torch.full((count,), ridge[2]).to(z)])

    def loss(parameters: Tensor) -> tuple[Tensor, Tensor]:
        theta = parameters[:size].reshape(features, -1)
        linear = torch.cat([state @ theta.T, parameters[size:].expand(n, -1)], 1)
        score = -torch.einsum("nkf,nf->nk", both, linear)
        value = (torch.logsumexp(score, 1) - score[:, 0]).sum() + 0.5 * (penalty * parameters**2).sum()
        return value, torch.softmax(score, 1)

    parameters = torch.zeros(size + count).to(z)
    value, chosen = loss(parameters)
    for _ in range(50):
        mean = torch.einsum("nk,nkf->nf", chosen, both)
        residual = both[:, 0] - mean
        gradient = torch.cat([(residual[:, :features].T @ state).reshape(-1), residual[:, features:].sum(0)])
        gradient = gradient + penalty * parameters
        scaled = both * chosen.sqrt()[..., None]
        covariance = scaled.mT @ scaled - mean[:, :, None] * mean[:, None]
        step = torch.linalg.solve(_hessian(covariance, state, features) + torch.diag(penalty), gradient)
        for halvings in range(20):
            candidate = parameters - step / 2**halvings
            new, chosen_new = loss(candidate)
            if new <= value:
                break
        else:
            break
        gained, parameters, value, chosen = value - new, candidate, new, chosen_new
        if gained <= 1e-6 * abs(value):
            break
    return parameters[:size].reshape(features, -1), parameters[size:]


def _hessian(covariance: Tensor, state: Tensor, features: int) -> Tensor:
    """Return Σ_n covariance_n ⊗ (s_n s_nᵀ), where the state of the members' terms is 1."""
    n, both = covariance.shape[:2]
    states = state.shape[1]
    outer = (state[:, :, None] * state[:, None]).reshape(n, -1)
    z = covariance[:, :features, :features].reshape(n, -1).T @ outer
    z = z.reshape(features, features, states, states).transpose(1, 2).reshape(features * states, -1)
    across = covariance[:, :features, features:].reshape(n, -1).T @ state
    across = across.reshape(features, both - features, states).transpose(1, 2).reshape(features * states, -1)
    members = covariance[:, features:, features:].sum(0)
    return torch.cat([torch.cat([z, across], 1), torch.cat([across.T, members], 1)])


@dataclass(frozen=True)
class Normaliser:
    """log Z of n dates by importance sampling, ``(n,)``, with standard errors and effective sample sizes."""

    log_z: Tensor
    error: Tensor
    effective_size: Tensor


def normalise(energy: Tensor) -> Normaliser:
    """Estimate log Z = log E_q[exp(−E)] from energies ``(n, k)`` of k draws of the base.

    The draws are the antithetic pairs of :func:`ebm_core.tilts.copula.draw_spherical`, the second half being
    the negatives of the first. A pair is one independent draw: the standard error is √(1/ESS − 2/k), with the
    effective number ESS of pairs, by the delta method.
    """
    pairs = energy.shape[1] // 2
    log_weight = torch.logaddexp(-energy[:, :pairs], -energy[:, pairs:]) - math.log(2)
    log_z = torch.logsumexp(log_weight, 1) - math.log(pairs)
    effective = 1 / (torch.softmax(log_weight, 1) ** 2).sum(1)
    return Normaliser(log_z, (1 / effective - 1 / pairs).clamp_min(0).sqrt(), 2 * effective)
