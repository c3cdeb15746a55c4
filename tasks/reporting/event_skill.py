"""Report section on probabilities of events: reliability diagrams, Brier skill and AUROC."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.reporting import charts, risk_charts
from tasks.reporting.comparison import row_class
from tasks.reporting.forecast import in_words
from tasks.reporting.labels import model_name, text
from tasks.reporting.page import Cell, Row, Section, folded, pair, paragraph, table
from tasks.reporting.verdict import Block, strongest, together
from tasks.scoring.categories import chance, occurs

BINS = np.linspace(0, 1, 11)
"""Edges of the bins of a reliability diagram."""

SIMULATED = 2000
"""Draws of outcomes from the probabilities, from which the consistency intervals follow."""


def event_skill(found: Sequence[Block], forecasts: pd.DataFrame) -> Section | None:
    """Return the section, or None if no event was scored."""
    whole = [b for b in together(found) if b.events]
    if not whole:
        return None
    rival = strongest(found)
    ours = forecasts[forecasts["model"] == "ebm"]
    ends = [whole[0], whole[-1]] if len(whole) > 1 else whole
    figures = [diagram(ours[ours["lead"] == b.lead], e, b) for e in (whole[0].events or {}) for b in ends]
    content = paragraph(
        "A forecast of an event is reliable if the event follows as often as its probability says. Each dot "
        "is a group of dates with similar probabilities, and below it is their number. The grey bars are "
        "90 % consistency intervals: reliable forecasts have nine in ten dots inside them, if dates are "
        "independent (Bröcker and Smith 2007). The dotted line is the base rate of the event before the "
        "test block."
    )
    content += "".join(pair(*figures[i : i + 2]) for i in range(0, len(figures), 2))
    first, *others = [event_table(b, event, rival) for event in (whole[0].events or {}) for b in whole]
    content += paragraph(
        "The Brier skill is that over the base rate of the season before the test block. The AUROC is the "
        "probability that a date with the event has a higher forecast than one without (0.5 is chance)."
    )
    content += first + (folded("Further leads and events", "".join(others)) if others else "")
    return Section("events", "Events", "Probabilities of events", content)


def diagram(rows: pd.DataFrame, event: str, block: Block) -> str:
    """Return the reliability diagram of an event at one lead."""
    points = reliability_points(chance(rows, event), occurs(rows["observed"].to_numpy(), event))
    counted = (block.events or {})[event]
    return charts.figure(
        risk_charts.reliability(points, 100 * counted["base_rate"], "forecast probability, %"),
        f"Anomaly {in_words(event)}, {block.label} ahead: {counted['n']} of {len(rows)} dates had the event.",
        f"Reliability of the probability of an anomaly {in_words(event)}, {block.label} ahead",
        [
            ("ebm", "energy model"),
            ("band", "90 % consistency interval"),
            ("ideal", "reliable"),
            ("now", "base rate"),
            ("bar", "number of dates"),
        ],
    )


def reliability_points(
    probability: np.ndarray, happened: np.ndarray
) -> list[tuple[float, float, int, float, float]]:
    """Return (mean probability, share of events, count, low, high) of each bin with forecasts, in per cent.

    The share of events of reliable forecasts lies between low and high in 90 % of the cases. Reference:
    Bröcker and Smith (2007), Increasing the reliability of reliability diagrams, Weather and Forecasting 22.
    """
    rng = np.random.default_rng(0)
    place = np.clip(np.digitize(probability, BINS[1:-1]), 0, len(BINS) - 2)
    points = []
    for number in np.unique(place):
        inside = place == number
        p = probability[inside]
        drawn = (rng.random((SIMULATED, len(p))) < p).mean(axis=1)
        low, high = np.quantile(drawn, [0.05, 0.95])
        share = float(happened[inside].mean())
        points.append(
            (100 * float(p.mean()), 100 * share, int(inside.sum()), 100 * float(low), 100 * float(high))
        )
    return points


def event_table(block: Block, event: str, rival: str) -> str:
    """Return a table of Brier skill and AUROC of an event by model."""
    counted = (block.events or {})[event]
    rows = []
    for m, score in counted["models"].items():
        interval = score["auroc_interval"]
        between = f"{text(interval[0], 3)} to {text(interval[1], 3)}" if interval else ""
        cells = [Cell(text(score["brier_skill"], 3)), Cell(text(score["auroc"], 3), between)]
        rows.append(Row(model_name(m), cells, row_class(m, rival)))
    return table(
        f"Anomaly {in_words(event)}, {block.label} ahead. {counted['n']} of {block.n:,} forecasts were of "
        f"dates with the event ({100 * counted['n'] / block.n:.0f} %). Before the test block it was "
        f"{100 * counted['base_rate']:.0f} % of the dates. Below the AUROC: its 95 % interval, from a "
        "bootstrap of blocks of dates.",
        ["Model", "Brier skill", "AUROC"],
        rows,
    )
