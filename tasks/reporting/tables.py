"""`scores.json` and `forecast.json` as the closing table, the forecast line and the Prefect UI say them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ScoreTable:
    """Cells as text; the first row is the model, the others its peers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def score_tables(scores: dict[str, Any]) -> list[ScoreTable]:
    """One table a block: the only series, or all series pooled and then each of them.

    One lead: every score of each model, and the log-score gain of ``ebm`` over it with its t. Several
    leads: the CRPS a lead, and in brackets the t of ``ebm``'s log-score gain over that peer.
    """
    if "leads" in scores:
        return [_table("all dates", scores, scores)]
    blocks = {"pooled": scores["pooled"], **scores["series"]}
    return [_table(name, block, scores) for name, block in blocks.items()]


def _table(name: str, block: dict[str, Any], scores: dict[str, Any]) -> ScoreTable:
    first, last = scores["test"]
    title = f"{name}, {first} to {last}, n = {block['n']}, {scores['unit']}"
    leads = block["leads"]
    build = _one_lead if len(leads) == 1 else _many_leads
    columns, rows = build(leads)
    return ScoreTable(title, columns, tuple(sorted(rows, key=lambda row: row[0] != "ebm")))


def _one_lead(leads: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    (lead,) = leads.values()
    rows: list[tuple[str, ...]] = []
    for model, score in lead["models"].items():
        paired = lead["paired"].get(model)
        rows.append(
            (
                model,
                f"{score['log_score']:.4f}",
                f"{score['crps']:.4f}",
                f"{score['mae']:.4f}",
                f"{100 * score['coverage']['0.9']:.1f} %",
                f"{paired['log_score_gain']:+.4f}" if paired else "",
                f"{paired['t']:+.1f}" if paired else "",
            )
        )
    return ("model", "log score", "CRPS", "MAE", "in 90 %", "ebm gains", "t"), rows


COLUMNS = 6
"""Leads that a table shows: the first, the last and some between."""


def _many_leads(leads: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    names = list(leads)
    if len(names) > COLUMNS:
        chosen = dict.fromkeys(round(i * (len(names) - 1) / (COLUMNS - 1)) for i in range(COLUMNS))
        leads = {names[i]: leads[names[i]] for i in chosen}
    models = next(iter(leads.values()))["models"]
    rows = []
    for model in models:
        cells = [model]
        for lead in leads.values():
            paired = lead["paired"].get(model)
            crps = f"{lead['models'][model]['crps']:.3f}"
            cells.append(f"{crps}({paired['t']:+.1f})" if paired else f"{crps}      ")
        rows.append(tuple(cells))
    return ("CRPS (t)", *(f"lead {lead}" for lead in leads)), rows


def forecast_lines(forecast: dict[str, Any]) -> list[str]:
    """One line a step: both dates, mean, 90 % interval, chances of the named events, and where the past did
    not pay for a tilt."""
    lines = []
    for series, content in forecast["series"].items():
        for step in content["steps"]:
            low, high = step["interval_90"]
            events = ", ".join(f"P({event}) {_percent(chance)}" for event, chance in step["events"].items())
            plain = "" if step["tilt_weight"] else " (no tilt at this lead: the base's forecast)"
            lines.append(
                f"{series}: data to {content['origin'][:10]}, forecast for {step['time'][:10]}: "
                f"mean {step['mean']:+.2f}, 90 % within [{low:+.2f}, {high:+.2f}] {forecast['unit']}; "
                f"{events}{plain}"
            )
    return lines


def _percent(chance: float) -> str:
    return "< 0.1 %" if chance < 0.0005 else f"= {100 * chance:.1f} %"
