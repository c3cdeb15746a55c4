"""Formula of the bilinear energy, for arrays of NumPy and for tensors of PyTorch.

:class:`~ebm_core.tilts.bilinear.BilinearEnergy` has parameters of the same names. ``xp`` is ``numpy`` or
``torch``, and the other arguments are its arrays.
"""

from typing import Any


def shapes(inputs: int, hidden: int, features: int, seeds: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter."""
    return {
        "inner_weight": (seeds, inputs, hidden),
        "inner_bias": (seeds, 1, hidden),
        "outer_weight": (seeds, hidden, features),
        "linear_weight": (seeds, inputs, features),
        "bias": (seeds, 1, features),
        "score_weight": (seeds, features),
        "score_bias": (seeds, features),
    }


def coefficients(
    xp: Any,
    x: Any,
    inner_weight: Any,
    inner_bias: Any,
    outer_weight: Any,
    linear_weight: Any,
    bias: Any,
) -> Any:
    """Return a(x) = A₂ tanh(A₁ x + b₁) + A₀ x + b₀ ``(seeds, n, features)`` of inputs ``(n, inputs)``."""
    linear = _seeds_first(x @ _columns(linear_weight), len(bias)) + bias
    if not outer_weight.shape[1]:
        return linear
    hidden = xp.tanh(x @ _columns(inner_weight) + inner_bias.reshape(-1))
    return linear + _seeds_first(hidden, len(bias)) @ outer_weight


def basis(xp: Any, score: Any, score_weight: Any, score_bias: Any) -> Any:
    """Return φ(s) = tanh(w s + v) ``(seeds, *score.shape, features)`` of normal scores."""
    seeds, features = score_weight.shape
    weight, bias = (each.reshape(seeds, *(1,) * score.ndim, features) for each in (score_weight, score_bias))
    return xp.tanh(score[..., None] * weight + bias)


def energies(xp: Any, a: Any, phi: Any) -> Any:
    """Return a(x) · φ(s) ``(seeds, *sample, n)``, for scores ``(*sample, n)`` or ``(*sample, 1)``."""
    if phi.shape[-2] == 1:
        return xp.einsum("snf,s...f->s...n", a, phi.squeeze(-2))
    return xp.einsum("snf,s...nf->s...n", a, phi)


def _columns(weight: Any) -> Any:
    """Return weights ``(seeds, inputs, k)`` as one matrix ``(inputs, seeds · k)``.

    One product for all seeds is several times faster than one for each.
    """
    return weight.swapaxes(0, 1).reshape(weight.shape[1], weight.shape[0] * weight.shape[2])


def _seeds_first(rows: Any, seeds: int) -> Any:
    """Return values ``(n, seeds · k)`` as ``(seeds, n, k)``."""
    return rows.reshape(len(rows), seeds, rows.shape[1] // seeds).swapaxes(0, 1)
