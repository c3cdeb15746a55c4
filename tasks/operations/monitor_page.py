"""The monitoring page of a domain: is the model still what it was, and what do today's data look like?"""

from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.comparison import year_marks, years
from tasks.reporting.labels import series_name, signed, text
from tasks.reporting.page import Cell, Pill, Row, Section, page, paragraph, table

SHOWN = 10
"""Inputs in the table of drift."""


def monitoring_page(domain: Any, found: dict[str, Any], days: pd.DataFrame) -> str:
    """HTML of what ``tasks.operations.monitor.monitor`` found; ``days`` are the outcomes it kept."""
    if found["schema"]:
        lead = f"The data of {found['as_of']} break the domain's suite; nothing else was looked at."
        section = Section("schema", "Data", "What the data broke", paragraph(found["schema"]))
        return page(
            f"{domain.title}: monitoring",
            "Monitoring",
            "The data are not as they should be",
            lead,
            [],
            [section],
        )
    headline = "Fit it again" if found["breach"] else "As it was scored"
    lead = (
        f"{domain.title}, {found['as_of']}: version {found['version']}, fitted on data up to "
        f"{found['fitted']}, {'does not forecast' if found['breach'] else 'forecasts'} as when scored."
    )
    tiles = [
        (f"{found['days']}", "days judged"),
        (f"{found['detector']:,.0f}", f"evidence of change; {found['threshold']:,.0f} is a breach"),
    ]
    if found["days"]:
        tiles += [
            (f"{100 * found['coverage']['0.9']:.0f} %", "of outcomes inside the 90 % interval"),
            (signed(found["gain_over_base"]), "nats a day over the base"),
        ]
    sections = [_evidence(days, found), _energy(found), _drift(found["drift"])]
    return page(f"{domain.title}: monitoring", "Monitoring", headline, lead, tiles, sections)


def _evidence(days: pd.DataFrame, found: dict[str, Any]) -> Section:
    from tasks.operations.change_detector import detector_path

    words = (
        "The evidence bets every day against the model and grows without bound once outcomes are no longer "
        "spread over the forecasts as they were when it was scored; a model that did not change reaches "
        f"{found['threshold']:,.0f} in one of twenty years of daily looks."
    )
    content = paragraph(words)
    path = detector_path(days)
    if len(path) > 1:
        across = years(path.index)
        height = float(np.log10(found["threshold"]))
        levels = np.log10(np.maximum(path.to_numpy(), 0.1)).tolist()
        drawn = charts.lines(
            [
                ("ebm", list(zip(across, levels, strict=True))),
                ("ideal", [(across[0], height), (across[-1], height)]),
            ],
            "log10 of the evidence",
            "",
            year_marks(across[0], across[-1]),
        )
        figure = charts.figure(
            drawn,
            "Evidence of change, all outcomes since the first look, every version in its time.",
            "Evidence of change over time with the threshold of a breach",
            [("ebm", "evidence"), ("ideal", "breach")],
            charts.WIDE,
        )
        content += f'<div class="card">{figure}</div>'
    return Section("realised", "Outcomes", "Outcomes against forecasts", content)


def _energy(found: dict[str, Any]) -> Section:
    rows = [
        Row(
            series_name(name),
            [
                Cell(day["time"]),
                Cell(text(day["nats"], 2)),
                Cell(f"{100 * day['share_below']:.0f} %"),
                Pill("warn" if day["unusual"] else "pass"),
            ],
        )
        for name, day in found["energy"].items()
    ]
    content = paragraph("−log p of what happened, and the share of the scored days that had less of it.")
    if rows:
        content += table(
            "Energy of the last day", ["Series", "day", "energy, nats", "scored days below", ""], rows
        )
    else:
        content += paragraph("No outcome has come in since the model was fitted.")
    return Section("energy", "Energy", "The energy of the day", content)


def _drift(drifts: list[dict[str, Any]]) -> Section:
    content = paragraph(
        "The inputs of the last rows against the training rows. p: the share of equally long windows of the "
        "training rows that differ as much; q: in how many of them any input differs as much. Drift alone is "
        "no breach: inputs leave their range in every crisis, and a forecast that holds needs no new model."
    )
    rows = [
        Row(
            f"{series_name(entry['series'])}: {entry['column'].removeprefix('x_')}",
            [
                Cell(text(entry["psi"], 2)),
                Cell(text(entry["ks"], 2)),
                Cell(text(min(entry["psi_p"], entry["ks_p"]), 3)),
                Cell(text(entry["q"], 3)),
                Pill("warn" if entry["drifted"] else "pass"),
            ],
        )
        for entry in drifts[:SHOWN]
    ]
    if rows:
        content += table("Inputs that moved most", ["Input", "PSI", "KS", "p", "q", ""], rows)
    else:
        content += paragraph("Too few rows for a comparison.")
    return Section("drift", "Drift", "The inputs", content)
