"""The page of ``basin alarm``: every alarm, every event and every false alarm on one line of time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.comparison import year_marks, years
from tasks.reporting.labels import model_name, signed, text
from tasks.reporting.page import Cell, Row, Section, card, page, paragraph, table

SCORES = {
    "auroc": "AUROC",
    "ap": "average precision",
    "brier_skill": "Brier skill",
    "calm_auroc": "AUROC, calm",
}


def alarm_page(name: str, found: dict[str, Any], history: pd.DataFrame, notes: list[str]) -> str:
    """The HTML of an ``alarm.json`` and its ``history`` by date; the same inputs, the same bytes."""
    today, ours = found["today"], found["models"]["ebm"]
    events = len(found["caught"]) + len(found["missed"])
    sentence = (
        f"{name}, {found['event']}: of {events} events between {found['test'][0]} and {found['test'][1]} "
        f"{len(found['caught'])} had an alarm before them, with {text(found['false_alarms_per_year'], 1)} "
        f"false alarms a year (budget {text(found['budget'], 1)}), on {text(100 * found['alarm_days'], 0)} % "
        "of the dates."
    )
    lead = (
        f"{today['date']}: probability {text(100 * today['probability'], 1)} %, "
        f"{'an alarm' if today['alarm'] else 'no alarm'}."
    )
    tiles = [
        (text(ours["auroc"], 3), "AUROC: 0.5 is chance"),
        (text(ours["brier_skill"], 3), "Brier skill over the running base rate"),
        (f"{len(found['caught'])} of {events}", "events with an alarm before them"),
        (text(found["false_alarms_per_year"], 2), "false alarms a year"),
    ]
    sections = [
        Section("history", "History", "Every alarm, event and false alarm", _history(found, history)),
        Section("peers", "Beside peers", "The model beside its peers", _scores(found)),
        Section("events", "Events", "What was caught and what was missed", _events(found)),
        Section("said", "Read as", "How the file was read", "".join(paragraph(f"{s}.") for s in notes)),
    ]
    title = f"Basin: alarms of {name}"
    return page(title, f"Basin · {found['event']}", sentence, lead, tiles, sections)


def _history(found: dict[str, Any], history: pd.DataFrame) -> str:
    figure = charts.figure(
        _timeline(found, history),
        "Probability of the event from each date (line) and the threshold of its year (dashed). Grey: dates "
        "from which the event did happen. Red dots: alarms before an event. Dots of the base's colour: false "
        "alarms, none of whose days was followed by the event.",
        "Probability, threshold, events and alarms over time",
        [("ebm", "probability"), ("ideal", "threshold"), ("band", "the event followed")],
        charts.WIDE,
    )
    return card(figure)


def _timeline(found: dict[str, Any], history: pd.DataFrame) -> Callable[[int], charts.Canvas]:
    across = np.array(years(pd.DatetimeIndex(history["time"])))
    probability = history["probability"].to_numpy()
    level = history["threshold"].to_numpy()
    label, alarm = history["label"].to_numpy(), history["alarm"].to_numpy()
    false = np.zeros(len(history), dtype=bool)
    for episode in found["false_alarms"]:
        false |= history["time"].between(episode["from"], episode["to"]).to_numpy() & alarm
    top = max(0.05, float(probability.max()) * 1.06)

    def draw(width: int) -> charts.Canvas:
        canvas = charts.Canvas(width, 340, (across[0], across[-1]), (0, top), bottom=24)
        canvas.y_axis("probability")
        edges = np.flatnonzero(np.diff(np.r_[False, label, False].astype(int)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            canvas.box((across[start], 0), (across[min(stop, len(across) - 1)], top), "band")
        canvas.path(list(zip(across.tolist(), probability.tolist(), strict=True)), "stroke ebm")
        finite = np.isfinite(level) & (level <= top)
        canvas.path(list(zip(across[finite].tolist(), level[finite].tolist(), strict=True)), "stroke ideal")
        for row in np.flatnonzero(alarm):
            canvas.dot((across[row], probability[row]), "fill base" if false[row] else "danger", 2.4)
        canvas.x_axis("", year_marks(across[0], across[-1])(width))
        return canvas

    return draw


def _scores(found: dict[str, Any]) -> str:
    rows = []
    for model, scores in found["models"].items():
        cells = []
        for key in SCORES:
            low, high = scores[f"{key}_interval"]
            value = scores[key]
            cells.append(
                Cell("-")
                if value is None or low is None or high is None
                else Cell(text(value, 3), f"{text(low, 3)} to {text(high, 3)}")
            )
        outcome = found if model == "ebm" else found["peers"][model]
        caught = len(outcome["caught"])
        cells.append(Cell(f"{caught} of {caught + len(outcome['missed'])}"))
        cells.append(Cell(text(outcome["false_alarms_per_year"], 2)))
        cells.append(Cell(f"{text(100 * outcome['alarm_days'], 0)} %"))
        gain = found["paired"].get(model, {}).get("brier_skill")
        between = gain is not None and None not in gain
        cells.append(Cell(f"{signed(gain[0], 3)} to {signed(gain[1], 3)}" if between else ""))
        rows.append(Row(model_name(model), cells, "model " + ("ebm" if model == "ebm" else "peer")))
    columns = ["Model", *SCORES.values(), "caught", "false a year", "alarm days", "Brier gain"]
    caption = (
        f"Base rate {text(found['base_rate'], 3)}. 95 % intervals by block bootstrap over the dates; each "
        "model with the thresholds that its own past false alarms allow. Brier gain: of the energy model, in "
        "skill."
    )
    return table(caption, columns, rows)


def _events(found: dict[str, Any]) -> str:
    rows = [Row(e["event"], [Cell(e["date"]), Cell(str(e["lead"]))], "model ebm") for e in found["caught"]]
    rows += [Row(e["event"], [Cell("missed"), Cell("")], "model peer") for e in found["missed"]]
    rows.sort(key=lambda row: row.head)
    content = table("Events by the date on which they had happened", ["Event", "alarm", "rows before"], rows)
    wrong = [Row(e["from"], [Cell(e["to"])], "model peer") for e in found["false_alarms"]]
    return content + (table("False alarms", ["from", "last day"], wrong) if wrong else "")
