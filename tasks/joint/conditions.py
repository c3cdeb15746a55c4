"""What the joint energy knows before each date: the state of the cross-section and of its members."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import signal

from ebm_core.tilts.cross_section import STATISTICS, Conditions, member_terms

REMEMBERED = ("radius", "size", "market share", "members' tails", "members at the centre")
"""Statistics whose averages over the past are states."""

HALF_LIVES = (10, 100)
"""Half-lives, in rows, of these averages."""

BOUND = 3.0
"""Bound of standardised states and of the members' coefficients."""


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation ``(states,)`` of the states in the rows that a tilt learned from."""

    mean: np.ndarray
    spread: np.ndarray


def past_average(values: np.ndarray, half_life: float) -> np.ndarray:
    """Return exponential averages ``(rows + 1, *)`` of the rows before each row, which begin with 0."""
    decay = 0.5 ** (1 / half_life)
    padded = np.concatenate([np.zeros_like(values[:1]), (1 - decay) * values])
    found: np.ndarray = signal.lfilter([1], [1, -decay], padded, axis=0)
    return found


def raw_states(
    standard: np.ndarray, x: np.ndarray, correlation: np.ndarray, scale: np.ndarray, market: np.ndarray
) -> np.ndarray:
    """Return the states ``(rows + 1, 15)`` before standardisation.

    They are the mean log scale of the marginals and the mean correlation of the coming row, the log ratio of
    the market's scale by its own volatility model to that by scales and correlations, the move of the market
    in the last row and its average, and averages of past statistics. ``standard`` ``(rows, statistics)`` are
    standardised statistics and ``x`` standardised values. ``correlation``, ``scale`` and ``market`` have one
    row more, for the row to come.
    """
    d = x.shape[1]
    mean = (correlation.sum((1, 2)) - d) / (d * (d - 1))
    move = x.mean(axis=1) / np.sqrt((mean[:-1] * (d - 1) + 1) / d)
    columns = [STATISTICS.index(name) for name in REMEMBERED]
    past = [past_average(np.clip(standard[:, columns], -5, 5), half_life) for half_life in HALF_LIVES]
    implied = np.sqrt(np.einsum("ti,tij,tj->t", scale, correlation, scale)) / d
    now = [
        np.log(scale).mean(axis=1),
        np.arctanh(np.clip(mean, -0.9, 0.9)),
        np.nan_to_num(np.log(market / implied)),
        np.append(0.0, np.tanh(move / 2)),
        np.tanh(3 * past_average(move, 20)),
    ]
    return np.column_stack([*now, *past])


def scaling_of(states: np.ndarray) -> Scaling:
    """Return the scaling of the states of the rows that a tilt learns from."""
    return Scaling(states.mean(axis=0), np.maximum(states.std(axis=0), 1e-9))


def conditions(states: np.ndarray, w: np.ndarray, scaling: Scaling) -> Conditions:
    """Return the conditions of each row of whitened coordinates ``w`` ``(rows, d)`` and of the row to come.

    Coefficients of the members are, for the size, averages of their past sizes in comparison with those of
    all, and for the sign, their last coordinate and averages of it.
    """

    def bounded(values: np.ndarray) -> np.ndarray:
        return np.clip(values, -BOUND, BOUND)

    size, sign = (term.numpy() for term in member_terms(torch.as_tensor(w)))
    sizes = [past_average(size, half_life) for half_life in (10, 60)]
    sizes = [5 * (average - average.mean(axis=1, keepdims=True)) for average in sizes]
    last = np.concatenate([np.zeros_like(w[:1]), sign])
    signs = [last, 2 * past_average(w, 5), 5 * past_average(w, 60), 8 * past_average(sign, 250)]
    return Conditions(
        torch.as_tensor(bounded((states - scaling.mean) / scaling.spread)),
        torch.as_tensor(np.stack([bounded(average) for average in sizes], axis=1)),
        torch.as_tensor(np.stack([bounded(average) for average in signs], axis=1)),
    )
