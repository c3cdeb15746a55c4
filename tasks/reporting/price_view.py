"""Forecast of returns in the unit of the price: chart and quantiles."""

from html import escape
from typing import Any

import pandas as pd

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.forecast import HISTORY, QUANTILES, quantile
from tasks.reporting.labels import dated, decimals, series_name, text
from tasks.reporting.page import Cell, Row, card, paragraph, table
from tasks.reporting.prices import levels_of, moved, price_title

DRAWN = 3
"""Series with a chart. The table has all series."""


def price_view(forecast: dict[str, Any], past: pd.DataFrame, raw: pd.DataFrame, domain: Any) -> str:
    """Return a chart and a table of the forecast of each series in the unit of its price.

    ``past`` has the energy model's rows of ``forecasts.parquet``, and ``raw`` is the table of closes.
    """
    title, names = price_title(domain), list(forecast["series"])
    content = f"<h3>In the unit of the {title.split(',')[0]}</h3>" if names else ""
    lines, named = [], len(names) > 1
    for name, part in forecast["series"].items():
        level = levels_of(raw[raw["series"] == name], domain)
        if level.empty:
            continue
        last = float(level.iloc[-1])
        step = part["steps"][0]
        ahead = {q: float(moved(last, quantile(step, q), domain)) for q in QUANTILES}
        places = decimals([ahead["0.05"], ahead["0.95"]], 5)
        cells = [Cell(text(last, places)), *(Cell(text(ahead[q], places)) for q in QUANTILES)]
        when = dated(step["time"], domain.frequency)
        lines.append(Row(series_name(name), cells, small=when) if named else Row(when, cells))
        if len(lines) > DRAWN:
            continue
        if named:
            content += f"<h4>{escape(series_name(name))}</h4>"
        history = past[past["series"] == name].sort_values("time").tail(HISTORY.get(domain.frequency, 60))
        before = level.reindex(pd.DatetimeIndex(history["origin"])).to_numpy()
        rows = list(
            zip(
                years(pd.DatetimeIndex(history["time"])),
                *(
                    moved(before, history[column].to_numpy(), domain).tolist()
                    for column in ("observed", "q0.05", "q0.95")
                ),
                strict=True,
            )
        )
        place = years(pd.DatetimeIndex([step["time"]]))[0]
        fan = charts.fan(
            rows,
            [(place, [ahead[q] for q in ("0.05", "0.25", "0.50", "0.75", "0.95")])],
            "",  # numbers of many digits take the place of a title
            DateAxis(rows[0][0], place),
        )
        content += card(
            charts.figure(
                fan,
                f"{title.split(',')[0].capitalize()} and the 90 % intervals that were forecast for it one "
                "step before. To the right of the dotted line: the forecast, with its 50 % interval "
                "(darker) and its 90 % interval.",
                f"{series_name(name)}: {title} and its forecast",
                [
                    ("observed", title.split(",")[0]),
                    ("band", "90 % interval forecast for it"),
                    ("ebm", "forecast, median"),
                    ("fan2", "forecast, 50 % interval"),
                    ("fan1", "forecast, 90 % interval"),
                ],
                charts.WIDE,
            )
        )
    if len(lines) > DRAWN:
        content += paragraph(f"Charts are of the first {DRAWN} of the {len(lines)} series.", "soft")
    columns = ["For", "last value", *(f"{100 * float(q):g} % quantile" for q in QUANTILES)]
    return content + table(f"Quantiles of the next {title.split(',')[0]}", columns, lines)
