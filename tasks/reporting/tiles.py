"""Figures at the top of a report."""

from collections.abc import Sequence
from typing import Any

from tasks.reporting.labels import decimals, in_sentence, signed, text
from tasks.reporting.verdict import Block, crps_unit, strongest, together


def tiles(found: Sequence[Block], domain: Any, recalibrated: bool = False) -> list[tuple[str, str]]:
    """Return the figures at the top of the page, for all series together or for the shortest lead.

    ``recalibrated`` says whether the value at risk of the energy model is.
    """
    block, unit = found[0], crps_unit(domain)
    rival = strongest(found)
    ours, of = block.models["ebm"], ""
    if len(found) > 1:
        of = f", {block.label[:1].lower()}{block.label[1:]}" + (" ahead" if len(together(found)) > 1 else "")
    shown = [(text(ours["crps"], decimals([ours["crps"]], 4)), f"CRPS{', ' if unit else ''}{unit}{of}")]
    for peer, name in ((rival, f"{in_sentence(rival)}, its strongest rival"), ("base", "its own base")):
        paired = block.paired[peer]
        shown.append(
            (
                f"{signed(paired['crps_gain_pct'], 1)} %",
                f"gain in CRPS over {name}, t = {text(paired['crps']['t'], 1)}{of}",
            )
        )
    shown.append((f"{100 * ours['coverage']['0.9']:.1f} %", f"of outcomes inside the 90 % interval{of}"))
    if "var" in ours:
        hits = ours["var"]["0.01"]["hits"]
        expected = text(0.01 * block.n, 1)
        of_var = f"outcomes beyond the {'recalibrated ' * recalibrated}VaR at 1 %"
        shown.append((f"{hits} of {block.n:,}", f"{of_var}, {expected} expected{of}"))
    elif ours.get("acc") is not None:
        shown.append((text(ours["acc"], 2), f"anomaly correlation{of}"))
    gain = block.paired[rival]["log_score_gain"]
    shown.append((signed(gain), f"nats of log score over {in_sentence(rival)}{of}"))
    return shown
