"""The energy of each day, what the tilt changed, which inputs raise today's energy, and how it grew."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.comparison import year_marks, years
from tasks.reporting.labels import dated, series_name, signed, text
from tasks.reporting.page import Section, card, pair, paragraph
from tasks.reporting.verdict import short_unit
from tasks.tilts.model import TiltedModel

Drawing = Callable[[int], str]
"""A figure at a given width."""

NORMAL = (0.05, 0.95)
"""Share of days below the lower and below the upper edge of the band of normal days."""

SHOWN = 8
"""Inputs named in the chart."""

PAST = 1000
"""Rows before today against which its spread is held."""


def energies(
    forecasts: pd.DataFrame,
    inputs: pd.DataFrame,
    classical: pd.DataFrame,
    model: TiltedModel,
    path: list[dict[str, Any]],
    domain: Any,
) -> Section:
    """``path`` are the growth steps of the registered model, as in ``fits.json``."""
    content = paragraph(
        "Energy here is −log p of what happened, in nats: low ground is what the model expected, peaks are "
        "what surprised it."
    )
    content += f'<div class="card">{by_day(forecasts)}</div>'
    content += paragraph(
        "What the tilt changed on three telling dates, which inputs raise the energy expected next, and how "
        "large the network was allowed to grow."
    )
    last = inputs.groupby("series", sort=False)["origin"].transform("max")
    today = inputs[(inputs["origin"] == last) & inputs["target"].isna()]
    today = today[today["lead"] == today["lead"].min()].drop_duplicates("series")
    figures = changed(forecasts, domain)
    figures += [raised(row, inputs, classical, model, domain) for _, row in today.head(2).iterrows()]
    figures += [growth(path)] if path else []
    even = len(figures) // 2 * 2
    for first in range(0, even, 2):
        content += pair(*(draw(charts.HALF) for draw in figures[first : first + 2]))
    content += "".join(card(draw(charts.WIDE)) for draw in figures[even:])
    return Section("energy", "Energy", "The energy of each day", content)


def by_day(forecasts: pd.DataFrame) -> str:
    """−log p of what happened by target date, averaged over series and leads, with the band of most days."""
    ours = forecasts[forecasts["model"] == "ebm"]
    energy = -ours.groupby("time")["log_density"].mean()
    low, high = energy.quantile(NORMAL)
    across = years(energy.index)
    drawn = charts.lines(
        [
            ("ebm", list(zip(across, energy.tolist(), strict=True))),
            ("ideal", [(across[0], low), (across[-1], low)]),
            ("ideal", [(across[0], high), (across[-1], high)]),
        ],
        "energy, nats",
        "",
        year_marks(across[0], across[-1]),
    )
    worst = ", ".join(f"{time:%d %b %Y}" for time in sorted(energy.nlargest(5).index))
    return charts.figure(
        drawn,
        f"Energy of each test date. Nine in ten lie between the dashed lines ({text(low)}, {text(high)} "
        f"nats). The highest: {worst}.",
        "Energy of each test date against the band of normal days",
        wide=charts.WIDE,
    )


def changed(forecasts: pd.DataFrame, domain: Any) -> list[Drawing]:
    """Base against model on the dates where the tilt helped most, hurt most, and moved the forecast most."""
    keys = ["series", "lead", "time"]
    ours, base = (
        forecasts[forecasts["model"] == m].sort_values(keys, ignore_index=True) for m in ("ebm", "base")
    )
    quantiles = [c for c in forecasts.columns if c.startswith("q0.")]
    spread = base["q0.75"] - base["q0.25"]
    moved = (ours[quantiles] - base[quantiles]).abs().mean(axis=1) / spread
    if moved.max() < 1e-6:
        return []
    gain = ours["log_density"] - base["log_density"]
    told = [(gain.idxmax(), "helped most"), (gain.idxmin(), "hurt most"), (moved.idxmax(), "changed most")]
    figures = []
    row: Any
    for row, what in told:
        at = ours.loc[row]
        lines = [(css, density(t.loc[row, quantiles])) for css, t in (("base", base), ("ebm", ours))]
        top = max(p for _, points in lines for _, p in points)
        observed = [("observed", [(at["observed"], 0.0), (at["observed"], 0.5 * top)])]
        figures.append(
            partial(
                charts.figure,
                charts.lines([*lines, *observed], "density", short_unit(domain), height=220),
                f"{escape(series_name(at['series']))}, {dated(str(at['time']), domain.frequency)}: where the "
                f"tilt {what} ({signed(gain[row])} nats). Black: what happened, {text(at['observed'])}.",
                f"Density of base and energy model where the tilt {what}",
                [("base", "base"), ("ebm", "energy model"), ("observed", "outcome")],
            )
        )

    def drawing(draw: Callable[..., str]) -> Drawing:
        return lambda wide: draw(wide=wide)

    return [drawing(draw) for draw in figures]


def density(quantiles: pd.Series) -> list[charts.Point]:
    """A density from quantiles at 1 to 99 %: probability between each third one over their distance."""
    values = quantiles.to_numpy(float)[::3]
    width = np.maximum(np.diff(values), 1e-12)
    return list(zip(((values[1:] + values[:-1]) / 2).tolist(), (0.03 / width).tolist(), strict=True))


def raised(
    row: pd.Series, inputs: pd.DataFrame, classical: pd.DataFrame, model: TiltedModel, domain: Any
) -> Drawing:
    """How far the mean energy of the coming outcome lies above what it is with an input at its mean.

    The base counts by its spread: the mean energy of a location-scale law is its log scale and a constant.
    """
    rows = inputs[(inputs["series"] == row["series"]) & (inputs["lead"] == row["lead"])]
    rows = rows[rows["origin"] <= row["origin"]].tail(PAST).reset_index(drop=True)
    base = model.base(classical, rows)
    spread = base.variance.sqrt().log().numpy()
    bars = [("base", "spread of the base against its past", float(spread[-1] - spread[:-1].mean()), 0.0)]
    today, law = rows.tail(1).reset_index(drop=True), base[slice(len(rows) - 1, len(rows))]
    now = float(model.distribution(today, law).entropy()[0])
    effects = []
    for column, (center, deviation) in means(model).items():
        without = float(model.distribution(today.assign(**{column: center}), law).entropy()[0])
        away = (today.loc[0, column] - center) / deviation
        label = f"{column.removeprefix('x_')}, {signed(away, 1)} sd"
        effects.append(("ebm", label, now - without, 0.0))
    effects.sort(key=lambda bar: -abs(bar[2]))
    if any(abs(bar[2]) > 1e-6 for bar in effects):
        bars += effects[:SHOWN]
    return lambda wide: charts.figure(
        charts.intervals(bars, "mean energy, nats"),
        f"{escape(series_name(row['series']))}, {dated(str(row['origin']), domain.frequency)}: which inputs "
        "raise the energy that is expected of the coming outcome (right of the line: more danger). Each "
        "against its mean; sd: standard deviations from it.",
        "Effect of each input on the mean energy of the coming outcome",
        wide=wide,
    )


def means(model: TiltedModel) -> dict[str, tuple[float, float]]:
    """Mean and deviation of each input in training, those of the prior's energy included."""
    config = model.config
    own = {c: (m, s) for c, m, s in zip(config.columns, config.center, config.spread, strict=True)}
    return own if model.prior is None else means(model.prior) | own


def growth(path: list[dict[str, Any]]) -> Drawing:
    """Gain of each capacity over the one kept before it, ± one standard error over past years."""
    bars = [
        (
            "ebm" if step["kept"] else "peer",
            f"{step['capacity'] or 'no'} hidden units: {'kept' if step['kept'] else 'not kept'}",
            step["step_gain"],
            step["step_se"],
        )
        for step in path
    ]
    return lambda wide: charts.figure(
        charts.intervals(bars, "gain over the step before, nats"),
        "How the energy grew: a larger network is kept only where its past gain over the one kept before "
        "exceeds one standard error (the whisker).",
        "Capacity path: gain of each size over the one before",
        wide=wide,
    )
