"""Report of a backtest of joint sample paths, at no more than five of its steps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.reporting import comparison, trust
from tasks.reporting.exceptions import tail_section
from tasks.reporting.labels import count_of, model_name, signed, spaced, text
from tasks.reporting.page import Cell, Row, Section, page, paragraph, table
from tasks.reporting.tiles import tiles
from tasks.reporting.verdict import blocks, headline
from tasks.runtime.files import atomic_write
from tasks.userdata.joint_paths import OwnPaths

LEADS = 5
"""Most leads on the page."""


def write_report(
    target: Path, domain: OwnPaths, scores: dict[str, Any], forecasts: pd.DataFrame, notes: list[str]
) -> None:
    """Write ``report.html``: comparison, joint scores, calibration, gain over time, and the notes."""
    leads = tuple(spaced(domain.leads, LEADS))
    shown = replace(domain, leads=leads)
    block = scores.get("pooled", scores)
    part = {**scores, "leads": {str(lead): block["leads"][str(lead)] for lead in leads}}
    part.pop("series", None)
    found = blocks(part, domain.frequency)
    few = forecasts[forecasts["lead"].isin(leads)]
    windows = forecasts["origin"].nunique()
    sentence = headline(found, shown, f"{count_of(windows, 'window')} not used in fitting")
    sections = [
        Section("question", "Question", "What is forecast", paragraph(domain.question, "big")),
        comparison.comparison(found, part, shown),
        _joint(scores["joint"]),
        comparison.calibration(found, few, shown),
        tail_section(found),
        comparison.over_time(found, few, shown),
        trust.how_read(notes),
        trust.glossary(),
    ]
    title = f"Basin: {domain.title}"
    lead = " ".join(trust.as_sentence(note) for note in notes[-2:])
    html = page(title, f"Basin · {domain.title}", sentence, lead, tiles(found, shown), sections)
    with atomic_write(target) as (path,):
        path.write_text(html, encoding="utf-8")


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
            cells.append(Cell(f"{signed(gain['gain_pct'], 1)} %", f"{text(low, 1)} to {text(high, 1)} %"))
        rows.append(Row(model_name(model), cells, "model " + ("ebm" if model == "ebm" else "peer")))
    content = paragraph(
        "These scores judge the paths of all series together. One is the CRPS averaged over series and "
        "steps, the other the CRPS of the sum over series. Both are divided by the mean size of the values "
        "and computed from 19 quantiles, as in GluonTS. The gain is how far the energy model's score lies "
        "below that of the row, with a 95 % interval from a block bootstrap over the windows."
    )
    columns = ["Model", "CRPS", "CRPS of the sum", "gain in CRPS, %", "gain in CRPS of the sum, %"]
    content += table("Scores relative to the size of the values: lower is better.", columns, rows)
    return Section("joint", "Jointly", "All series together", content)
