"""Report section on risk: value at risk and its exceptions, the worst outcomes, and drawdowns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts, risk_charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.exceptions import CHARTED, beyond, is_recalibrated, tail_content
from tasks.reporting.labels import dated, decimals, in_sentence, named_unit, series_name, text, with_unit
from tasks.reporting.page import Cell, Row, Section, card, pair, paragraph, part, table
from tasks.reporting.prices import drawdown_path, drawdown_unit, drawdowns, levels_of, price_title
from tasks.reporting.risk_ahead import next_by_model, next_risks, period
from tasks.reporting.verdict import Block, short_unit, strongest
from tasks.scoring.predictive import TAIL_LEVELS

DRAWN = 3
"""Series with charts and lists of outcomes. The tables of exceptions have all series."""

WORST = 10
"""Outcomes in the table of the worst ones."""

DEEPEST = 5
"""Drawdowns in the table."""

BASEL_DAYS, BASEL_ZONES = 250, (4, 9)
"""Days of the traffic light of the Basel Committee, and most exceptions in its green and yellow zones."""


def risk(
    found: Sequence[Block],
    forecasts: pd.DataFrame,
    raw: pd.DataFrame,
    latest: dict[str, Any],
    ahead: dict[str, Any],
    domain: Any,
) -> Section:
    """Return the section.

    ``forecasts`` are those of one step with ``var_*`` and ``shortfall_*``, ``raw`` is the table of closes,
    ``latest`` has every model's latest forecast, as in ``scores.json``, and ``ahead`` is the content of
    ``forecast.json``.
    """
    rival = strongest(found)
    content = next_risks(ahead, domain) + tail_content(found, forecasts)
    names = list(dict.fromkeys(forecasts["series"]))
    for name in names[:DRAWN]:
        rows = forecasts[forecasts["series"] == name].sort_values("time")
        ours = rows[rows["model"] == "ebm"].reset_index(drop=True)
        of_series = exceptions_chart(ours, domain) + shortfall_table(ours, domain)
        of_series += worst_outcomes(rows, rival, domain)
        of_series += price_content(raw[raw["series"] == name], ours, domain)
        of_series += next_by_model(latest.get(str(name), {}), rival, domain)
        content += part(series_name(name), of_series) if len(names) > 1 else of_series
    if len(names) > DRAWN:
        content += paragraph(f"Charts are of the first {DRAWN} of the {len(names)} series.", "soft")
    return Section("risk", "Risk", "Value at risk, worst outcomes and drawdowns", content)


def exceptions_chart(ours: pd.DataFrame, domain: Any) -> str:
    """Return a chart of the outcomes with VaR at 1 and 5 %, whose exceptions are marked."""
    across, observed = years(pd.DatetimeIndex(ours["time"])), ours["observed"].to_numpy()
    below = {level: observed <= ours[f"var_{level:g}"].to_numpy() for level in TAIL_LEVELS}

    def points(values: Any, chosen: Any = None) -> list[charts.Point]:
        kept = range(len(across)) if chosen is None else np.flatnonzero(chosen)
        return [(across[i], float(values[i])) for i in kept]

    drawn = risk_charts.value_at_risk(
        points(observed),
        [
            ("base", points(ours["var_0.05"].to_numpy())),
            ("ebm", points(ours["var_0.01"].to_numpy())),
            ("ideal", points(ours["shortfall_0.01"].to_numpy())),
        ],
        points(observed, below[0.05] & ~below[0.01]),
        points(observed, below[0.01]),
        f"outcome, {short_unit(domain)}",
        DateAxis(across[0], across[-1]),
    )
    changed = is_recalibrated(ours)
    counts = [
        f"{100 * p:g} %: {below[p].sum()}, {text(p * len(ours), 1)} expected"
        + f" ({beyond(ours, p).sum()} of the plain quantile)" * changed
        for p in CHARTED
    ]
    light = traffic_light(below[0.01], beyond(ours, 0.01) if changed else None, domain)
    kind, added = ("recalibrated value at risk", ", recalibrated") if changed else ("value at risk", "")
    figure = charts.figure(
        drawn,
        f"Outcomes and the {kind} that the energy model forecast for them. Exceptions at "
        f"{'; at '.join(counts)}.{light}",
        "Outcomes, value at risk at 1 and 5 % and exceptions over time",
        [
            ("", "outcome"),
            ("base", f"VaR 5 %{added}"),
            ("ebm", f"VaR 1 %{added}"),
            ("ideal", "expected shortfall 1 %"),
            ("fill alarm", "exception at 1 %"),
            ("fill false-alarm", "exception at 5 % alone"),
        ],
        charts.WIDE,
    )
    return card(figure)


def traffic_light(below: np.ndarray, plain: np.ndarray | None, domain: Any) -> str:
    """Return a sentence with the zone of Basel's traffic light, or an empty string without enough days.

    ``below`` are the exceptions of the VaR by day, and ``plain`` those of the plain quantile if they differ.
    """
    if domain.frequency != "B" or len(below) < BASEL_DAYS:
        return ""
    green, yellow = BASEL_ZONES
    count = int(below[-BASEL_DAYS:].sum())
    words = (
        f" Of the latest {BASEL_DAYS} days, {count} were exceptions at 1 %, which is the {zone(count)} zone "
        f"of the traffic light of the Basel Committee (green to {green}, yellow to {yellow})."
    )
    if plain is None:
        return words
    count = int(plain[-BASEL_DAYS:].sum())
    return f"{words} The plain quantile had {count}, which is the {zone(count)} zone."


def zone(count: int) -> str:
    """Return the zone of Basel's traffic light for a number of exceptions at 1 % in ``BASEL_DAYS`` days."""
    green, yellow = BASEL_ZONES
    return "green" if count <= green else "yellow" if count <= yellow else "red"


def shortfall_table(ours: pd.DataFrame, domain: Any) -> str:
    """Return a table that compares the outcomes on days of exceptions with the expected shortfall."""
    rows, changed, unit = [], is_recalibrated(ours), named_unit(short_unit(domain))
    for level in TAIL_LEVELS:
        chosen = ours[ours["observed"] <= ours[f"var_{level:g}"]]
        expected, real = ours[f"shortfall_{level:g}"], chosen["observed"]
        at_fault = chosen[f"shortfall_{level:g}"]
        places = decimals([ours[f"var_{level:g}"].abs().mean()])
        cells = [
            Cell(text(ours[f"var_{level:g}"].mean(), places)),
            Cell(text(expected.mean(), places)),
            Cell(text(level * len(ours), 1)),
            Cell(str(len(chosen))),
            *([Cell(str(int(beyond(ours, level).sum())))] if changed else []),
            Cell(text(real.mean(), places) if len(chosen) else "–"),
            Cell(text(at_fault.mean(), places) if len(chosen) else "–"),
        ]
        rows.append(Row(f"{100 * level:g} %", cells))
    return table(
        f"{'Recalibrated value' if changed else 'Value'} at risk and expected shortfall of the energy model "
        f"in {unit}. The expected shortfall (ES) is the mean of the outcomes below the "
        "value at risk. If it is right, the last two columns agree within chance.",
        [
            "Level",
            "mean VaR",
            "mean ES",
            "exceptions expected",
            "found",
            *(["found, plain quantile"] if changed else []),
            "mean outcome of them",
            "mean ES of them",
        ],
        rows,
    )


def worst_outcomes(rows: pd.DataFrame, rival: str, domain: Any) -> str:
    """Return a table of the lowest outcomes and of what the models forecast for those dates."""
    ours = rows[rows["model"] == "ebm"].set_index("time")
    worst = ours.nsmallest(min(WORST, len(ours)), "observed")
    shown = ["ebm", rival, "base"]
    pit = {m: rows[rows["model"] == m].set_index("time")["pit"].to_dict() for m in shown}
    places = decimals([float(ours["observed"].abs().mean())])
    lines, unit = [], named_unit(short_unit(domain))
    for time, row in worst.iterrows():
        cells = [Cell(text(row["observed"], places))]
        cells += [Cell(text(row[c], places)) for c in ("var_0.05", "var_0.01", "shortfall_0.01")]
        cells += [Cell(one_in(pit[m][time])) for m in shown]
        lines.append(Row(dated(str(time), domain.frequency), cells))
    columns = ["Date", "outcome", "VaR 5 %", "VaR 1 %", "ES 1 %"]
    columns += [f"{in_sentence(m)}: 1 in" for m in shown]
    return table(
        f"The lowest outcomes, and what was forecast for them one {period(domain)} before, in "
        f"{unit}. VaR and ES are {'the recalibrated ones' * is_recalibrated(rows) or 'those'} "
        "of the energy model. Last columns: the probability of an outcome as low or lower by the forecast "
        "distribution, as one in so many.",
        columns,
        lines,
    )


def one_in(probability: float) -> str:
    """Return a probability as the number of cases of which one has the event.

    Examples
    --------
    >>> one_in(0.3), one_in(0.004), one_in(1e-9)
    ('3.3', '250', '> 1,000,000')
    """
    if probability < 1e-6:
        return "> 1,000,000"
    count = 1 / probability
    return text(count, 1) if count < 10 else f"{float(f'{count:.2g}'):,.0f}"


def price_content(raw: pd.DataFrame, ours: pd.DataFrame, domain: Any) -> str:
    """Return charts of the price and its drawdowns over the test block, and a table of the deepest."""
    level = levels_of(raw, domain)
    level = level[(level.index >= ours["origin"].min()) & (level.index <= ours["time"].max())]
    if len(level) < 2:
        return ""
    across, fall, unit = years(level.index), drawdown_path(level, domain), drawdown_unit(domain)
    drawn = risk_charts.price_and_drawdown(
        list(zip(across, level.tolist(), strict=True)),
        list(zip(across, fall.tolist(), strict=True)),
        (price_title(domain), f"drawdown{', ' * bool(unit)}{unit}"),
        DateAxis(across[0], across[-1]),
    )
    name = price_title(domain).split(",")[0]
    content = pair(
        charts.figure(
            drawn[0],
            f"The {name} over the test block.",
            f"The {name} over the test block",
            [("observed", name)],
        ),
        charts.figure(
            drawn[1],
            f"Drawdown: fall of the {name} from its highest value of the test block so far.",
            f"Drawdown of the {name} over the test block",
            [("danger", "drawdown")],
        ),
    )
    deepest = drawdowns(level, domain)[:DEEPEST]
    if not deepest:
        return content + paragraph(f"The {name} was never below its highest value of the test block so far.")
    below = (ours["observed"] <= ours["var_0.05"]).to_numpy()
    places = decimals([d.depth for d in deepest[:1]])
    rows = []
    for d in deepest:
        inside = ((ours["time"] > d.peak) & (ours["time"] <= d.trough)).to_numpy()
        rows.append(
            Row(
                dated(str(d.peak), domain.frequency),
                [
                    Cell(dated(str(d.trough), domain.frequency)),
                    Cell(dated(str(d.end), domain.frequency) if d.end is not None else "not yet"),
                    Cell(with_unit(text(d.depth, places), unit)),
                    Cell(f"{d.rows:,}"),
                    Cell(f"{int((below & inside).sum())} of {int(inside.sum())}"),
                ],
            )
        )
    return content + table(
        "The deepest drawdowns of the test block. Last column: exceptions of the energy model's "
        f"{'recalibrated ' * is_recalibrated(ours)}VaR at 5 % among the forecasts from the peak to the "
        "lowest value.",
        ["Peak", "lowest", "peak reached again", "depth", f"{period(domain)}s", "VaR 5 % exceptions"],
        rows,
    )
