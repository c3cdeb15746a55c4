"""Tables and lines of `scores.json` and `forecast.json`, for the terminal and the Prefect UI."""

from dataclasses import dataclass
from typing import Any

from tasks.reporting.labels import decimals, from_normal, spaced, with_unit


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
    brackets the t of the gain of ``ebm`` in CRPS.
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
    places = decimals([score["crps"] for score in lead["models"].values()], 4)
    rows: list[tuple[str, ...]] = []
    for model, score in lead["models"].items():
        paired = lead["paired"].get(model)
        rows.append(
            (
                model,
                f"{score['crps']:.{places}f}",
                f"{paired['crps_gain_pct']:+.1f} %" if paired else "",
                f"{paired['crps']['t']:+.1f}" if paired else "",
                f"{score['mae']:.{places}f}",
                f"{100 * score['coverage']['0.9']:.1f} %",
                f"{score['log_score']:.4f}",
                f"{paired['log_score_gain']:+.4f}" if paired else "",
            )
        )
    return ("model", "CRPS", "ebm gains", "t", "MAE", "in 90 %", "log score", "in nats"), rows


COLUMNS = 6
"""Most leads that a table shows, including the first and the last."""


def _many_leads(leads: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    leads = {name: leads[name] for name in spaced(list(leads), COLUMNS)}
    models = next(iter(leads.values()))["models"]
    places = decimals([score["crps"] for lead in leads.values() for score in lead["models"].values()])
    rows = []
    for model in models:
        cells = [model]
        for lead in leads.values():
            paired = lead["paired"].get(model)
            crps = f"{lead['models'][model]['crps']:.{places}f}"
            cells.append(f"{crps}({paired['crps']['t']:+.1f})" if paired else f"{crps}      ")
        rows.append(tuple(cells))
    return ("CRPS (t of the gain)", *(f"lead {lead}" for lead in leads)), rows


def forecast_lines(forecast: dict[str, Any]) -> list[str]:
    """Return a line for each step: dates, mean, 90 % interval and probabilities of events."""
    lines = []
    for series, content in forecast["series"].items():
        for step in content["steps"]:
            plain = "" if step["tilt_weight"] else " (forecast of the base, without a tilt)"
            shown = _level(step, forecast["unit"]) if "anomaly" in step else _change(step, forecast["unit"])
            dates = f"data to {content['origin']}, forecast for {step['time']}"
            lines.append(f"{series}: {dates}: {shown}{plain}")
    return lines


def _change(step: dict[str, Any], unit: str) -> str:
    low, high = step["interval_90"]
    events = ", ".join(f"P({event}) {_percent(chance)}" for event, chance in step["events"].items())
    return f"mean {step['mean']:+.2f}, 90 % within [{low:+.2f}, {high:+.2f}] {unit}; {events}"


def _level(step: dict[str, Any], unit: str) -> str:
    low, high = step["interval_90"]
    anomaly = with_unit(f"{step['anomaly']['mean']:+.2f}", unit)
    chances = [f"P(anomaly {event}) {_percent(chance)}" for event, chance in step["events"].items()]
    if "mass_at_lowest" in step:
        chances.append(f"P(lowest value) {_percent(step['mass_at_lowest'])}")
    return (
        f"mean {with_unit(format(step['mean'], '.2f'), unit)} ({from_normal(step, anomaly)}), "
        f"90 % within {with_unit(f'[{low:.2f}, {high:.2f}]', unit)}; {', '.join(chances)}"
    )


def _percent(chance: float) -> str:
    return "< 0.1 %" if chance < 0.0005 else f"= {100 * chance:.1f} %"
