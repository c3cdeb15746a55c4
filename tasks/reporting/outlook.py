"""Report section on the latest forecast of a seasonal series: plume of all models, thirds, and El Niño."""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from tasks.reporting import charts, risk_charts
from tasks.reporting.axes import years
from tasks.reporting.comparison import row_class
from tasks.reporting.forecast import quantile
from tasks.reporting.labels import dated, decimals, model_name, series_name, signed, text
from tasks.reporting.page import Cell, Row, Section, card, pair, paragraph, part, table
from tasks.reporting.verdict import crps_unit, in_unit
from tasks.runtime.frequencies import frequency
from tasks.scoring.categories import Past, chance, of_thirds
from tasks.scoring.predictive import LEVELS

DRAWN = 3
"""Series with charts."""

NINO34 = re.compile(r"ni[nñ][oa][\s_.-]*3[\s_.-]*4", re.IGNORECASE)
"""Names of the index of which El Niño and La Niña are states."""

ENSO = 0.5
"""Anomaly in °C from which a month counts as El Niño, and below whose negative as La Niña."""

Steps = list[dict[str, Any]]


def outlook(forecast: dict[str, Any], latest: dict[str, Any], past: Past, rival: str, domain: Any) -> Section:
    """Return the section.

    ``latest`` has every model's latest forecast of the anomaly, as in ``scores.json``, and ``past`` the
    outcomes before the test block, which define the thirds.
    """
    content = paragraph(
        "The forecasts of all models from the same data, as anomalies from the normal. The thirds are those "
        "of the anomalies of the same season before the test block, so that each had a probability of one "
        "third."
    )
    for name, ahead in list(forecast["series"].items())[:DRAWN]:
        steps, leads = ahead["steps"], latest.get(str(name), {})
        of_series = plume(name, steps, leads, rival, domain) if len(steps) > 1 else ""
        of_series += medians(steps, leads, rival, domain) + categories(name, steps, past, domain)
        content += part(series_name(name), of_series) if len(forecast["series"]) > 1 else of_series
    if len(forecast["series"]) > DRAWN:
        content += paragraph(f"Shown are the first {DRAWN} of {len(forecast['series'])} series.", "soft")
    return Section("outlook", "Outlook", "The forecast of every model, and of categories", content)


def anomaly(step: dict[str, Any], level: str) -> float:
    """Return a quantile of the anomaly."""
    return quantile(step, level) - float(step.get("normal", 0.0))


def plume(name: str, steps: Steps, leads: dict[str, Any], rival: str, domain: Any) -> str:
    """Return a chart of the median of every model by date, over the intervals of the energy model."""
    across = years(pd.DatetimeIndex([s["time"] for s in steps]))
    bands = [
        (x, tuple(anomaly(s, q) for q in ("0.05", "0.25", "0.50", "0.75", "0.95")))
        for x, s in zip(across, steps, strict=True)
    ]
    place = {str(s["lead"]): x for x, s in zip(across, steps, strict=True)}
    peers = [m for m in next(iter(leads.values()), {}) if m != "ebm"]
    models = [
        (
            row_class(m, rival).split()[1],
            model_name(m),
            [(place[k], of[m]["quantiles"]["0.50"]) for k, of in leads.items() if k in place],
        )
        for m in peers
    ]
    models.append(("ebm", model_name("ebm"), [(x, q[2]) for x, q in bands]))
    unit = crps_unit(domain)
    return card(
        charts.figure(
            risk_charts.plume(
                bands,
                models,
                f"anomaly{', ' if unit else ''}{unit}",
                step_marks(steps, domain),
            ),
            "Medians of all models and, of the energy model, the 50 % interval (darker) and the 90 % "
            f"interval, {in_unit(domain)}. Dashed: the normal.",
            f"{series_name(name)}: forecasts of all models",
            [
                ("ebm", "energy model"),
                ("base", "its own base"),
                ("reference", f"{model_name(rival)}, the strongest rival"),
                ("peer", "other peers"),
                ("fan2", "50 % interval"),
                ("fan1", "90 % interval"),
            ],
            charts.WIDE,
        )
    )


def step_marks(steps: Steps, domain: Any) -> Callable[[int], list[tuple[float, str]]]:
    """Return tick marks at the dates of the steps, or at some of them if there are many."""

    def marks(width: int) -> list[tuple[float, str]]:
        count = -(-len(steps) // (2 if width == charts.NARROW else 7))
        shown = steps[::-1][::count][::-1]
        across = years(pd.DatetimeIndex([s["time"] for s in shown]))
        return [(x, short_date(s["time"], domain.frequency)) for x, s in zip(across, shown, strict=True)]

    return marks


def likelihood(p: float) -> str:
    """Return a probability in per cent. Below 1 % the quantiles of a forecast do not resolve it."""
    if p <= LEVELS[0]:
        return "< 1 %"
    return "> 99 %" if p >= LEVELS[-1] else f"{100 * p:.0f} %"


def medians(steps: Steps, leads: dict[str, Any], rival: str, domain: Any) -> str:
    """Return a table of the median of every model for each date, with its 90 % interval."""
    known = [s for s in steps if str(s["lead"]) in leads]
    if not known:
        return ""
    ours = {str(s["lead"]): [anomaly(s, q) for q in ("0.50", "0.05", "0.95")] for s in known}
    places = decimals([high - low for _, low, high in ours.values()])
    rows = []
    for m in leads[str(known[0]["lead"])]:
        cells = []
        for s in known:
            of = leads[str(s["lead"])][m]["quantiles"]
            middle, low, high = (
                ours[str(s["lead"])] if m == "ebm" else (of[q] for q in ("0.50", "0.05", "0.95"))
            )
            cells.append(Cell(signed(middle, places), f"{text(low, places)} to {text(high, places)}"))
        rows.append(Row(model_name(m), cells, row_class(m, rival)))
    return table(
        f"Median and 90 % interval of the anomaly by model, {in_unit(domain)}.",
        ["Model", *(dated(s["time"], domain.frequency) for s in known)],
        rows,
    )


def categories(name: str, steps: Steps, past: Past, domain: Any) -> str:
    """Return charts and a table of the probabilities of the thirds and, for Niño 3.4, of its states."""
    rows = pd.DataFrame({f"q{lv:.2f}": [anomaly(s, f"{lv:.2f}") for s in steps] for lv in LEVELS})
    rows = rows.assign(series=name, time=[pd.Timestamp(s["time"]) for s in steps])
    edges = past.thirds(rows)
    labels = [short_date(s["time"], domain.frequency) for s in steps]
    figures, columns, cells = [], [], [[] for _ in steps]  # type: ignore[var-annotated]
    divided, has_states = bool(pd.notna(edges).all()), is_nino34(name, domain)
    wide = charts.HALF if divided and has_states else charts.WIDE
    if divided:
        thirds = 100 * of_thirds(rows, edges)
        figures.append(
            charts.figure(
                risk_charts.shares(list(zip(labels, thirds.tolist(), strict=True)), SHADES, "probability, %"),
                "Probabilities of the thirds, in per cent. Before the test block each was a third.",
                f"{series_name(name)}: probabilities of the thirds",
                list(zip(SHADES, ("lower third", "middle third", "upper third"), strict=True)),
                wide,
            )
        )
        columns += ["thirds divided at", "lower third", "middle third", "upper third"]
        places = decimals((edges[:, 1] - edges[:, 0]).tolist(), 2)
        for line, edge, p in zip(cells, edges, thirds, strict=True):
            line.append(Cell(f"{text(edge[0], places)} and {text(edge[1], places)}"))
            line += [Cell(likelihood(x / 100)) for x in p]
    if has_states:
        cold, warm = chance(rows, f"<= {-ENSO}"), chance(rows, f">= {ENSO}")
        states = [(c, 1 - c - w, w) for c, w in zip(cold.tolist(), warm.tolist(), strict=True)]
        names = ("La Niña", "neutral", "El Niño")
        figures.append(
            charts.figure(
                risk_charts.shares(
                    [(at, [100 * p for p in of]) for at, of in zip(labels, states, strict=True)],
                    SHADES,
                    "probability, %",
                ),
                f"Probabilities of La Niña (anomaly of −{ENSO} °C or lower), neutral and El Niño ({ENSO} °C "
                "or higher), by single months. Official definitions use means of three months.",
                f"{series_name(name)}: probabilities of La Niña, neutral and El Niño",
                list(zip(SHADES, names, strict=True)),
                wide,
            )
        )
        columns += names
        for line, of in zip(cells, states, strict=True):
            line += [Cell(likelihood(p)) for p in of]
    if not figures:
        return ""
    lines = [Row(dated(s["time"], domain.frequency), line) for s, line in zip(steps, cells, strict=True)]
    shown = pair(*figures) if len(figures) > 1 else card(figures[0])
    return shown + table(
        "Probabilities of the categories" + f". Thirds are divided at anomalies {in_unit(domain)}" * divided,
        ["For", *columns],
        lines,
    )


SHADES = ("part low", "part middle", "part high")
"""CSS classes of the categories, from low to high."""


def is_nino34(name: str, domain: Any) -> bool:
    """Return whether a series is the monthly index Niño 3.4 in °C, as far as its name and unit tell."""
    celsius = crps_unit(domain) in ("", "°C", "degC", "C", "K")
    return bool(NINO34.search(str(name))) and celsius and frequency(domain.frequency).yearly == 12


def short_date(time: str, step: str) -> str:
    """Return a date for the axis of a chart, such as ``Jan 2018``."""
    return f"{pd.Timestamp(time):%b %Y}" if frequency(step).months in (1, 3) else dated(time, step)
