"""Likelihood of tilts in training, with explicit gradients for several energies at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm_core.base.formulas import explicit
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.quadrature import panels

TRAINING_PANELS = 16
"""Quadrature panels of the normaliser during training. Forecasts use more panels."""

CHECK_PANELS, CHECK_ROWS = 64, 256
"""Panels and largest number of rows with which the normaliser of a fit is checked."""

SAFE = 60.0
"""Energies up to this size have exponentials that single precision can hold, with their sums."""


def negative_log_tilts(
    energies: Sequence[BilinearEnergy], score: Tensor, x: Tensor, formulas: bool
) -> Tensor:
    """Return E(sᵢ, xᵢ) + log Z(xᵢ) = −log p(yᵢ|xᵢ) + log q(yᵢ|xᵢ), which is 0 for E = 0.

    Its shape is ``(seeds of all energies, n)``. Z is computed with the fixed number ``TRAINING_PANELS`` of
    panels of scores within ±9, which is too few for steep energies. ``fit_tilt`` checks them at the end.
    With ``formulas`` the explicit gradients are used, for which :func:`have_formulas` must hold.
    """
    if formulas:
        parameters = [getattr(energy, name) for energy in energies for name in PARAMETERS]
        together: Tensor = _NegativeLogTilts.apply(score, x, *parameters)
        return together
    return torch.cat([_of_any(energy, score, x) for energy in energies])


def have_formulas(energies: Sequence[BilinearEnergy], score: Tensor, x: Tensor) -> bool:
    """Return whether the formulas below are those of the energies, with numbers that NumPy has, too.

    They have no gradient with respect to scores and inputs.
    """
    if score.requires_grad or x.requires_grad or x.dtype not in (torch.float32, torch.float64):
        return False
    return len({energy.features for energy in energies}) == 1 and all(
        explicit(energy, name) is not None and energy.bias.dtype == x.dtype
        for energy in energies
        for name in ("coefficients", "basis")
    )


def _of_any(energy: BilinearEnergy, score: Tensor, x: Tensor) -> Tensor:
    return energy(score, x) + _log_z(energy, x, TRAINING_PANELS)


def normaliser_error(energy: BilinearEnergy, x: Tensor) -> Tensor:
    """Return the mean error of log Z in training ``(seeds,)``, in nats, on some of the rows of x."""
    some = x[:: -(-len(x) // CHECK_ROWS)]
    with torch.no_grad():
        error = _log_z(energy, some, TRAINING_PANELS) - _log_z(energy, some, CHECK_PANELS)
    return error.mean(1).abs()


def _log_z(energy: BilinearEnergy, x: Tensor, count: int) -> Tensor:
    nodes, log_weight = _rule(count, x)
    return torch.logsumexp(log_weight[:, None] - energy(nodes[:, None], x), dim=1)


def _rule(count: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return nodes and log weights of the quadrature, of the type of ``x`` and on its device."""
    rule = panels(count)
    return torch.from_numpy(rule.score).to(x), torch.from_numpy(rule.log_weight).to(x)


PARAMETERS = (
    "inner_weight", "inner_bias", "outer_weight", "linear_weight", "bias", "score_weight", "score_bias",
)  # fmt: skip
"""Parameters of a :class:`BilinearEnergy`, in the order of the arguments below."""


class _NegativeLogTilts(torch.autograd.Function):
    """Likelihood of :func:`negative_log_tilts` and its gradient, as functions of the parameters.

    On a CPU they are computed by NumPy, whose exponentials are several times faster than those of PyTorch.
    The formulas of both are the same.
    """

    @staticmethod
    def forward(context: Any, score: Tensor, x: Tensor, *parameters: Tensor) -> Tensor:
        nodes, log_weight = _rule(TRAINING_PANELS, x)
        given = [score, x, nodes, log_weight.exp(), *parameters]
        context.library = np if x.device.type == "cpu" else torch
        arrays = [each.detach() if context.library is torch else each.detach().numpy() for each in given]
        with np.errstate(all="ignore"):  # training stops by itself if a loss is not finite
            loss, context.kept = losses(context.library, *arrays)
        return torch.as_tensor(loss)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        upstream = gradient if context.library is torch else gradient.numpy()
        with np.errstate(all="ignore"):
            found = gradients(context.library, upstream, *context.kept)
        return (None, None, *(torch.as_tensor(each) for each in found))


def losses(xp: Any, score: Any, x: Any, nodes: Any, weights: Any, *parameters: Any) -> tuple[Any, Any]:
    """Return the negative log-likelihoods ``(seeds, n)``, and the values that their gradients need.

    ``xp`` is ``numpy`` or ``torch``, and the other arguments are arrays of it: scores ``(n,)``, inputs
    ``(n, inputs)``, nodes and weights of the quadrature, and the ``PARAMETERS`` of each energy. The seeds of
    all energies are stacked, and so are their hidden units. Values of rows have the rows last.
    """
    each = [parameters[i : i + len(PARAMETERS)] for i in range(0, len(parameters), len(PARAMETERS))]
    features, rows = each[0][3].shape[2], x.swapaxes(0, 1)
    inner, inner_bias, linear = (
        xp.concatenate([of[i].swapaxes(1, 2).reshape(-1, size) for of in each])
        for i, size in ((0, x.shape[1]), (1, 1), (3, x.shape[1]))
    )
    bias, slope, shift = (xp.concatenate([of[i].reshape(-1, features, 1) for of in each]) for i in (4, 5, 6))
    hidden = inner @ rows
    hidden += inner_bias
    xp.tanh(hidden, out=hidden)
    a = (linear @ rows).reshape(-1, features, len(x))
    a += bias
    for outer, of_seeds, units in _layers(each):
        a[of_seeds] += outer.swapaxes(1, 2) @ hidden[units].reshape(*outer.shape[:2], len(x))
    basis, own_basis = xp.tanh(slope * nodes + shift), xp.tanh(slope * score + shift)
    mass = -basis.swapaxes(1, 2) @ a
    least = 0.0
    if abs(a).sum(1).max() > SAFE:
        least = xp.amax(mass, 1)[:, None]
        mass -= least
    xp.exp(mass, out=mass)
    z = weights @ mass
    log_z = xp.log(z) if isinstance(least, float) else xp.log(z) + least[:, 0]
    kept = (score, x, nodes, weights, each, hidden, a, basis, own_basis, mass, z)
    return (a * own_basis).sum(1) + log_z, kept


def gradients(
    xp: Any,
    upstream: Any,
    score: Any,
    x: Any,
    nodes: Any,
    weights: Any,
    each: Any,
    hidden: Any,
    a: Any,
    basis: Any,
    own_basis: Any,
    mass: Any,
    z: Any,
) -> list[Any]:
    """Return the gradients of the ``PARAMETERS`` of each energy, for the gradient ``upstream`` of the losses.

    The gradient of log Z is that of −E, averaged over the tilted distribution.
    """
    features = a.shape[1]
    at, expected = upstream[:, None], (upstream / z)[:, None]
    of_a = ((-weights * basis) @ mass) * expected + at * own_basis
    of_basis = (a * expected) @ mass.swapaxes(1, 2) * -weights
    of_slope = of_basis * (1 - basis * basis)
    of_own_slope = at * a * (1 - own_basis * own_basis)
    slope, shift = of_slope @ nodes + of_own_slope @ score, of_slope.sum(2) + of_own_slope.sum(2)
    linear, bias = (of_a.reshape(-1, len(x)) @ x).reshape(-1, features, x.shape[1]), of_a.sum(2)
    found = []
    for outer, of_seeds, units in _layers(each):
        seeds, width = outer.shape[:2]
        own = hidden[units].reshape(seeds, width, len(x))
        of_hidden = (outer @ of_a[of_seeds]) * (1 - own * own)
        found += [
            (of_hidden @ x).swapaxes(1, 2),
            of_hidden.sum(2).reshape(seeds, 1, width),
            own @ of_a[of_seeds].swapaxes(1, 2),
            linear[of_seeds].swapaxes(1, 2),
            bias[of_seeds][:, None],
            slope[of_seeds],
            shift[of_seeds],
        ]
    return found


def _layers(each: Any) -> list[tuple[Any, slice, slice]]:
    """Return the outer weights of each energy, and the places of its seeds and of its hidden units."""
    found, seeds, units = [], 0, 0
    for of in each:
        outer = of[2]
        size = outer.shape[0] * outer.shape[1]
        found.append((outer, slice(seeds, seeds + len(outer)), slice(units, units + size)))
        seeds, units = seeds + len(outer), units + size
    return found
