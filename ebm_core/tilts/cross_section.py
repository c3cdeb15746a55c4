"""Joint tilts of many series: a linear energy of symmetric statistics of their whitened coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ebm_core.base.arguments import check_at_least, check_generator, check_points, check_whole
from ebm_core.tilts.copula import check_freedom, draw_spherical

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
    energy of small weight keeps a finite normaliser (:meth:`CrossSectionTilt.tail_index`).
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

    Examples
    --------
    >>> import torch
    >>> from ebm_core import Conditions
    >>> size = torch.zeros(100, 1, 5)  # one coefficient of the size of each of 5 series, at 100 dates
    >>> known = Conditions(torch.zeros(100, 2), size, sign=torch.zeros(100, 0, 5))
    >>> len(known), len(known[:10])
    (100, 10)
    """

    state: Tensor
    size: Tensor
    sign: Tensor

    def __post_init__(self) -> None:
        for name, shape in (("state", "(n, states)"), ("size", "(n, terms, d)"), ("sign", "(n, terms, d)")):
            value = getattr(self, name)
            check_points(name, value, shape)
            if value.dim() != shape.count(",") + 1 or len(value) != len(self.state):
                rows = "n of the state" if name != "state" else "n dates"
                raise ValueError(f"{name}: shape {tuple(value.shape)}; expected {shape}, with {rows}")
            object.__setattr__(self, name, value.double())
        if self.size.shape[2] != self.sign.shape[2]:
            raise ValueError(
                f"sign: {self.sign.shape[2]} series; expected {self.size.shape[2]}, as many as in size"
            )

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

    Examples
    --------
    >>> import torch
    >>> from ebm_core import Conditions, CrossSectionTilt
    >>> nothing, theta = torch.zeros(0).double(), torch.zeros(17, 1).double()
    >>> theta[0] = -1  # the first statistic, the radius, is to be larger than under the base
    >>> mean, spread = torch.zeros(17).double(), torch.ones(17).double()
    >>> tilt = CrossSectionTilt(5.0, mean, spread, theta, nothing, nothing)
    >>> known = Conditions(torch.zeros(1, 0), torch.zeros(1, 0, 3), torch.zeros(1, 0, 3))
    >>> tilt.energy(torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]), known)  # −log(1 + 9/5)
    tensor([[ 0.0000, -1.0296]], dtype=torch.float64)
    >>> tilt.tail_index(known)  # instead of 5: tails are heavier, and Z is finite
    tensor([3.], dtype=torch.float64)
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
        self._check_conditions(conditions)
        check_points("w", w, "(n, k, d)")
        d = conditions.size.shape[2]
        if w.dim() not in (2, 3) or w.shape[-1] != d or (w.dim() == 3 and len(w) != len(conditions)):
            raise ValueError(
                f"w: shape {tuple(w.shape)}; expected ({len(conditions)}, k, {d}) or (k, {d}), "
                "the dates and series of the conditions"
            )
        w = w.double()
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

    def tail_index(self, conditions: Conditions) -> Tensor:
        """Return the tail index α ``(n,)`` of the tilt: |w| exceeds r with a mass of the order r^−α.

        It is ν of the base, infinite for the normal distribution. An energy with large negative weights of
        the statistics that grow makes it smaller, and Z is infinite unless α > 0. Where coordinates grow as
        r^e_i, 0 ≤ e_i ≤ 1, these statistics are 2 e_i log r, or 2 log r for the size of all. The index is the
        least over the directions: all or some of the series may be large, and the market up, down or small.
        """
        self._check_conditions(conditions)
        state = torch.cat([torch.ones(len(conditions), 1).to(conditions.state), conditions.state], 1)
        weight = dict(zip(STATISTICS, 2 * self.weight * (state @ self.theta.T / self.spread).T, strict=True))
        d = conditions.size.shape[2]
        members = (weight["members' tails"] + weight["members' far tails"])[:, None] / d
        members = members + 2 * self.weight * (
            torch.einsum("j,njd->nd", self.size, conditions.size) / math.sqrt(d)
        )
        gain = (1 - members).sort(1, descending=True).values  # of log mass, if a series is large too
        some = gain[:, 0] + gain[:, 1:].clamp_min(0).sum(1)
        opposed = gain[:, :2].sum(1) + gain[:, 2:].clamp_min(0).sum(1) - 1  # at least two, with a small sum
        largest = torch.maximum(some - weight["market size"], opposed) + weight["market in the tail"].abs()
        return self.nu + d + weight["radius"] + weight["size"] - largest

    def check_normaliser(self, conditions: Conditions) -> None:
        """Raise ``ValueError`` if Z is infinite at a date, where no number of draws could estimate it."""
        index = self.tail_index(conditions)
        if not (index > 0).all():
            date = int((~(index > 0)).int().argmax())
            raise ValueError(
                f"energy: the tail index of date {date} is {index[date]:.2g}, so Z is infinite; expected one "
                "above 0: reduce the weight of the tilt, or fit with a larger ridge"
            )

    def _check_conditions(self, conditions: Conditions) -> None:
        """Raise ``ValueError`` unless the conditions have the terms of the tilt."""
        for name, value, expected in (
            ("state", conditions.state, self.theta.shape[1] - 1),
            ("size", conditions.size, len(self.size)),
            ("sign", conditions.sign, len(self.sign)),
        ):
            if value.shape[1] != expected:
                raise ValueError(f"conditions.{name}: {value.shape[1]}; expected {expected}, as in the fit")


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

    Examples
    --------
    >>> import torch
    >>> from ebm_core import Conditions, fit_cross_section
    >>> generator = torch.Generator().manual_seed(0)
    >>> w = torch.randn(500, 4, generator=generator)
    >>> calm = torch.rand(500, 1, generator=generator) < 0.8
    >>> w = w * torch.where(calm, 0.6, 1.8)  # all series are calm or not at the same dates
    >>> known = Conditions(torch.zeros(500, 0), torch.zeros(500, 0, 4), torch.zeros(500, 0, 4))
    >>> tilt = fit_cross_section(w, known, nu=float("inf"), generator=generator)
    >>> points = torch.tensor([[0.1], [1.0], [3.0]]).expand(3, 4)
    >>> near, between, far = tilt.energy(points, known[:1])[0]
    >>> bool(near < between and far < between)
    True
    """
    check_whole("pairs", pairs, 1)
    check_generator(generator)
    check_freedom(nu)
    if len(ridge) != 3:
        raise ValueError(f"ridge: {ridge}; expected three numbers: constant, state and members")
    for name, value in zip(("constant", "state", "members"), ridge, strict=True):
        check_at_least(f"ridge of {name}", value, 1e-6)
    check_points("w", w, "(n, d)")
    d = conditions.size.shape[2]
    if w.shape != (len(conditions), d) or len(w) < 1 or d < 2:
        raise ValueError(
            f"w: shape {tuple(w.shape)}; expected ({len(conditions)}, {d}), the dates and series of the "
            "conditions, at least (1, 2)"
        )
    for name, value in {"w": w, **{f"conditions.{name}": v for name, v in vars(conditions).items()}}.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: has values that are not finite; expected none: leave out those dates")
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

    The standard error is that of the delta method. Draws of the first and the second half are taken as pairs,
    as :meth:`EllipticalCopula.draw` returns them, because w and −w have similar energies. It holds for
    independent draws too. Z must be finite (:meth:`CrossSectionTilt.check_normaliser`).
    """
    check_points("energy", energy, "(n, k)")
    if energy.dim() != 2 or energy.shape[1] < 2 or not torch.isfinite(energy).all():
        raise ValueError(f"energy: shape {tuple(energy.shape)}; expected finite (n, k), with k = 2 or more")
    count = energy.shape[1]
    log_z = torch.logsumexp(-energy, 1) - math.log(count)
    weights = torch.softmax(-energy, 1)
    centred = functional.pad(weights - 1 / count, (0, count % 2))
    error = centred.reshape(len(energy), 2, -1).sum(1).norm(dim=1)
    return Normaliser(log_z, error, 1 / (weights**2).sum(1))
