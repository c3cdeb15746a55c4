"""Training of tilts by maximum likelihood, several energies at once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ebm_core.base.arguments import check_points
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.likelihood import have_formulas, negative_log_tilts, normaliser_error
from ebm_core.tilts.seeds import Fit, fit_together

LARGEST_ERROR = 0.01
"""Largest mean error of log Z in training, in nats, that is accepted."""


def fit_tilt(energy: BilinearEnergy, score: Tensor, x: Tensor, **options: Any) -> Fit:
    """Fit a tilt by maximum likelihood to normal scores under the base and inputs, in time order.

    The training runs on the device of ``x``. Its normaliser is computed with fewer panels than that of
    :class:`~ebm_core.tilts.tilted.TiltedDistribution`. A seed whose energy has become so steep that this
    normaliser is off by more than 0.01 nats gets the parameters of the start, and 0 as its best step.

    Parameters
    ----------
    energy : BilinearEnergy
        Energy of the tilt to start from. It is not changed.
    score : Tensor, shape (n,)
        Normal scores Φ⁻¹(Q(y)) of the outcomes under the base.
    x : Tensor, shape (n, inputs)
        Inputs.
    **options
        Keyword arguments of :func:`fit_seeds`: ``validation``, ``steps``, ``learning_rate``,
        ``weight_decay``, ``generator``, ``patience`` and ``checkpoint``.

    Returns
    -------
    Fit
        The trained energy, and the losses at the evaluations of the validation block. A loss is the mean of
        −log p + log q in nats, so it is below 0 if the tilt improves on the base.

    Raises
    ------
    FloatingPointError
        If training diverges, or if the energy at the start is too steep for the normaliser.
    ValueError
        If an option is not valid, if a score or an input is not finite, or if the checkpoint belongs to a fit
        with other options.

    Examples
    --------
    The scores depend on an input that the base does not use, so the tilt improves on the base.

    >>> import torch
    >>> from ebm_core import BilinearEnergy, fit_tilt
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(600, 1, generator=generator)
    >>> score = 0.6 * x[:, 0] + 0.8 * torch.randn(600, generator=generator)
    >>> energy = BilinearEnergy(1, hidden=4, features=4, seeds=2, generator=generator)
    >>> options = {"validation": 200, "steps": 60, "learning_rate": 0.05, "weight_decay": 0.0}
    >>> fit = fit_tilt(energy, score, x, generator=generator, **options)
    >>> bool((fit.validation.amin(0) < -0.05).all())
    True
    """
    return fit_tilts([energy], score, x, **options)[0]


def fit_tilts(energies: Sequence[BilinearEnergy], score: Tensor, x: Tensor, **options: Any) -> list[Fit]:
    """Fit several tilts to the same rows, with the same mini-batches, each as :func:`fit_tilt` does.

    One call for energies of different numbers of hidden units is faster than one call for each.

    Parameters
    ----------
    energies : sequence of BilinearEnergy
        Energies to start from, which are not changed. They are fitted faster if all have the same number of
        features φ(s).
    score, x, **options
        As in :func:`fit_tilt`.

    Returns
    -------
    list of Fit
        One for each energy.

    Raises
    ------
    FloatingPointError, ValueError
        As :func:`fit_tilt`.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import BilinearEnergy, fit_tilts
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(200, 1, generator=generator)
    >>> score = 0.6 * x[:, 0] + 0.8 * torch.randn(200, generator=generator)
    >>> energies = [BilinearEnergy(1, hidden, 4, 2, generator) for hidden in (0, 4)]
    >>> options = {"validation": 50, "steps": 20, "learning_rate": 0.05, "weight_decay": 0.0}
    >>> [fit.module.hidden for fit in fit_tilts(energies, score, x, generator=generator, **options)]
    [0, 4]
    """
    check_points("score", score, "(n,)")
    check_points("x", x, "(n, inputs)")
    if score.dim() != 1:
        raise ValueError(f"score: shape {tuple(score.shape)}; expected (n,)")
    for energy in energies:
        if x.shape != (len(score), energy.inputs):
            raise ValueError(
                f"x: shape {tuple(x.shape)}; expected (n, inputs), ({len(score)}, {energy.inputs})"
            )
    for name, tensor in (("score", score), ("x", x)):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has non-finite values; drop or correct those rows before training")

    formulas = have_formulas(energies, score, x)

    def loss(modules: Sequence[BilinearEnergy], rows: Tensor) -> Tensor:
        return negative_log_tilts(modules, score[rows], x[rows], formulas)

    identified = {"energies": list(energies), "score": score, "x": x}
    fits = fit_together(energies, loss, len(score), identified, device=x.device, **options)
    held_out = x[-options["validation"] :].cpu()
    return [_resolved(fit, energy, held_out) for fit, energy in zip(fits, energies, strict=True)]


def _resolved(fit: Fit, start: BilinearEnergy, x: Tensor) -> Fit:
    """Return the fit with the parameters of its start for each seed that is too steep for the panels."""
    steep = normaliser_error(fit.module, x) > LARGEST_ERROR
    if not steep.any():
        return fit
    before = dict(start.named_parameters())
    with torch.no_grad():
        for name, p in fit.module.named_parameters():
            p[steep] = before[name].cpu()[steep]
    worst = float(normaliser_error(fit.module, x).max())
    if worst > LARGEST_ERROR:
        raise FloatingPointError(
            f"energy: the normaliser of the energy at the start is off by {worst:.2g} nats, expected "
            f"{LARGEST_ERROR:g} or less, because the energy is too steep for the panels of the training; "
            "start from a flatter energy"
        )
    best = [0 if off else step for step, off in zip(fit.best_step, steep.tolist(), strict=True)]
    return replace(fit, best_step=best)
