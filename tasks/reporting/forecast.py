"""Report section on the forecast: dates, quantiles, probabilities of events, and charts."""

from html import escape
from typing import Any

import pandas as pd

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.labels import (
    ANOMALIES,
    dated,
    forecast_mean,
    listed,
    named_unit,
    places,
    plural,
    series_name,
    signed,
    span,
    text,
    with_unit,
)
from tasks.reporting.page import Cell, Row, Section, pair, paragraph, table
from tasks.reporting.verdict import without_brackets

QUANTILES = ("0.01", "0.05", "0.25", "0.50", "0.75", "0.95", "0.99")
HISTORY = {"B": 90, "MS": 48}
"""Observed periods shown before the forecast."""


def quantile(step: dict[str, Any], level: str) -> float:
    """Return a stored quantile, whose key may be ``0.5`` or ``0.50``."""
    found = step["quantiles"]
    return float(found[level] if level in found else found[f"{float(level):g}"])


def forecast_section(forecast: dict[str, Any], past: pd.DataFrame, domain: Any) -> Section:
    """Return the section.

    ``past`` has the energy model's rows of ``forecasts.parquet``, for levels converted by :func:`levels`.
    """
    content = ""
    unit = without_brackets(forecast["unit"])
    for name, part in forecast["series"].items():
        steps = part["steps"]
        first = steps[0]
        label = series_name(name)
        content += f"<h3>{escape(label)}</h3>" + paragraph(sentence(part, domain, unit), "big")
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
        fan = charts.figure(
            charts.fan(rows, ahead, unit or "value", DateAxis(rows[0][0], ahead[-1][0])),
            "Thin line: the outcomes. Grey band: the 90 % intervals that the model forecast for them. To "
            "the right of the dotted line: the forecast, with its median, its 50 % interval (darker) and its "
            "90 % interval.",
            f"{label}: recent outcomes with the intervals forecast for them, and the forecast",
            [
                ("observed", "outcome"),
                ("band", "90 % interval forecast for it"),
                ("ebm", "forecast, median"),
                ("fan2", "forecast, 50 % interval"),
                ("fan1", "forecast, 90 % interval"),
            ],
        )
        event = in_sight(first)
        chance = first["events"][event]
        curve = charts.figure(
            charts.density(
                first["density"]["y"],
                first["density"]["p"],
                as_drawn(event, first),
                f"{unit or 'value'}, {dated(first['time'], domain.frequency)}",
            ),
            "Density of the forecast. The area beyond the dotted line is the probability of an "
            f"{noun(first)} {in_words(event)}: {spoken(chance)}.{at_lowest(first)}",
            f"{label}: forecast density for {dated(first['time'], domain.frequency)}",
            [("fan2", "density of the forecast"), ("danger", f"{noun(first)} {in_words(event)}")],
        )
        content += pair(fan, curve) + forecast_table(label, steps, domain, unit)
    return Section("forecast", "Forecast", "The forecast", content)


def levels(past: pd.DataFrame, inputs: pd.DataFrame, lowest: float | None) -> pd.DataFrame:
    """Return rows of ``forecasts.parquet`` with outcomes and quantiles of levels instead of anomalies.

    Quantiles are cut at ``lowest``, as in ``forecast.json``.
    """
    keys = ["series", "origin", "lead"]
    normal = past[keys].merge(inputs[[*keys, "normal"]], on=keys, how="left")["normal"].to_numpy()
    quantiles = past.filter(regex=r"^q0\.").add(normal, axis=0).clip(lower=lowest)
    others = past.drop(columns=quantiles.columns).assign(observed=past["observed"] + normal)
    return pd.concat([others, quantiles], axis=1)


def noun(step: dict[str, Any]) -> str:
    """Return what the events of a step are of."""
    return "anomaly" if "anomaly" in step else "outcome"


def as_drawn(event: str, step: dict[str, Any]) -> str:
    """Return an event with its threshold in the unit of the density."""
    sign, threshold = event.split()
    return f"{sign} {float(threshold) + step.get('normal', 0.0)!r}"


def at_lowest(step: dict[str, Any]) -> str:
    """Return a sentence on the mass at the least value, or an empty string if there is none."""
    if "mass_at_lowest" not in step:
        return ""
    return f" The lowest possible value has a probability of {spoken(step['mass_at_lowest'])} of its own."


def sentence(part: dict[str, Any], domain: Any, unit: str) -> str:
    """Return dates, mean, 90 % interval and probabilities of events of the nearest step, as a sentence."""
    step = part["steps"][0]
    (low, high), digits = step["interval_90"], places(step)
    mean = forecast_mean(step, unit, domain.frequency)
    (event, chance), *others = step["events"].items()
    chances = [f"{in_words(event)} is {spoken(chance)}"]
    chances += [f"{in_words(other)} {spoken(p)}" for other, p in others]
    return (
        f"The data end with {dated(part['origin'], domain.frequency)}. For "
        f"{dated(step['time'], domain.frequency)} the forecast has a mean of {mean} "
        f"and a 90 % interval from {text(low, digits)} to {with_unit(text(high, digits), unit)}. "
        f"The probability of an {noun(step)} {listed(chances)}.{at_lowest(step)}" + untilted(part["steps"])
    )


def untilted(steps: list[dict[str, Any]]) -> str:
    """Return a sentence that names the leads at which the forecast is that of the base."""
    plain = [step["lead"] for step in steps if not step["tilt_weight"]]
    if not plain:
        return ""
    why = "the tilt did not improve past forecasts, so the forecast is that of the base."
    if len(plain) == len(steps):
        return f" {why.capitalize()}"
    return f" At lead{plural(len(plain))} {listed(plain)} {why}"


def in_sight(step: dict[str, Any]) -> str:
    """Return the first event whose threshold lies in the range of the density, or else the first event."""
    y = step["density"]["y"]
    return next(
        (e for e in step["events"] if y[0] < float(as_drawn(e, step).split()[1]) < y[-1]),
        next(iter(step["events"])),
    )


def in_words(event: str) -> str:
    """Return an event such as ``<= -2`` in words, such as ``of −2 or lower``."""
    sign, threshold = event.split()
    edge = text(float(threshold), len(threshold.partition(".")[2].rstrip("0")))
    return f"of {edge} or {'lower' if sign == '<=' else 'higher'}"


def percent(p: float) -> str:
    if p < 0.0005:
        return "< 0.1 %"
    return f"{100 * p:.1f} %"


def spoken(p: float) -> str:
    """Return a probability as text for use inside a sentence."""
    return percent(p).replace("<", "below")


def forecast_table(label: str, steps: list[dict[str, Any]], domain: Any, unit: str) -> str:
    events, level = list(steps[0]["events"]), "anomaly" in steps[0]
    digits = max(places(s) for s in steps)
    rows = [
        Row(
            dated(s["time"], domain.frequency),
            [
                Cell(text(s["mean"], digits)),
                *(
                    [Cell(signed(s["anomaly"]["mean"], digits)), Cell(text(s["normal"], digits))]
                    if level
                    else []
                ),
                *(Cell(text(quantile(s, q), digits)) for q in QUANTILES),
                *(Cell(percent(s["events"][e])) for e in events),
            ],
        )
        for s in steps
    ]
    of = "anomaly" if level else "y"
    columns = [
        "For",
        "mean",
        *(("anomaly", "normal") if level else ()),
        *(f"{100 * float(q):g} % quantile" for q in QUANTILES),
        *(f"P({of} {e.replace('<=', '≤').replace('>=', '≥').replace('-', '−')})" for e in events),
    ]
    events_of = "anomalies" if level else "outcomes"
    caption = f"{label}: mean and quantiles in {named_unit(unit)}, and probabilities of {events_of}"
    if level:
        since, until = steps[0]["base_period"]
        base_period = span(since, until, step=domain.frequency)
        normal = f"An anomaly is the difference from the normal, the mean of {base_period}"
        caption += f". {ANOMALIES.capitalize() if steps[0]['normal'] == 0 else normal}"
    return table(caption, columns, rows)
