"""One figure that a benchmark measures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


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

    @classmethod
    def paired(
        cls,
        of: str,
        measure: str,
        scores: Mapping[str, float],
        peer: str,
        gain: float,
        se: float,
        digits: int = 3,
    ) -> Self:
        """Compare the scores of ``ebm`` and a peer by the mean of their paired differences and its error."""
        theirs, ours = float(scores[peer]), float(scores["ebm"])
        return cls(of, measure, peer, theirs, ours, gain, (gain - 1.96 * se, gain + 1.96 * se), digits=digits)


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
    """Compare log scores of a block of ``scores.json`` with the best other model, by its paired test."""
    scores = {name: float(found["log_score"]) for name, found in block["models"].items()}
    peer = max(peers(scores), key=lambda name: scores[name])
    paired = block["paired"][peer]
    return Comparison.paired(
        of, "log score, nats", scores, peer, paired["log_score_gain"], paired["se"], digits=4
    )
