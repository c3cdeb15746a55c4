"""The forecast itself: both dates, quantiles, events, and pictures of the distribution."""

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

from tasks.reporting import charts
from tasks.reporting.comparison import years
from tasks.reporting.labels import dated, series_name, text
from tasks.reporting.page import Cell, Row, Section, pair, paragraph, table
from tasks.reporting.verdict import short_unit

QUANTILES = ("0.01", "0.05", "0.25", "0.50", "0.75", "0.95", "0.99")
HISTORY = {"B": 90, "MS": 48}
"""Observed periods shown before the forecast."""


def quantile(step: dict[str, Any], level: str) -> float:
    """A stored quantile, whether written ``0.5`` or ``0.50``."""
    found = step["quantiles"]
    return float(found[level] if level in found else found[f"{float(level):g}"])


def forecast_section(forecast: dict[str, Any], past: pd.DataFrame, domain: Any) -> Section:
    """``past`` has the energy model's rows of ``forecasts.parquet``."""
    content = ""
    unit = short_unit(domain)
    for name, part in forecast["series"].items():
        steps = part["steps"]
        first = steps[0]
        label = series_name(name)
        content += f"<h3>{escape(label)}</h3>" + paragraph(sentence(part, domain), "big")
        history = past[(past["series"] == name) & (past["lead"] == past["lead"].min())].sort_values("time")
        history = history.tail(HISTORY.get(domain.frequency, 60))
        xs = years(pd.DatetimeIndex(history["time"]))
        rows = [
            (x, float(r.observed), float(r.low), float(r.high))
            for x, r in zip(
                xs, history.rename(columns={"q0.05": "low", "q0.95": "high"}).itertuples(), strict=True
            )
        ]
        ahead = [
            (x, tuple(quantile(s, q) for q in ("0.05", "0.25", "0.50", "0.75", "0.95")))
            for x, s in zip(years(pd.DatetimeIndex([s["time"] for s in steps])), steps, strict=True)
        ]
        dates = [*history["time"], *(pd.Timestamp(s["time"]) for s in steps)]
        fan = charts.figure(
            charts.fan(rows, ahead, short_unit(domain), date_marks(dates)),
            "The line is what happened; the grey band is the 90 % interval the model had given for each "
            "date beforehand. Right of the "
            "dotted line, the forecast: its middle 50 % (darker) and 90 %.",
            f"{label}: recent values with the intervals given beforehand, and the forecast",
            [
                ("observed", "observed"),
                ("band", "90 % interval given before"),
                ("fan2", "forecast 50 %"),
                ("fan1", "forecast 90 %"),
            ],
        )
        event = in_sight(first)
        chance = first["events"][event]
        curve = charts.figure(
            charts.density(
                first["density"]["y"],
                first["density"]["p"],
                event,
                f"{unit}, {dated(first['time'], domain.frequency)}",
            ),
            "How likely is each outcome? The coloured tail is the probability of an outcome "
            f"{in_words(event)}: {percent(chance)}.",
            f"{label}: forecast density for {dated(first['time'], domain.frequency)}",
        )
        content += pair(fan, curve) + forecast_table(label, steps, domain)
    return Section("forecast", "Forecast", "The forecast", content)


def sentence(part: dict[str, Any], domain: Any) -> str:
    """Both dates, the middle, the 90 % interval and the events of the nearest step in one breath."""
    step = part["steps"][0]
    low, high = step["interval_90"]
    chances = "; ".join(f"{in_words(event)}: {percent(p)}" for event, p in step["events"].items())
    return (
        f"Data end: {dated(part['origin'], domain.frequency)}. For {dated(step['time'], domain.frequency)} "
        f"the model expects "
        f"{text(step['mean'])} {short_unit(domain)}, and with 90 % "
        f"probability between {text(low)} and {text(high)}. Probability of an outcome {chances}."
        + untilted(part["steps"])
    )


def untilted(steps: list[dict[str, Any]]) -> str:
    """Says at which leads the forecast is the base's own, because the past did not pay for a tilt."""
    plain = [str(step["lead"]) for step in steps if not step["tilt_weight"]]
    if not plain:
        return ""
    if len(plain) == len(steps):
        return " The past did not pay for a tilt: this is the forecast of the base."
    leads = f"lead {plain[0]}" if len(plain) == 1 else f"leads {', '.join(plain[:-1])} and {plain[-1]}"
    return f" At {leads} the past did not pay for a tilt: there this is the forecast of the base."


def in_sight(step: dict[str, Any]) -> str:
    """The first event whose threshold lies where the density is drawn."""
    y = step["density"]["y"]
    return next((e for e in step["events"] if y[0] < float(e.split()[1]) < y[-1]), next(iter(step["events"])))


def in_words(event: str) -> str:
    """``<= -2`` as ``of −2 or lower``."""
    sign, threshold = event.split()
    edge = text(float(threshold), 1 if float(threshold) % 1 else 0)
    return f"of {edge} or {'lower' if sign == '<=' else 'higher'}"


def percent(p: float) -> str:
    if p < 0.0005:
        return "< 0.1 %"
    return f"{100 * p:.1f} %"


def forecast_table(label: str, steps: list[dict[str, Any]], domain: Any) -> str:
    events = list(steps[0]["events"])
    rows = [
        Row(
            dated(s["time"], domain.frequency),
            [
                Cell(text(s["mean"])),
                *(Cell(text(quantile(s, q))) for q in QUANTILES),
                *(Cell(percent(s["events"][e])) for e in events),
            ],
        )
        for s in steps
    ]
    columns = [
        "For",
        "mean",
        *(f"{100 * float(q):g} %" for q in QUANTILES),
        *(e.replace("<=", "≤").replace(">=", "≥").replace("-", "−") for e in events),
    ]
    return table(f"{label}: quantiles in {short_unit(domain)}, and the probability of events", columns, rows)


def date_marks(dates: list[pd.Timestamp]) -> Callable[[int], list[tuple[float, str]]]:
    """A few dates spread evenly, the last one always among them."""

    def marks(width: int) -> list[tuple[float, str]]:
        count = 6 if width == charts.WIDE else 4 if width == charts.HALF else 3
        step = max(1, (len(dates) - 1) // (count - 1))
        chosen = dates[::-1][::step][:count][::-1]
        same_year = len({d.year for d in dates}) == 1
        shown = "%d %b" if same_year or (dates[-1] - dates[0]).days < 400 else "%b %Y"
        return list(zip(years(pd.DatetimeIndex(chosen)), (d.strftime(shown) for d in chosen), strict=True))

    return marks
