"""Tables and lines of `scores.json` and `forecast.json`, for the terminal and the Prefect UI."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from tasks.reporting.joint import joint_lines, joint_rows, joint_title
from tasks.reporting.labels import decimals, from_normal, places, spaced, with_unit


@dataclass(frozen=True)
class ScoreTable:
    """Table of scores, with cells as text. The first row is the energy model, and the others are peers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def score_tables(scores: dict[str, Any]) -> list[ScoreTable]:
    """Return a table for each block: the only series, or all series together and then each of them.

    With one lead, a table has every score of each model, and the gains of ``ebm`` over it: in CRPS, in per
    cent and with its t, and in log score, in nats. With several leads, it has the CRPS at each lead, and in
    brackets the t of the gain of ``ebm`` in CRPS. Joint densities of many series have a table of their own,
    the first.
    """
    if "leads" in scores:
        blocks = [("all dates", scores)]
    else:
        blocks = [("pooled", scores["pooled"]), *scores["series"].items()]
    tables = [_table(name, block, scores) for name, block in blocks]
    if "log_z_error" not in scores.get("joint", {}):
        return tables
    columns, rows = joint_rows(scores["joint"])
    return [ScoreTable(joint_title(scores["joint"]), columns, tuple(rows)), *tables]


def _table(name: str, block: dict[str, Any], scores: dict[str, Any]) -> ScoreTable:
    first, last = scores["test"]
    title = f"{name}, {first} to {last}, n = {block['n']}, {scores['unit']}"
    leads = block["leads"]
    build = _one_lead if len(leads) == 1 else _many_leads
    columns, rows = build(leads)
    return ScoreTable(title, columns, tuple(sorted(rows, key=lambda row: row[0] != "ebm")))


def _one_lead(leads: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    (lead,) = leads.values()
    digits = decimals((score["crps"] or 0.0 for score in lead["models"].values()), 4)
    rows: list[tuple[str, ...]] = []
    for model, score in lead["models"].items():
        paired = lead["paired"].get(model)
        rows.append(
            (
                model,
                _number(score["crps"], f".{digits}f"),
                _number(paired["crps_gain_pct"], "+.1f", " %") if paired else "",
                _number(paired["crps"]["t"], "+.1f") if paired else "",
                _number(score["mae"], f".{digits}f"),
                _number(100 * score["coverage"]["0.9"], ".1f", " %"),
                _number(score["log_score"], ".4f"),
                _number(paired["log_score_gain"], "+.4f") if paired else "",
            )
        )
    return ("model", "CRPS", "ebm gains", "t", "MAE", "in 90 %", "log score", "in nats"), rows


COLUMNS = 6
"""Most leads that a table shows, including the first and the last."""


def _many_leads(leads: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    leads = {name: leads[name] for name in spaced(list(leads), COLUMNS)}
    models = next(iter(leads.values()))["models"]
    digits = decimals(score["crps"] or 0.0 for lead in leads.values() for score in lead["models"].values())
    rows = []
    for model in models:
        cells = [model]
        for lead in leads.values():
            paired = lead["paired"].get(model)
            crps = _number(lead["models"][model]["crps"], f".{digits}f")
            cells.append(f"{crps}({_number(paired['crps']['t'], '+.1f')})" if paired else f"{crps}      ")
        rows.append(tuple(cells))
    return ("CRPS (t of the gain)", *(f"lead {lead}" for lead in leads)), rows


def _number(value: float | None, form: str, unit: str = "") -> str:
    """Return a number with its unit, a dash for one that is not finite, and no negative zero.

    Examples
    --------
    >>> _number(-0.001, ".2f"), _number(0.001, "+.2f"), _number(None, ".2f", " %"), _number(2.5, "+.1f", " %")
    ('0.00', '0.00', '–', '+2.5 %')
    """
    if value is None or not isfinite(value):
        return "–"
    shown = format(value, form)
    return f"{shown if float(shown) else shown.lstrip('+-')}{unit}"


def forecast_lines(forecast: dict[str, Any]) -> list[str]:
    """Return a line for each step: dates, mean, 90 % interval and probabilities of events."""
    lines = joint_lines(forecast["joint"], forecast["unit"]) if "joint" in forecast else []
    for series, content in forecast["series"].items():
        for step in content["steps"]:
            plain = "" if step["tilt_weight"] else " (forecast of the base, without a tilt)"
            shown = _level(step, forecast["unit"]) if "anomaly" in step else _change(step, forecast["unit"])
            dates = f"data to {content['origin']}, forecast for {step['time']}"
            lines.append(f"{series}: {dates}: {shown}{plain}")
    return lines


def _change(step: dict[str, Any], unit: str) -> str:
    (low, high), form = step["interval_90"], f"+.{places(step)}f"
    events = ", ".join(f"P({event}) {_percent(chance)}" for event, chance in step["events"].items())
    inside = with_unit(f"[{_number(low, form)}, {_number(high, form)}]", unit)
    return f"mean {_number(step['mean'], form)}, 90 % within {inside}{'; ' * bool(events)}{events}"


def _level(step: dict[str, Any], unit: str) -> str:
    (low, high), form = step["interval_90"], f".{places(step)}f"
    anomaly = with_unit(_number(step["anomaly"]["mean"], f"+{form}"), unit)
    chances = [f"P(anomaly {event}) {_percent(chance)}" for event, chance in step["events"].items()]
    if "mass_at_lowest" in step:
        chances.append(f"P(lowest value) {_percent(step['mass_at_lowest'])}")
    mean = with_unit(_number(step["mean"], form), unit)
    inside = with_unit(f"[{_number(low, form)}, {_number(high, form)}]", unit)
    return (
        f"mean {mean} ({from_normal(step, anomaly)}), 90 % within {inside}"
        f"{'; ' * bool(chances)}{', '.join(chances)}"
    )


def _percent(chance: float) -> str:
    return "< 0.1 %" if chance < 0.0005 else f"= {100 * chance:.1f} %"
