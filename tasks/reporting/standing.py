"""Where the energy model stands: scores as comparable blocks, and the sentence that sums them up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting.words import in_sentence, periods, series_name, signed, text

CLEAR = 2.0
"""A difference counts as clear when it is two standard errors from zero."""


@dataclass(frozen=True)
class Block:
    """One set of forecasts on which all models were scored: a lead, a series, or all series together."""

    label: str
    n: int
    models: dict[str, dict[str, Any]]
    paired: dict[str, dict[str, float]]


def blocks(scores: dict[str, Any], frequency: str) -> list[Block]:
    """Columns of the score tables: all series together first, then each; or each lead of a single series."""
    if "leads" in scores:
        groups = [("", scores)]
    else:
        groups = [("Both together" if len(scores["series"]) == 2 else "All together", scores["pooled"])]
        groups += [(series_name(name), part) for name, part in scores["series"].items()]
    found = []
    for label, part in groups:
        for lead, block in part["leads"].items():
            ahead = periods(frequency, int(lead))
            name = label if label and len(part["leads"]) == 1 else f"{label} {ahead}".strip()
            n = int(block.get("n", part.get("n", scores.get("n", 0))))
            found.append(Block(name, n, block["models"], block["paired"]))
    return found


def clear(difference: dict[str, float]) -> str:
    """``better``, ``worse``, or ``no clear difference``, by t."""
    if abs(difference["t"]) < CLEAR:
        return "no clear difference"
    return "better" if difference["t"] > 0 else "worse"


def headline(found: Sequence[Block], domain: Any, unseen: str) -> str:
    """One sentence: did the energy model beat the reference, by how much, and is it better than its base."""
    reference, base = in_sentence(domain.reference), "its own untilted base"
    if len(domain.leads) == 1:
        paired = found[0].paired
        against = paired[domain.reference]
        verb = {"better": "beat", "worse": "lost to", "no clear difference": "was not clearly different from"}
        amount = f"by {text(abs(against['log_score_gain']), 3)} nats a forecast (t = {text(against['t'], 1)})"
        own = paired["base"]
        improved = {
            "better": f"and it is clearly better than {base}",
            "worse": f"but it is worse than {base}",
            "no clear difference": f"but it is not clearly different from {base}",
        }[clear(own)]
        return (
            f"On {unseen} the energy model {verb[clear(against)]} {reference} {amount}, {improved} "
            f"({signed(own['log_score_gain'])} nats, t = {text(own['t'], 1)})."
        )

    def count(peer: str) -> str:
        outcome = [clear(b.paired[peer]) for b in found]
        words = f"clearly better at {outcome.count('better')} of {len(found)} leads"
        return words + (f" and worse at {outcome.count('worse')}" if "worse" in outcome else "")

    best = max(found, key=lambda b: b.paired[domain.reference]["t"])
    gain = best.paired[domain.reference]
    return (
        f"On {unseen} the energy model was {count(domain.reference)} than {reference}, at best by "
        f"{text(gain['log_score_gain'], 2)} nats a forecast {best.label} ahead (t = {text(gain['t'], 1)}); "
        f"against {base} it was {count('base')}."
    )


def holm(p: dict[str, float]) -> dict[str, float]:
    """p-values for several tests at once: the k-th smallest of n times n − k + 1, never falling. Holm "
    "(1979)."""
    adjusted, least = {}, 0.0
    for k, name in enumerate(sorted(p, key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - k) * p[name]))
        adjusted[name] = least
    return adjusted


def short_unit(domain: Any) -> str:
    return str(domain.unit).split(" (")[0]
