"""HTML page of the monitor: calibration of the current model, energy of the day and input drift."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.labels import series_name, signed, text
from tasks.reporting.page import Cell, Pill, Row, Section, page, paragraph, table
from tasks.reporting.time_axis import year_marks, years

SHOWN = 10
"""Number of inputs in the table of drift."""


def monitoring_page(domain: Any, found: dict[str, Any], days: pd.DataFrame) -> str:
    """Return the HTML page for a result of `tasks.operations.monitor.monitor` and its outcomes ``days``."""
    if found["schema"]:
        lead = (
            f"The data of {found['as_of']} violate the expectation suite of the domain. "
            "Nothing else was checked."
        )
        section = Section("schema", "Data", "Violated expectations", paragraph(found["schema"]))
        return page(
            f"{domain.title}: monitoring",
            "Monitoring",
            "The data violate their expectations",
            lead,
            [],
            [section],
        )
    headline = "The model should be refitted" if found["breach"] else "No evidence of change"
    lead = (
        f"{domain.title}, {found['as_of']}: version {found['version']}, fitted on data up to "
        f"{found['fitted']}. Outcomes {'no longer' if found['breach'] else 'still'} agree with its forecasts "
        "as they did when it was scored."
    )
    tiles = [
        (f"{found['days']}", "days with outcomes"),
        (f"{found['detector']:,.0f}", f"evidence of change; a breach from {found['threshold']:,.0f}"),
    ]
    if found["days"]:
        tiles += [
            (f"{100 * found['coverage']['0.9']:.0f} %", "of outcomes inside the 90 % interval"),
            (signed(found["gain_over_base"]), "nats per day over the base"),
        ]
    sections = [_evidence(days, found), _energy(found), _drift(found["drift"])]
    return page(f"{domain.title}: monitoring", "Monitoring", headline, lead, tiles, sections)


def _evidence(days: pd.DataFrame, found: dict[str, Any]) -> Section:
    from tasks.operations.change_detector import detector_path

    words = (
        "A sequential test compares each day's outcome with the forecast. Its evidence grows once outcomes "
        "are distributed differently over the forecasts than when the model was scored. Without a change it "
        f"reaches {found['threshold']:,.0f} in one of twenty years."
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
            "Evidence of change over all outcomes since monitoring began, each with the version then in use.",
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
    content = paragraph(
        "The energy of a day is −log p of its outcome. The table compares it with the days on which the "
        "model was scored."
    )
    if rows:
        content += table(
            "Energy of the last day",
            ["Series", "day", "energy, nats", "scored days with less", ""],
            rows,
        )
    else:
        content += paragraph("There is no outcome yet since the model was fitted.")
    return Section("energy", "Energy", "The energy of the day", content)


def _drift(drifts: list[dict[str, Any]]) -> Section:
    content = paragraph(
        "The inputs of the latest rows are compared with those of the training rows. p is the share of "
        "equally long windows of the training rows that differ as much. q is the share of windows in which "
        "any input differs as much. Drift alone is not a breach, because inputs leave their range in every "
        "crisis and a model that stays calibrated needs no refit."
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
