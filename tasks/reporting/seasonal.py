"""Report section on seasonal skill: by target season and lead, and of the probabilities of thirds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.comparison import row_class
from tasks.reporting.labels import decimals, in_sentence, model_name, periods, signed, text
from tasks.reporting.page import Cell, Row, Section, folded, pair, paragraph, table
from tasks.reporting.verdict import CLEAR, Block, crps_unit, strongest, together
from tasks.runtime.frequencies import frequency
from tasks.scoring.categories import season_order, seasons
from tasks.scoring.scores import paired_test

LEADS = 8
"""Most leads in a table of skill, including the first and the last."""

STEPS = (0.02, 0.1, 0.25, 0.5)
"""Sizes of the skill from which a cell has each of the four shades."""


def skill(found: Sequence[Block], forecasts: pd.DataFrame, domain: Any) -> Section:
    """Return the section, of which ``forecasts`` has the rows of every model in the test block."""
    rival, whole = strongest(found), together(found)
    content = paragraph(
        "The skill score of the CRPS (CRPSS) is 1 minus the CRPS of the energy model divided by that of "
        "another forecast of the same dates: 1 is perfect, 0 is no better, and below 0 is worse. The ranked "
        "probability skill score (RPSS) is that of the probabilities of the lower, middle and upper third of "
        "the outcomes of the season before the test block, over probabilities of one third each."
    )
    references = [m for m in ("climatology", rival) if m in whole[0].models]
    for reference in dict.fromkeys(references):
        content += heat_table(forecasts, reference, domain)
    if "climatology" not in references:
        content += paragraph("The climatology was not among the peers of this run.", "soft")
    if len(whole) > 1:
        charted = [
            by_lead(whole, "acc", rival, "anomaly correlation", "Higher is better.", domain),
            by_lead(whole, "rmse", rival, "RMSE", "Lower is better.", domain),
        ]
        content += pair(*filter(None, charted))
    thirds, *others = [lead_table(whole, score, title, rival, domain) for score, title in SCORES.items()]
    content += thirds + folded("Anomaly correlation and RMSE of every model", "".join(others))
    return Section("skill", "Skill", f"Skill by {grouping(domain)}", content)


SCORES = {
    "rpss": "RPSS of the thirds, over probabilities of one third each. Higher is better.",
    "acc": "Anomaly correlation of the forecast mean with the outcome. Higher is better. A dash: the "
    "forecast does not vary.",
    "rmse": "Root mean squared error of the forecast mean. Lower is better.",
}
"""Scores by lead, with the captions of their tables."""


def grouping(domain: Any) -> str:
    """Return by what the skill is grouped, in words. Years have no season."""
    return "lead" if frequency(domain.frequency).yearly == 1 else f"{season_name(domain)} and lead"


def season_name(domain: Any) -> str:
    step = frequency(domain.frequency)
    if step.yearly == 1:
        return "target"
    if step.intraday:
        return "target hour"
    if step.name == "D":
        return "target weekday"
    return "target quarter" if step.months == 3 else "target month"


def few(leads: Sequence[int]) -> list[int]:
    """Return at most ``LEADS`` of the leads, including the first and the last."""
    count = min(len(leads), LEADS)
    return sorted({leads[round(i * (len(leads) - 1) / max(count - 1, 1))] for i in range(count)})


def heat_table(forecasts: pd.DataFrame, reference: str, domain: Any) -> str:
    """Return a table of the CRPSS over ``reference`` by target season and lead, shaded by size."""
    keys = ["series", "origin", "time", "lead"]
    crps = forecasts.pivot_table(index=keys, columns="model", values="crps").reset_index()
    crps["season"] = seasons(crps["time"], domain.frequency)
    leads = few(sorted(crps["lead"].unique()))
    groups = [(s, crps[crps["season"] == s]) for s in season_order(domain.frequency) if s]
    rows = []
    for name, part in [*groups, ("All", crps)]:
        if part.empty:
            continue
        cells = [Cell(f"{len(part) / part['lead'].nunique():,.0f}")]
        cells += [skill_cell(part[part["lead"] == lead], reference) for lead in leads]
        rows.append(Row(name, cells, "model ebm" if name == "All" else ""))
    ahead = [periods(domain.frequency, lead) for lead in leads]
    return table(
        f"CRPSS of the energy model over {in_sentence(reference)}, by {grouping(domain)}. Above "
        "0 the energy model is better. Bold: the difference is more than two standard errors from zero.",
        [season_name(domain).capitalize(), "forecasts", *ahead],
        rows,
    )


def skill_cell(part: pd.DataFrame, reference: str) -> Cell:
    """Return the CRPSS of some forecasts, shaded by its size, and in bold if the difference is clear."""
    theirs = part[reference].mean()
    if part.empty or not theirs:
        return Cell("–")
    found = float(1 - part["ebm"].mean() / theirs)
    test = paired_test((part[reference] - part["ebm"]).to_numpy(), part["time"], overlap(part))
    shade = sum(abs(found) >= step for step in STEPS)
    css = f" {'better' if found > 0 else 'worse'}{shade}" if shade else ""
    return Cell(signed(found, 2), css=f"num{css}{' best' if abs(test['t']) > CLEAR else ''}")


def overlap(rows: pd.DataFrame) -> int:
    """Return the most dates of the forecasts between an origin and its date, of which errors are correlated.

    The forecasts of one month have their dates a year apart, so that it is 1 for them up to 12 months ahead.
    """
    dates = np.unique(rows["time"].to_numpy())
    first, last = (np.searchsorted(dates, rows[name].to_numpy(), "right") for name in ("origin", "time"))
    return int((last - first).max())


def by_lead(whole: Sequence[Block], score: str, rival: str, title: str, better: str, domain: Any) -> str:
    """Return a chart of a score of the model, its base, its rival, climatology and persistence by lead.

    It is empty if the score is not known, as a correlation of one date.
    """
    shown = {"ebm": "ebm", "base": "base", rival: "reference"}
    for other, css in (("climatology", "ideal"), ("persistence", "")):
        if other in whole[0].models:
            shown.setdefault(other, css)
    lines = {
        m: [(float(b.lead), b.models[m][score]) for b in whole if b.models[m].get(score) is not None]
        for m in shown
    }
    lines = {m: points for m, points in lines.items() if points}
    if not lines:
        return ""
    unit = crps_unit(domain) if score == "rmse" else ""
    return charts.figure(
        charts.lines(
            [(shown[m], points) for m, points in lines.items()],
            f"{title}{', ' if unit else ''}{unit}",
            f"lead, {frequency(domain.frequency).period}s",
            dots=True,
            height=290,
        ),
        f"{title[:1].upper() + title[1:]} at each lead. {better}",
        f"{title} of the models at each lead",
        [(shown[m], model_name(m)) for m in lines],
    )


def lead_table(whole: Sequence[Block], score: str, caption: str, rival: str, domain: Any) -> str:
    """Return a table of a score of every model at each lead, with the best of a lead in bold."""
    chosen = [b for b in whole if b.lead in few([b.lead for b in whole])]
    best, places = [], []
    for b in chosen:
        values = {m: s[score] for m, s in b.models.items() if s.get(score) is not None}
        best.append((min if score == "rmse" else max)(values, key=values.__getitem__) if values else "")
        places.append(decimals(values.values(), 4) if score == "rmse" else 2)
    rows = [
        Row(
            model_name(m),
            [
                Cell(text(b.models[m].get(score), digits), css="num best" if m == top else "num")
                for b, top, digits in zip(chosen, best, places, strict=True)
            ],
            row_class(m, rival),
        )
        for m in chosen[0].models
    ]
    return table(caption, ["Model", *(periods(domain.frequency, b.lead) for b in chosen)], rows)
