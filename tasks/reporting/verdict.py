"""Headline of a report: scores by block, the strongest rival, and how the energy model compares with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting.labels import decimals, listed, named_unit, periods, series_name, text, with_article

CLEAR = 2.0
"""Number of standard errors from zero at which a difference is called clear."""

NAMED = 3
"""Most series or leads that a sentence names."""


@dataclass(frozen=True)
class Block:
    """Scores of all models on one set of forecasts: those of a lead, of a series, or of all series.

    ``series`` is empty for the only series, and for all series together.
    """

    label: str
    n: int
    models: dict[str, dict[str, Any]]
    paired: dict[str, dict[str, Any]]
    lead: int = 1
    series: str = ""
    events: dict[str, Any] | None = None


def blocks(scores: dict[str, Any], frequency: str) -> list[Block]:
    """Return the scores at each lead, first of all series together and then of each series."""
    if "leads" in scores:
        groups = [("", "", scores)]
    else:
        together = "Both together" if len(scores["series"]) == 2 else "All together"
        groups = [(together, "", scores["pooled"])]
        groups += [(series_name(name), name, part) for name, part in scores["series"].items()]
    found = []
    for label, series, part in groups:
        for lead, block in part["leads"].items():
            ahead = periods(frequency, int(lead))
            name = label if label and len(part["leads"]) == 1 else f"{label} {ahead}".strip()
            models, paired = _with_nan(block["models"]), _with_nan(block["paired"])
            n = int(block.get("n", part.get("n", scores.get("n", 0))))
            events = block.get("events")
            found.append(Block(name, n, models, paired, int(lead), series, events))
    return found


def _with_nan(scores: Any) -> Any:
    """Return scores with NaN in place of None, which stands in ``scores.json`` for one that is not finite.

    The anomaly correlation is the only score that may not exist.
    """
    if isinstance(scores, dict):
        return {key: value if key == "acc" else _with_nan(value) for key, value in scores.items()}
    return math.nan if scores is None else scores


def together(found: Sequence[Block]) -> list[Block]:
    """Return the blocks of the only series, or of all series together, one for each lead."""
    return [block for block in found if not block.series]


def strongest(found: Sequence[Block]) -> str:
    """Return the strongest rival: the peer with the lowest CRPS over the test block, as a mean over leads.

    The base is no rival, because it is a part of the model. The choice uses the test block itself, so that it
    favours the rival.
    """
    crps = [block.models for block in together(found)]
    peers = [model for model in crps[0] if model not in ("ebm", "base")]
    return min(peers, key=lambda model: or_infinity(sum(models[model]["crps"] for models in crps)))


def or_infinity(loss: float) -> float:
    """Return a loss for comparisons, in which one that is not finite is the largest."""
    return loss if math.isfinite(loss) else math.inf


def clear(difference: dict[str, Any]) -> str:
    """Return ``better``, ``worse`` or ``no clear difference``, according to the t statistic.

    Models whose scores are the same in every forecast are ``equal``.
    """
    if difference.get("equal"):
        return "equal"
    if not abs(difference["t"]) >= CLEAR:  # also if t is NaN
        return "no clear difference"
    return "better" if difference["t"] > 0 else "worse"


def headline(found: Sequence[Block], domain: Any, unseen: str) -> str:
    """Return a sentence that compares the CRPS of the energy model with that of its rival and of its base.

    ``unseen`` names the dates of the comparison, such as "1,258 trading days not used in fitting".
    """
    rival = strongest(found)
    named, base = f"{with_article(rival)}, its strongest rival", "its own untilted base"
    whole = together(found)
    if len(whole) == 1:
        against, own = (clear(whole[0].paired[peer]["crps"]) for peer in (rival, "base"))
        verb = {
            "better": "beat",
            "worse": "lost to",
            "no clear difference": "was not clearly different from",
            "equal": "was equal to",
        }
        joined = "and" if against == own else "but"
        second = {"better": "clearly better than", "worse": "worse than", "equal": "equal to"}.get(
            own, "not clearly different from"
        )
        return (
            f"On {unseen} the energy model {verb[against]} {named} ({amount(whole[0], rival, domain)}), "
            f"{joined} it is {second} {base} ({amount(whole[0], 'base', domain)})."
            f"{losses(found[1:], rival, domain)}"
        )
    return (
        f"On {unseen} the energy model was {over_leads(whole, rival)} {named} "
        f"({mean_crps(whole, rival, domain)} as a mean over leads), and {over_leads(whole, 'base')} {base}."
        f"{losses(found, rival, domain)}"
    )


def losses(found: Sequence[Block], rival: str, domain: Any) -> str:
    """Return a sentence on the series or leads at which the model is clearly worse, or an empty string."""
    lost = [
        f"{b.label} than {words} ({amount(b, peer, domain)})"
        for b in found
        for peer, words in ((rival, with_article(rival)), ("base", "its own base"))
        if clear(b.paired[peer]["crps"]) == "worse"
    ]
    if len(lost) > NAMED:
        lost = [*lost[:NAMED], f"in {len(lost) - NAMED} further comparisons"]
    return f" It is worse at {listed(lost)}." if lost else ""


def amount(block: Block, peer: str, domain: Any) -> str:
    """Return both CRPS with their unit, and the t of their difference."""
    return f"{mean_crps([block], peer, domain)}, t = {text(block.paired[peer]['crps']['t'], 1)}"


def mean_crps(found: Sequence[Block], peer: str, domain: Any) -> str:
    """Return the mean CRPS of the model and of a peer over blocks, with the unit."""
    ours, theirs = (sum(b.models[m]["crps"] for b in found) / len(found) for m in ("ebm", peer))
    shown, unit = decimals([ours, theirs], 4), crps_unit(domain)
    return f"CRPS {text(ours, shown)} against {text(theirs, shown)}{' ' if unit else ''}{unit}"


def over_leads(found: Sequence[Block], peer: str) -> str:
    """Return a phrase that counts the leads with a clear difference from ``peer``.

    An example is ``clearly better at 3 of 5 leads than``.
    """
    outcome = [clear(b.paired[peer]["crps"]) for b in found]
    better, worse = outcome.count("better"), outcome.count("worse")
    if outcome.count("equal") == len(found):
        return f"at all {len(found)} leads equal to"
    if not better and not worse:
        return f"at none of {len(found)} leads clearly different from"
    first = f"clearly better at {better}" if better else ""
    last = f"clearly worse at {worse}" if worse else ""
    return f"{' and '.join(filter(None, (first, last)))} of {len(found)} leads than"


def holm(p: dict[Any, float]) -> dict[Any, float]:
    """Return p-values corrected for several tests by the method of Holm (1979).

    The k-th smallest of n is multiplied by n − k + 1, and is at least as large as the one before it. NaN, of
    a test that could not be made, stays NaN.
    """
    adjusted, least = {}, 0.0
    for k, name in enumerate(sorted(p, key=lambda name: or_infinity(p[name]))):
        least = max(least, min(1.0, (len(p) - k) * p[name]))
        adjusted[name] = least if math.isfinite(p[name]) else math.nan
    return adjusted


def short_unit(domain: Any) -> str:
    """Return the unit without its explanation in brackets."""
    return without_brackets(domain.unit)


def crps_unit(domain: Any) -> str:
    """Return the unit of the CRPS, which is that of the values, or an empty string if it is not known."""
    unit = short_unit(domain).removesuffix("anomaly").rstrip().removesuffix(" from the origin")
    return "" if unit.startswith("change") else unit


def in_unit(domain: Any) -> str:
    """Return the unit of the CRPS for use in a sentence, such as ``in °C``."""
    return f"in {named_unit(crps_unit(domain))}"


def without_brackets(unit: str) -> str:
    return unit.split(" (")[0]
