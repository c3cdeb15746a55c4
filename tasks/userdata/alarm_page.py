"""Report of ``basin alarm``: probabilities, alarms and events over time, and scores beside peers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tasks.events.event import parse
from tasks.reporting import charts, risk_charts, trust
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.event_skill import reliability_points
from tasks.reporting.labels import MODELS, count_of, in_sentence, model_name, signed, text
from tasks.reporting.page import Cell, Row, Section, card, page, paragraph, table

SCORES = {
    "auroc": "AUROC",
    "ap": "average precision",
    "brier_skill": "Brier skill",
    "calm_auroc": "AUROC, calm",
}


def alarm_page(name: str, found: dict[str, Any], history: pd.DataFrame, notes: list[str]) -> str:
    """Return the HTML report of an alarm.

    ``found`` is the content of ``alarm.json`` and ``history`` that of ``alarm.parquet``. The same inputs give
    the same bytes.
    """
    today, ours = found["today"], found["models"]["ebm"]
    events = len(found["caught"]) + len(found["missed"])
    between = f"between {found['test'][0]} and {found['test'][1]}"
    preceded = f"an alarm preceded {len(found['caught'])} of {count_of(events, 'event')} {between}"
    sentence = (
        f"{name}: {preceded if events else f'no event {between}'}. "
        f"There were {_false_alarms(found)} and alarms on {text(100 * found['alarm_days'], 0)} % of the "
        f"dates.{_behind(found)}"
    )
    lead = (
        f"At the last date, {today['date']}, the probability of the event is "
        f"{text(100 * today['probability'], 1)} %. There is {'an alarm' if today['alarm'] else 'no alarm'}."
        f"{_against(found)}"
    )
    question = paragraph(
        f"At each date, how likely is it that {_in_words(found['event'])}? An alarm is raised where the "
        "probability reaches the threshold of the year. The threshold follows from earlier years and the "
        "budget of false alarms.",
        "big",
    )
    scored = [
        (text(ours["auroc"], 3), f"AUROC (0.5 is chance){_between(ours, 'auroc')}"),
        (text(ours["brier_skill"], 3), f"Brier skill (0 is the base rate){_between(ours, 'brier_skill')}"),
        (f"{len(found['caught'])} of {events}", "events preceded by an alarm"),
    ]
    tiles = [
        *(scored if events else [("0", "events in the test block, so that probabilities have no scores")]),
        (text(found["false_alarms_per_year"], 2), "false alarms a year"),
    ]
    sections = [
        Section("event", "Event", "What is forecast", question),
        Section("history", "History", "Alarms and events over time", _history(found, history)),
        Section(
            "reliability", "Reliability", "Are the probabilities reliable?", _reliability(found, history)
        ),
        Section("peers", "Beside peers", "The model beside its peers", _scores(found)),
        Section("events", "Events", "Events caught and missed, and false alarms", _events(found)),
        trust.how_read(notes),
        trust.glossary(),
    ]
    title = f"Basin: alarms of {name}"
    return page(title, f"Basin · {name}: {_in_words(found['event'])}", sentence, lead, tiles, sections)


def strongest(found: dict[str, Any]) -> str | None:
    """Return the peer with the highest Brier skill on the test dates, or None if none has one.

    The base is no rival, because it is a part of the model.
    """
    skill = {
        model: scores["brier_skill"]
        for model, scores in found["models"].items()
        if model not in ("ebm", "base") and scores["brier_skill"] is not None
    }
    return max(skill, key=skill.__getitem__) if skill else None


def _false_alarms(found: dict[str, Any]) -> str:
    """Return false alarms a year and their budget, with the digits that show whether it is exceeded."""
    rate, budget, digits = found["false_alarms_per_year"], found["budget"], 1
    while rate > budget and digits < 4 and text(rate, digits) == text(budget, digits):
        digits += 1
    return f"{text(rate, digits)} false alarms a year (budget {text(budget, digits)})"


def _behind(found: dict[str, Any]) -> str:
    """Return sentences on more events that the strongest rival caught, and on a base that scores better."""
    words, rival = "", strongest(found)
    caught = len(found["peers"][rival]["caught"]) if rival else 0
    if caught > len(found["caught"]):
        words += f" The alarms of {in_sentence(str(rival))}, its strongest rival, preceded {caught}."
    high = found["paired"]["base"]["brier_skill"][1]
    if high is not None and high < 0:
        ours, theirs = (text(found["models"][model]["brier_skill"], 3) for model in ("ebm", "base"))
        words += f" The Brier skill is clearly worse than that of its own base ({ours} against {theirs})."
    return words


def _against(found: dict[str, Any]) -> str:
    """Return a sentence that compares the Brier skill with that of the strongest rival."""
    rival = strongest(found)
    if rival is None:
        return ""
    ours, theirs = (found["models"][m]["brier_skill"] for m in ("ebm", rival))
    low, high = found["paired"][rival]["brier_skill"]
    if low is None or high is None:
        return ""
    verdict = "clearly better" if low > 0 else "clearly worse" if high < 0 else "not clearly different"
    return (
        f" Its Brier skill on the test dates is {text(ours, 3)}. That of {in_sentence(rival)}, its strongest "
        f"rival, is {text(theirs, 3)}. The energy model is {verdict}: the 95 % interval of its gain is "
        f"{signed(low, 3)} to {signed(high, 3)}."
    )


def _between(scores: dict[str, Any], key: str) -> str:
    """Return the 95 % interval of a score for use behind its name, or an empty string."""
    low, high = scores[f"{key}_interval"]
    return "" if low is None or high is None else f", 95 % interval {text(low, 3)} to {text(high, 3)}"


def _reliability(found: dict[str, Any], history: pd.DataFrame) -> str:
    """Return the reliability diagram of the probabilities of the test dates."""
    known = history[history["time"] <= found["test"][1]]
    label = known["label"].to_numpy(bool)
    points = reliability_points(known["probability"].to_numpy(), label)
    figure = charts.figure(
        risk_charts.reliability(points, 100 * float(label.mean()), "forecast probability, %"),
        f"Share of dates that the event followed, by forecast probability: in all {int(label.sum()):,} of "
        f"{len(label):,} dates. Below: the number of dates. Neighbouring dates share paths, so "
        "that the dots scatter more than the intervals say, which are those of independent dates.",
        "Reliability of the probability of the event",
        [
            ("ebm", "energy model"),
            ("band", "90 % consistency interval"),
            ("ideal", "reliable"),
            ("now", "base rate"),
            ("bar", "number of dates"),
        ],
        charts.WIDE,
    )
    return card(figure)


def _in_words(text_of_event: str) -> str:
    """Return the event in words, such as "the lowest return over the next 21 rows is −8.0 % or lower"."""
    event = parse(text_of_event)
    rows = count_of(event.steps, "row")
    what = {
        "min": f"the lowest return over the next {rows}",
        "max": f"the highest return over the next {rows}",
        "end": f"the return after {rows}",
        "sum": f"the sum of the returns of the next {rows}",
    }[event.what]
    return f"{what} is {text(100 * event.threshold, 1)} % or {'lower' if event.below else 'higher'}"


def _history(found: dict[str, Any], history: pd.DataFrame) -> str:
    figure = charts.figure(
        _timeline(found, history),
        "Line: probability at each date that the event follows. Dashed: the threshold of the year. Grey: "
        "dates that the event followed. Dots: dates of an alarm, filled if the event followed at least one "
        "date of the same alarm, and hollow for false alarms, of which it followed none. Of the last dates, "
        "in the dashed box, it is not yet known whether the event follows.",
        "Probability, threshold, events and alarms over time",
        [
            ("ebm", "probability"),
            ("ideal", "threshold"),
            ("band", "followed by the event"),
            ("fill alarm", "alarm"),
            ("fill false-alarm", "false alarm"),
            ("unknown", "not yet known"),
            ("fill pending", "alarm, not yet known"),
        ],
        charts.WIDE,
    )
    return card(figure)


def alarm_kinds(history: pd.DataFrame, false_alarms: list[dict[str, Any]]) -> np.ndarray:
    """Return ``alarm``, ``false-alarm`` or ``pending`` for an alarm at each date of ``history``."""
    false = np.zeros(len(history), dtype=bool)
    for episode in false_alarms:
        false |= history["time"].between(episode["from"], episode["to"]).to_numpy()
    return np.select([false, history["label"].isna()], ["false-alarm", "pending"], "alarm")


def _timeline(found: dict[str, Any], history: pd.DataFrame) -> Callable[[int], charts.Canvas]:
    across = np.array(years(pd.DatetimeIndex(history["time"])))
    probability = history["probability"].to_numpy()
    level = history["threshold"].to_numpy()
    alarm, unknown = history["alarm"].to_numpy(), history["label"].isna().to_numpy()
    label = history["label"].fillna(False).to_numpy(bool)
    top = max(0.05, float(probability.max()) * 1.06)
    dates = DateAxis(across[0], across[-1])
    kind = alarm_kinds(history, found["false_alarms"])

    def describe(row: int) -> tuple[str, list[charts.Value]]:
        values = [("ebm", text(probability[row], 3))]
        values += [("ideal", text(level[row], 3))] if np.isfinite(level[row]) else []
        values += [(f"fill {kind[row]}", "")] if alarm[row] else []
        values += [("band", "")] if label[row] else []
        values += [("unknown", "")] if unknown[row] and not alarm[row] else []
        return dates.text(across[row]), values

    def draw(width: int) -> charts.Canvas:
        canvas = charts.Canvas(width, 340, (across[0], across[-1]), (0, top), bottom=28)
        canvas.y_axis("probability of the event")
        for css, dates_of in (("band", label), ("unknown", unknown)):
            edges = np.flatnonzero(np.diff(np.r_[False, dates_of, False].astype(int)))
            for start, stop in zip(edges[::2], edges[1::2], strict=True):
                canvas.box((across[start], 0), (across[min(stop, len(across) - 1)], top), css)
        canvas.path(list(zip(across.tolist(), probability.tolist(), strict=True)), "stroke ebm")
        finite = np.isfinite(level) & (level <= top)
        canvas.path(list(zip(across[finite].tolist(), level[finite].tolist(), strict=True)), "stroke ideal")
        for row in np.flatnonzero(alarm):
            canvas.dot((across[row], probability[row]), f"fill {kind[row]}", 2.6)
        canvas.x_axis("", dates(width))
        canvas.show_at(across.tolist(), describe)
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
                Cell("–")
                if value is None or low is None or high is None
                else Cell(text(value, 3), f"{text(low, 3)} to {text(high, 3)}")
            )
        outcome = found if model == "ebm" else found["peers"][model]
        caught = len(outcome["caught"])
        cells.append(Cell(f"{caught} of {caught + len(outcome['missed'])}"))
        cells.append(Cell(text(outcome["false_alarms_per_year"], 2)))
        cells.append(Cell(f"{text(100 * outcome['alarm_days'], 0)} %"))
        cells.append(_gain(found, model))
        name = model_name(model) if model in MODELS else f"{model_name('logit')} on {model} alone"
        rows.append(Row(name, cells, "model " + ("ebm" if model == "ebm" else "peer")))
    columns = [
        "Model",
        *SCORES.values(),
        "events caught",
        "false alarms a year",
        "dates with an alarm",
        "gain in Brier skill",
    ]
    caption = (
        f"Base rate {text(found['base_rate'], 3)}. The 95 % intervals are from a block bootstrap over "
        "dates. AUROC, calm: on dates whose volatility is below its past median. The thresholds of each "
        "model follow from its own past false alarms. The gain in Brier skill is that of the energy model "
        "over the row."
    )
    return table(caption, columns, rows)


def _gain(found: dict[str, Any], model: str) -> Cell:
    """Return the gain in Brier skill over another model with its 95 % interval, if it has one."""
    low, high = found["paired"].get(model, {}).get("brier_skill", (None, None))
    if low is None or high is None:
        return Cell("")
    gain = found["models"]["ebm"]["brier_skill"] - found["models"][model]["brier_skill"]
    return Cell(signed(gain, 3), f"{signed(low, 3)} to {signed(high, 3)}")


def _events(found: dict[str, Any]) -> str:
    rows = [Row(e["event"], [Cell(e["date"]), Cell(str(e["lead"]))], "model ebm") for e in found["caught"]]
    rows += [Row(e["event"], [Cell("missed"), Cell("")], "model peer") for e in found["missed"]]
    rows.sort(key=lambda row: row.head)
    columns = ["Date of the event", "date of the alarm", "rows from alarm to event"]
    caption = (
        "Events of the test block, by the first date on which the threshold was crossed, with the first "
        "alarm before it"
    )
    content = table(caption, columns, rows)
    wrong = [Row(e["from"], [Cell(e["to"])], "model peer") for e in found["false_alarms"]]
    return content + (table("False alarms", ["First date", "last date"], wrong) if wrong else "")
