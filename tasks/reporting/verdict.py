"""Headline of a report: scores by block, and a sentence on how the energy model compares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting.labels import in_sentence, listed, periods, series_name, signed, text

CLEAR = 2.0
"""Number of standard errors from zero at which a difference is called clear."""


@dataclass(frozen=True)
class Block:
    """Scores of all models on one set of forecasts: those of a lead, of a series, or of all series."""

    label: str
    n: int
    models: dict[str, dict[str, Any]]
    paired: dict[str, dict[str, float]]


def blocks(scores: dict[str, Any], frequency: str) -> list[Block]:
    """Return the scores at each lead, first of all series together and then of each series."""
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
    """Return ``better``, ``worse`` or ``no clear difference``, according to the t statistic.

    Models whose scores are the same in every forecast are ``equal``.
    """
    if difference.get("equal"):
        return "equal"
    if abs(difference["t"]) < CLEAR:
        return "no clear difference"
    return "better" if difference["t"] > 0 else "worse"


def headline(found: Sequence[Block], domain: Any, unseen: str) -> str:
    """Return a sentence that compares the energy model with the reference and with its base.

    ``unseen`` names the dates of the comparison, such as "1,258 trading days not used in fitting".
    """
    reference, base = in_sentence(domain.reference), "its own untilted base"
    if len(domain.leads) == 1:
        against, own = found[0].paired[domain.reference], found[0].paired["base"]
        verb = {
            "better": "beat",
            "worse": "lost to",
            "no clear difference": "was not clearly different from",
            "equal": "was equal to",
        }
        joined = "and" if clear(against) == clear(own) else "but"
        second = {"better": "clearly better than", "worse": "worse than", "equal": "equal to"}.get(
            clear(own), "not clearly different from"
        )
        return (
            f"On {unseen} the energy model {verb[clear(against)]} {reference} ({amount(against)}), "
            f"{joined} it is {second} {base} ({amount(own)}).{losses(found[1:], domain)}"
        )
    best = max(found, key=lambda b: b.paired[domain.reference]["t"])
    which = "most clearly" if clear(best.paired[domain.reference]) == "better" else "highest t"
    return (
        f"On {unseen} the energy model was {over_leads(found, domain.reference)} {reference} ({which} "
        f"{best.label} ahead: {amount(best.paired[domain.reference])}), and {over_leads(found, 'base')} "
        f"{base}.{losses(found, domain)}"
    )


def losses(found: Sequence[Block], domain: Any) -> str:
    """Return a sentence on the series or leads at which the model is clearly worse, or an empty string."""
    lost = [
        f"{b.label} than {words} ({amount(b.paired[peer])})"
        for b in found
        for peer, words in ((domain.reference, in_sentence(domain.reference)), ("base", "its own base"))
        if clear(b.paired[peer]) == "worse"
    ]
    return f" It is worse at {listed(lost)}." if lost else ""


def amount(difference: dict[str, float]) -> str:
    return f"{signed(difference['log_score_gain'])} nats a forecast, t = {text(difference['t'], 1)}"


def over_leads(found: Sequence[Block], peer: str) -> str:
    """Return a phrase that counts the leads with a clear difference from ``peer``.

    An example is ``clearly better at 3 of 5 leads than``.
    """
    outcome = [clear(b.paired[peer]) for b in found]
    better, worse = outcome.count("better"), outcome.count("worse")
    if not better and not worse:
        return f"at none of {len(found)} leads clearly different from"
    first = f"clearly better at {better}" if better else ""
    last = f"clearly worse at {worse}" if worse else ""
    return f"{' and '.join(filter(None, (first, last)))} of {len(found)} leads than"


def holm(p: dict[Any, float]) -> dict[Any, float]:
    """Return p-values corrected for several tests by the method of Holm (1979).

    The k-th smallest of n is multiplied by n − k + 1, and is at least as large as the one before it.
    """
    adjusted, least = {}, 0.0
    for k, name in enumerate(sorted(p, key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - k) * p[name]))
        adjusted[name] = least
    return adjusted


def short_unit(domain: Any) -> str:
    """Return the unit without its explanation in brackets."""
    return without_brackets(domain.unit)


def without_brackets(unit: str) -> str:
    return unit.split(" (")[0]
