"""Class densities by manifold Parzen windows, which can serve as the base of a joint class energy."""

import math

import torch
from torch import Tensor, nn

from ebm_core.base.arguments import check_at_least, check_positive, check_whole
from ebm_core.energies.gradients import full_precision, without_autocast

CHUNK = 64
"""Rows for which distances to all windows are held in memory at once."""


class ManifoldParzen(nn.Module):
    """Class densities by manifold Parzen windows: one Gaussian per example, stretched along its neighbours.

    q(x | c) is the mean of N(x; xᵢ, FᵢFᵢᵀ + σ²I) over the examples i of class c. Fᵢ holds the ``rank``
    principal directions of s(xⱼ − xᵢ) over the ``neighbours`` nearest examples j of the same class. All C
    classes have equal weight. Called as an energy, it maps ``(B, d)`` to −log q(x) = −log Σ_c q(x | c)/C,
    ``(B,)``, in nats.

    Parameters
    ----------
    x : Tensor, shape (n, d)
        Finite examples in floating point.
    label : Tensor of int64, shape (n,)
        Classes of the examples, counted from 0. Each class needs three examples or more.
    neighbours : int
        Nearest examples of the same class from which the directions are taken.
    rank : int
        Number of directions of each window.
    noise : float
        Variance σ² across the directions, in the squared units of x.
    spread : float
        Factor s by which the differences to the neighbours are multiplied.

    Raises
    ------
    ValueError
        If an argument is not valid, for example if a class has fewer than three examples, or if ``x`` is not
        ``(B, d)`` when the energy is called. The message names the argument.

    References
    ----------
    Vincent and Bengio (2003), Manifold Parzen windows, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import ManifoldParzen
    >>> generator = torch.Generator().manual_seed(0)
    >>> label = torch.arange(100) % 2
    >>> x = torch.randn(100, 2, generator=generator) + 6 * label[:, None]
    >>> density = ManifoldParzen(x, label, neighbours=5, rank=1, noise=0.1, spread=1.0)
    >>> density.class_log_prob(torch.tensor([[0.0, 0.0], [6.0, 6.0]])).argmax(1)
    tensor([0, 1])
    >>> tuple(density.sample(20, generator, label=1).shape)
    (20, 2)
    """

    counts: Tensor
    middle: Tensor
    away: Tensor
    factors: Tensor
    whitening: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(
        self, x: Tensor, label: Tensor, *, neighbours: int, rank: int, noise: float, spread: float
    ) -> None:
        super().__init__()
        if x.dim() != 2 or not x.is_floating_point() or not len(x) or not torch.isfinite(x).all():
            raise ValueError(f"x: {x.dtype} of shape {tuple(x.shape)}; expected finite floats (n, d)")
        if label.shape != x.shape[:1] or label.dtype != torch.int64 or label.min() < 0:
            found = f"{label.dtype} of shape {tuple(label.shape)}"
            raise ValueError(f"label: {found}; expected int64 classes from 0 on, shape ({len(x)},)")
        check_whole("neighbours", neighbours, 1)
        check_whole("rank", rank, 0)
        check_at_least("spread", spread, 0)
        check_positive("noise", noise, "a positive variance")
        self.noise, self.classes = noise, int(label.max()) + 1
        counts = torch.bincount(label, minlength=self.classes)
        if counts.min() < 3:
            raise ValueError(
                f"label: class {int(counts.argmin())} has {int(counts.min())} examples; expected 3 or more"
            )
        middle, away = _centred(full_precision(x)[torch.argsort(label, stable=True)], counts)
        factors = [_directions(part, neighbours, rank, spread) for part in away.split(counts.tolist())]
        self.register_buffer("counts", counts)
        self.register_buffer("middle", middle)
        self.register_buffer("away", away)
        # A class with fewer examples than directions has zeros in the other columns.
        self.register_buffer(
            "factors", torch.cat([nn.functional.pad(f, (0, rank - f.shape[2])) for f in factors])
        )
        excess = self.factors.square().sum(1)  # variance of each direction above σ²
        self.register_buffer("whitening", self.factors / (excess + noise).sqrt()[:, None])
        d = x.shape[1]
        log_det = (excess + noise).log().sum(1) + (d - rank) * math.log(noise)
        self.register_buffer("offset", (log_det + d * math.log(2 * math.pi)) / 2)
        self.register_buffer("shift", torch.einsum("nd,ndr->nr", away, self.whitening))

    @classmethod
    def restored(cls, tensors: dict[str, Tensor], noise: float) -> "ManifoldParzen":
        """Rebuild a density from its ``state_dict()`` and ``noise``."""
        density = cls.__new__(cls)
        nn.Module.__init__(density)
        density.noise, density.classes = noise, len(tensors["counts"])
        if "centres" in tensors:  # of an earlier version
            tensors = dict(tensors)
            middle, away = _centred(tensors.pop("centres"), tensors["counts"])
            tensors |= {"middle": middle, "away": away}
            tensors["shift"] = torch.einsum("nd,ndr->nr", away, tensors["whitening"])
        for name, tensor in tensors.items():
            density.register_buffer(name, tensor)
        return density

    @property
    def centres(self) -> Tensor:
        """The examples, class by class, ``(n, d)``."""
        return self.away + self.middle.repeat_interleave(self.counts, 0)

    def class_log_prob(self, x: Tensor) -> Tensor:
        """Return log q(x | c), ``(B, C)``, differentiable in x."""
        d = self.away.shape[1]
        if x.dim() != 2 or x.shape[1] != d:
            raise ValueError(f"x: shape {tuple(x.shape)}; expected (B, {d})")
        with without_autocast(x):
            return torch.cat([self._chunk(part) for part in full_precision(x).split(CHUNK)])

    def _chunk(self, x: Tensor) -> Tensor:
        tensors = (self.away, self.whitening, self.shift, self.offset)
        counts = self.counts.tolist()
        parts = [full_precision(tensor).split(counts) for tensor in tensors]
        return torch.stack([self._of_class(x - m, *p) for m, *p in zip(self.middle, *parts, strict=True)], 1)

    def _of_class(self, x: Tensor, away: Tensor, whitening: Tensor, shift: Tensor, offset: Tensor) -> Tensor:
        """Return log q of one class, with x and its examples relative to their mean.

        The squares of coordinates far from zero would cancel, and leave no digits of the distances.
        """
        along = torch.einsum("bd,ndr->bnr", x, whitening) - shift
        squared = x.square().sum(1)[:, None] + away.square().sum(1) - 2 * x @ away.T
        window = -(squared - along.square().sum(2)) / (2 * self.noise) - offset
        return window.logsumexp(1) - math.log(len(away))

    def forward(self, x: Tensor) -> Tensor:
        return math.log(self.classes) - self.class_log_prob(x).logsumexp(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, label: int | None = None) -> Tensor:
        """Draw independent samples ``(count, d)`` of q(x), or of q(x | label) if a label is given."""
        check_whole("count", count, 0)
        if label is not None:
            check_whole("label", label, 0, self.classes - 1)
        if label is None:
            classes = torch.randint(self.classes, (count,), generator=generator)
        else:
            classes = torch.full((count,), label)
        starts = self.counts.cumsum(0) - self.counts
        window = starts[classes] + (torch.rand(count, generator=generator) * self.counts[classes]).long()
        d, rank = self.factors.shape[1:]
        along = torch.randn(count, rank, generator=generator, dtype=self.away.dtype)
        across = torch.randn(count, d, generator=generator, dtype=self.away.dtype)
        spread = torch.einsum("ndr,nr->nd", self.factors[window], along)
        return self.centres[window] + spread + math.sqrt(self.noise) * across


def _centred(x: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of classes ``(C, d)``, and examples in the order of the classes relative to them."""
    middle = torch.stack([part.mean(0) for part in x.split(counts.tolist())])
    return middle, x - middle.repeat_interleave(counts, 0)


def _directions(x: Tensor, neighbours: int, rank: int, spread: float) -> Tensor:
    """Compute the scaled principal directions Fᵢ of each row of ``x`` ``(n, d)``, ``(n, d, rank)``.

    The last axis is shorter if there are fewer than ``rank`` neighbours or coordinates.
    """
    near = min(neighbours, len(x) - 1)
    nearest = torch.cdist(x, x).topk(near + 1, largest=False).indices[:, 1:]
    steps = spread * (x[nearest] - x[:, None])
    _, values, axes = torch.linalg.svd(steps, full_matrices=False)
    scale = values[:, :rank] / math.sqrt(near)
    return axes[:, :rank].transpose(1, 2) * scale[:, None]
