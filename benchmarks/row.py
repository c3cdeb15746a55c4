"""One figure that a benchmark measures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Comparison:
    """Basin's model beside the best other model of the same run.

    Parameters
    ----------
    of: what is forecast or recognised.
    measure: name of the score, with its unit.
    peer: name of the best other model.
    theirs: its score; None if only the difference is on record.
    ours: the score of Basin's model, or None in the same way.
    gain: by how much Basin's model is better; negative where it is worse.
    interval: lower and upper bound of ``gain``, 95 %; None if there is none.
    unit: unit of ``gain`` where it is not that of the score.
    digits: decimals to print.
    """

    of: str
    measure: str
    peer: str
    theirs: float | None
    ours: float | None
    gain: float
    interval: tuple[float, float] | None
    unit: str = ""
    digits: int = 3


@dataclass(frozen=True)
class Row:
    """A measured figure and its target.

    Parameters
    ----------
    what: description of the figure that can be understood by itself.
    target: target as text, or ``shown`` if there is none.
    measured: figure as text, with those of peers if there are any.
    met: whether the target is met; true if there is none.
    value: figure as a number.
    unit: unit of ``value``, such as ``s`` or ``nats``.
    interval: lower and upper bound of a confidence interval for ``value``.
    comparison: the figure beside the best other model.
    """

    what: str
    target: str
    measured: str
    met: bool
    value: float | None = None
    unit: str | None = None
    interval: tuple[float, float] | None = None
    comparison: Comparison | None = None


def peers(models: Iterable[str]) -> list[str]:
    """The models that are not Basin's own: neither ``ebm``, nor a variant of it, nor its base."""
    return [name for name in models if name != "base" and not name.startswith("ebm")]


def over_best_peer(of: str, block: Mapping[str, Any]) -> Comparison:
    """Log scores of a block of ``scores.json`` beside the best other model, by its paired test."""
    models = block["models"]
    peer = max(peers(models), key=lambda name: float(models[name]["log_score"]))
    paired = block["paired"][peer]
    gain = paired["log_score_gain"]
    theirs, ours = models[peer]["log_score"], models["ebm"]["log_score"]
    return Comparison(of, "log score, nats", peer, theirs, ours, gain, bounds(gain, paired["se"]), digits=4)


def bounds(gain: float, se: float) -> tuple[float, float]:
    """The 95 % interval of a mean by its standard error."""
    return gain - 1.96 * se, gain + 1.96 * se
