"""Tables of the exceptions of the value at risk, and whether it is recalibrated."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tasks.reporting.comparison import row_class
from tasks.reporting.labels import model_name, text
from tasks.reporting.page import Cell, Row, Section, folded, paragraph, table
from tasks.reporting.verdict import Block, strongest, together
from tasks.scoring.predictive import TAIL_LEVELS
from tasks.scoring.scores import christoffersen, kupiec
from tasks.scoring.value_at_risk import FEWEST

SIGN = "Value at risk and expected shortfall are stated as outcomes, so that a loss is negative."

RECALIBRATED = (
    " The VaR and expected shortfall of the energy model on the test block are recalibrated: if past "
    "outcomes fell below its quantile more or less often than the level says, the quantile of a lower or "
    f"higher level is used instead, which follows from earlier forecasts alone and needs {FEWEST} of them. "
    "The plain quantile is shown beside it. The peers and the base have their plain quantiles."
)
"""How the value at risk differs from a quantile, if any of it is recalibrated."""

NOT_RECALIBRATED = (
    f" The VaR of the energy model is its plain quantile, not recalibrated: fewer than {FEWEST} earlier "
    "outcomes."
)
"""Why no value at risk differs from a quantile."""

CHARTED = (0.01, 0.05)
"""Levels of the value at risk in charts."""

FEW = 3
"""Most series whose tables are not summarised in one of all series."""


def tail_section(found: Sequence[Block]) -> Section:
    """Return a section with the tables of exceptions alone."""
    return Section("risk", "Risk", "Value at risk", tail_content(found))


def is_recalibrated(forecasts: pd.DataFrame) -> bool:
    """Return whether a value at risk of the energy model differs from its plain quantile."""
    ours = forecasts[forecasts["model"] == "ebm"]
    return any(
        not np.allclose(ours[f"var_{level:g}"], ours[f"q{level:.2f}"], atol=0, equal_nan=True)
        for level in CHARTED
    )


def beyond(ours: pd.DataFrame, level: float) -> np.ndarray:
    """Return whether each outcome is at or below the plain quantile of a level."""
    exceptions: np.ndarray = ours["pit"].to_numpy() <= level
    return exceptions


def plain_scores(ours: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the exceptions of the energy model's plain quantiles with their tests, by level."""
    found = {}
    for level in TAIL_LEVELS:
        below = beyond(ours, level)
        tests = {"kupiec_p": kupiec(below, level), "christoffersen_p": christoffersen(below)}
        found[f"{level:g}"] = {"hits": int(below.sum()), **tests}
    return found


def tail_content(found: Sequence[Block], forecasts: pd.DataFrame | None = None) -> str:
    """Return the number of outcomes below the lower tail quantiles of each model, with tests.

    ``forecasts`` are given if the VaR may be recalibrated.
    """
    rival, plain = strongest(found), None
    words = (
        "The value at risk (VaR) is the quantile of the forecast distribution below which the outcome falls "
        "with a probability of 1, 2.5 or 5 %. Outcomes at or below it are called exceptions, and a "
        f"calibrated forecast has about as many as that probability says. {SIGN}"
    )
    if forecasts is not None and is_recalibrated(forecasts):
        words += RECALIBRATED
        plain = plain_scores(forecasts[forecasts["model"] == "ebm"])
    elif forecasts is not None:
        words += NOT_RECALIBRATED
    if any(tail_tested(b) for b in found):
        words += (
            " The p-values are those of tests whether the number of exceptions (Kupiec) and their clustering "
            "in time (Christoffersen) could be chance. Below 0.05 the tail of the forecast is doubtful."
        )
    first, *others = [tail_table(b, rival, None if i else plain) for i, b in enumerate(found)]
    content = paragraph(words) + first
    if len(others) > FEW and len(together(found)) == 1:
        content += series_tails(found[1:])
    if others:
        each = "at each further lead" if len(together(found)) > 1 else "for each series"
        content += folded(f"Exceptions {each}", "".join(others))
    return content


def series_tails(found: Sequence[Block]) -> str:
    """Return a table of the exceptions of the energy model with a row for each series."""
    levels = list(found[0].models["ebm"]["var"])
    rows = []
    for b in found:
        cells = [Cell(f"{b.n:,}")]
        for level in levels:
            v = b.models["ebm"]["var"][level]
            note = f"p {text(v['kupiec_p'], 2)} / {text(v['christoffersen_p'], 2)}" if "kupiec_p" in v else ""
            cells.append(Cell(f"{v['hits']} of {text(b.n * float(level), 1)} expected", note))
        rows.append(Row(b.label, cells))
    return table(
        "Exceptions of the energy model by series. Below the number: p-values of Kupiec / Christoffersen.",
        ["Series", "forecasts", *(f"{100 * float(level):g} %" for level in levels)],
        rows,
    )


def tail_tested(block: Block) -> bool:
    """Return whether the number and clustering of outcomes in the tail were tested."""
    return any("kupiec_p" in score for score in block.models["ebm"]["var"].values())


def tail_table(block: Block, rival: str, plain: dict[str, dict[str, float]] | None = None) -> str:
    """Return a table of the exceptions of each model, with tests and the FZ₀ score.

    With ``plain``, exceptions of the energy model's plain quantiles are in a row of their own.
    """
    levels, tested = list(block.models["ebm"]["var"]), tail_tested(block)
    rows = []
    for m, score in block.models.items():
        if not score.get("var"):
            continue
        name, css = model_name(m), row_class(m, rival)
        if m == "ebm" and plain is not None:
            rows.append(
                Row(f"{name}, recalibrated", [tail_cell(score["var"][lv], tested) for lv in levels], css)
            )
            rows.append(Row(f"{name}, plain quantile", [tail_cell(plain[lv], tested) for lv in levels], css))
        else:
            rows.append(Row(name, [tail_cell(score["var"][lv], tested) for lv in levels], css))
    expected = [f"{100 * float(lv):g} %: {text(block.n * float(lv), 1)} expected" for lv in levels]
    label = f"{block.label}: exceptions" if block.label else "Exceptions"
    return table(
        f"{label} among {block.n:,} forecasts. Below the number: "
        + ("p-values of Kupiec / Christoffersen, and " if tested else "")
        + "FZ₀ (lower is better)"
        + (", which needs an expected shortfall and is of the recalibrated VaR alone." if plain else "."),
        ["Model", *expected],
        rows,
    )


def tail_cell(score: dict[str, float], tested: bool) -> Cell:
    """Return the number of exceptions with the p-values of its tests and the FZ₀ score, if there is one."""
    notes = [f"p {text(score['kupiec_p'], 2)} / {text(score['christoffersen_p'], 2)}"] if tested else []
    notes += [f"FZ₀ {text(score['fz0'], 3)}"] if "fz0" in score else []
    return Cell(f"{score['hits']:.0f}", ", ".join(notes))
