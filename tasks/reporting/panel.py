"""Report sections on joint densities of many series: scores, gains by year, fan, energy, tail dependence."""

from typing import Any

import pandas as pd

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.canvas import Canvas
from tasks.reporting.labels import in_sentence, model_name, model_note, signed, text, with_unit
from tasks.reporting.page import Cell, Row, Section, card, paragraph, part, table
from tasks.reporting.verdict import short_unit

IN_SET = 0.1
"""Least p-value of a model in the 90 % model confidence set."""

DAYS = 120
"""Latest days in the fan of a portfolio."""

SCORES = {
    "log_score": ("log score, nats", 3),
    "energy_score": ("energy score", 4),
    "variogram_score": ("variogram score", 2),
}
"""Joint scores, with their names and decimals."""


def joint_section(joint: dict[str, Any]) -> Section:
    """Return the section that compares the joint densities of the models."""
    fall = f"{joint['together']['fall']:g}"
    content = paragraph(
        "All models have the same forecasts of each series alone, and differ in how the series move "
        "together. The log score is the mean log of the joint density that a model gave to the returns of a "
        "date. The energy score and the variogram score compare draws with the returns. Lower is better. "
        "The Brier score is that of the probability that at least a quarter of the series fall by more than "
        f"{fall}, "
        f"which happened on {joint['together']['happened']} of {joint['n']:,} dates."
    )
    rows = []
    for model, found in joint["models"].items():
        cells = []
        for score, (_, digits) in SCORES.items():
            in_set = found.get(f"{score}_mcs_p", 0.0) >= IN_SET
            cells.append(Cell(text(found.get(score), digits), "in the confidence set" if in_set else ""))
        cells.append(Cell(text(joint["together"][model]["brier"], 4)))
        rows.append(Row(model_name(model), cells, _css(model), model_note(model)))
    columns = ["Model", *(name for name, _ in SCORES.values()), "Brier score"]
    content += table("Mean scores over all dates.", columns, rows)
    gains = []
    for model, found in joint["paired"].items():
        cells = [_gain(found.get(score), digits) for score, (_, digits) in SCORES.items()]
        gains.append(Row(f"over {in_sentence(model)}", [*cells, _gain(found.get("brier"), 4)], _css(model)))
    content += table(
        "Gain of the energy model over each peer: positive where the energy model is better, with its t.",
        columns,
        gains,
    )
    error = joint["log_z_error"]
    content += paragraph(
        f"The standard error of log Z was {text(error['median'], 4)} nats at the median date and "
        f"{text(error['worst'], 4)} at the worst.",
        "soft",
    )
    return Section("joint", "Jointly", "All series together", content)


def _css(model: str) -> str:
    return "model " + {"ebm": "ebm", "base": "base"}.get(model, "peer")


def _gain(gain: dict[str, Any] | None, digits: int) -> Cell:
    if gain is None:
        return Cell("")
    return Cell(signed(gain["gain"], digits), f"t = {text(gain['t'], 1)}")


def years_section(joint: dict[str, Any]) -> Section:
    """Return the section with the gain in log score of each year."""
    peers = list(next(iter(joint["by_year"].values())))
    rows = [
        Row(year, [*(_gain(found[peer], 3) for peer in peers), Cell(text(joint["weights"].get(year), 2))])
        for year, found in joint["by_year"].items()
    ]
    content = paragraph(
        "The models were refitted each year on earlier rows. The weight of the energy in a year is the one "
        "with the highest log score in the years before; with a weight of 0 the forecast is that of the base."
    )
    columns = ["Year", *(f"over {in_sentence(peer)}" for peer in peers), "weight"]
    content += table("Gain in log score of the energy model, in nats a date, with its t.", columns, rows)
    return Section("years", "By year", "Gain by year", content)


def fan_section(forecasts: pd.DataFrame, domain: Any) -> Section:
    """Return the section with the latest forecasts of each portfolio by the energy model."""
    ours = forecasts[forecasts["model"] == "ebm"]
    content = ""
    for name, rows in ours.groupby("series", sort=False):
        *history, last = rows.sort_values("time").tail(DAYS + 1).to_dict("records")
        xs = years(pd.DatetimeIndex([row["time"] for row in (*history, last)]))
        past = [(x, row["observed"], row["q0.05"], row["q0.95"]) for x, row in zip(xs, history, strict=False)]
        ahead = [(xs[-1], tuple(last[f"q0.{level}"] for level in ("05", "25", "50", "75", "95")))]
        figure = charts.figure(
            charts.fan(past, ahead, f"return, {short_unit(domain)}", DateAxis(xs[0], xs[-1])),
            f"Returns of the portfolio with the 90 % intervals that were forecast for them, and the forecast "
            f"for the last date, {last['time']:%Y-%m-%d}. VaR at 1 % there: {text(last['var_0.01'], 2)}, "
            f"expected shortfall {text(last['shortfall_0.01'], 2)}.",
            f"Forecasts of the portfolio {name}",
            [
                ("observed", "return"),
                ("band", "90 % interval"),
                ("ebm", "median of the last"),
                ("fan2", "50 %"),
                ("fan1", "90 %"),
            ],
            charts.WIDE,
        )
        content += part(f"Portfolio {name}", card(figure))
    return Section("portfolio", "Portfolio", "The latest forecasts of the portfolio", content)


def energy_section(days: pd.DataFrame, joint: dict[str, Any], unit: str) -> Section:
    """Return the section with the energy of each day.

    ``days`` has the column ``energy`` by date. The highest days of the block ``joint`` are named.
    """
    energy = joint["energy"]
    xs, band = years(days.index), energy["band"]
    points = list(zip(xs, days["energy"].tolist(), strict=True))
    bounds = [("reference", [(xs[0], edge), (xs[-1], edge)]) for edge in band]
    draw = charts.lines([("ebm", points), *bounds], "energy, nats", "", DateAxis(xs[0], xs[-1]))

    def named(width: int) -> Canvas:
        canvas = draw(width)
        for row in energy["highest"][: 5 if width >= charts.WIDE else 2]:
            place = years(pd.DatetimeIndex([row["time"]]))[0]
            late = place > xs[0] + 0.85 * (xs[-1] - xs[0])
            canvas.label(
                (place, row["energy"]), row["time"], anchor="end" if late else "start", dx=-5 if late else 5
            )
        return canvas

    content = paragraph(
        "The energy of a day is minus the log of the density that the model gave, before the day, to its "
        "returns in units of their forecast scales and correlations. It is high if returns are "
        "large, or if series move together as they seldom do."
    )
    content += card(
        charts.figure(
            named,
            "Energy of each day. The days with the highest energies are named.",
            "Joint energy by day",
            [("ebm", "energy"), ("reference", "5 % and 95 % of all days")],
            charts.WIDE,
        )
    )
    portfolio = next(iter(energy["highest"][0]["portfolios"]))
    rows = [
        Row(
            row["time"],
            [
                Cell(text(row["energy"], 1)),
                Cell(with_unit(signed(row["portfolios"][portfolio], 2), unit)),
                Cell(
                    ", ".join(f"{name} {signed(value, 1)}" for name, value in row["drivers"].items()),
                    css="words",
                ),
            ],
        )
        for row in energy["highest"]
    ]
    columns = ["Day", "energy, nats", f"portfolio {portfolio}", "series that add most, nats"]
    content += table("Days with the highest energy.", columns, rows, words=(3,))
    return Section("energy", "Energy", "The energy of each day", content)


def tail_dependence_section(joint: dict[str, Any]) -> Section:
    """Return the section that compares realised lower-tail dependence with that of the models."""
    tails = joint["tail_dependence"]
    level = f"{100 * tails['level']:g} %"
    content = paragraph(
        f"Lower-tail dependence is the probability that one series is below its {level} quantile if another "
        f"one is. Independent series have {tails['level']:g}. The models' values are means over "
        f"{tails['dates']} dates of the test block."
    )
    models = list(tails["mean"])
    rows = [Row("mean of all pairs", [Cell(text(tails["mean"][model], 3)) for model in models])]
    rows += [
        Row(" and ".join(pair["series"]), [Cell(text(pair["values"][model], 2)) for model in models])
        for pair in tails["pairs"]
    ]
    columns = ["Series", *("realised" if model == "realised" else model_name(model) for model in models)]
    content += table(f"Lower-tail dependence at {level}.", columns, rows)
    return Section("tails", "Tail dependence", "Falls of two series at once", content)
