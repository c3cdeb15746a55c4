"""The page of a backtest of joint paths: the same sections as a domain's, at a few of the steps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting import comparison
from tasks.reporting.labels import model_name, signed, text
from tasks.reporting.page import Cell, Row, Section, page, paragraph, table
from tasks.reporting.verdict import blocks, headline
from tasks.runtime.files import atomic_write
from tasks.userdata.joint_paths import OwnPaths


def write_report(
    target: Path, domain: OwnPaths, scores: dict[str, Any], forecasts: pd.DataFrame, notes: list[str]
) -> None:
    """Write ``report.html``: comparison, joint scores, calibration, gain over time, what was inferred."""
    leads = _few(domain.leads)
    shown = replace(domain, leads=leads)
    block = scores.get("pooled", scores)
    part = {**scores, "leads": {str(lead): block["leads"][str(lead)] for lead in leads}}
    part.pop("series", None)
    found = blocks(part, domain.frequency)
    few = forecasts[forecasts["lead"].isin(leads)]
    windows = forecasts["origin"].nunique()
    sentence = headline(found, shown, f"{windows} windows not used in fitting")
    sections = [
        Section("asked", "Question", "What was asked", paragraph(domain.question, "big") + _notes(notes)),
        comparison.comparison(found, part, shown),
        _joint(scores["joint"]),
        comparison.calibration(found, few, shown),
        comparison.over_time(few, shown),
    ]
    title = f"Basin: {domain.title}"
    html = page(title, f"Basin · {domain.title}", sentence, _notes(notes[-2:], plain=True), [], sections)
    with atomic_write(target) as (path,):
        path.write_text(html, encoding="utf-8")


def _few(leads: tuple[int, ...]) -> tuple[int, ...]:
    """At most five of the steps, first and last among them."""
    if len(leads) <= 5:
        return leads
    return tuple(sorted({leads[round(i * (len(leads) - 1) / 4)] for i in range(5)}))


def _notes(notes: list[str], plain: bool = False) -> str:
    return " ".join(f"{s}." for s in notes) if plain else "".join(paragraph(f"{s}.") for s in notes)


def _joint(joint: dict[str, Any]) -> Section:
    rows = []
    for model, found in joint["models"].items():
        cells = [Cell(text(found["crps"], 5)), Cell(text(found["crps_sum"], 5))]
        for name in ("crps", "crps_sum"):
            gain = joint["paired"].get(model, {}).get(name)
            if gain is None:
                cells.append(Cell(""))
                continue
            low, high = gain["interval"]
            cells.append(Cell(f"{signed(gain['gain_pct'], 1)} %", f"{text(low, 1)} to {text(high, 1)}"))
        rows.append(Row(model_name(model), cells, "model " + ("ebm" if model == "ebm" else "peer")))
    content = paragraph(
        "The paths of all series as one object: CRPS over series and steps, and CRPS of their sum, both "
        "relative to the size of the values (19 quantiles, as GluonTS computes them); the gain of the energy "
        "model with its 95 % interval by block bootstrap over the windows."
    )
    columns = ["Model", "CRPS", "CRPS of the sum", "gain, CRPS", "gain, sum"]
    content += table("Lower is better", columns, rows)
    return Section("joint", "Jointly", "All series together", content)
