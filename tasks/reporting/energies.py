"""Report section on energies: of past outcomes, of the next outcome by input, and by network size."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.labels import dated, input_name, listed, series_name, signed, text
from tasks.reporting.page import Section, card, pair, paragraph
from tasks.reporting.verdict import short_unit
from tasks.tilts.model import TiltedModel

Drawing = Callable[[int], str]
"""A figure at a given width."""

NORMAL = (0.05, 0.95)
"""Quantiles of the test dates' energies between which a date is normal."""

SHOWN = 8
"""Inputs named in the chart."""

TAIL = 0.025
"""Probability beyond the first and the last place at which the density follows from quantiles."""

PAST = 1000
"""Rows before the origin with which the spread of the base is compared."""


def energies(
    forecasts: pd.DataFrame,
    inputs: pd.DataFrame,
    classical: pd.DataFrame,
    model: TiltedModel,
    path: list[dict[str, Any]],
    domain: Any,
) -> Section:
    """Return the section. ``path`` has the network sizes that were tried, as in ``fits.json``."""
    content = paragraph(
        "The energy of an outcome is −log p, with p the density that the model forecast for it, in nats. It "
        "is low for outcomes that were likely and high for those that were not."
    )
    content += f'<div class="card">{by_date(forecasts, domain)}</div>'
    last = inputs.groupby("series", sort=False)["origin"].transform("max")
    today = inputs[(inputs["origin"] == last) & inputs["target"].isna()]
    today = today[today["lead"] == today["lead"].min()].drop_duplicates("series")
    past = changed(forecasts, domain)
    effects = [
        figure
        for _, row in today.head(2).iterrows()
        for figure in raised(row, inputs, classical, model, domain)
    ]
    sizes = [growth(path)] if path else []
    named = {
        "the tilt on single dates": past,
        "the effect of each input on the energy of the coming outcome": effects,
        "the choice of the network's size": sizes,
    }
    if any(named.values()):
        shown = listed(words for words, figures in named.items() if figures)
        content += paragraph(f"The following figures show {shown}.")
    if not effects:
        content += paragraph("The energy has no weight in the coming forecast, which is that of the base.")
    figures = [*past, *effects, *sizes]
    even = len(figures) // 2 * 2
    for first in range(0, even, 2):
        content += pair(*(draw(charts.HALF) for draw in figures[first : first + 2]))
    content += "".join(card(draw(charts.WIDE)) for draw in figures[even:])
    return Section("energy", "Energy", "Energy of the outcomes", content)


def by_date(forecasts: pd.DataFrame, domain: Any) -> str:
    """Return a chart of −log p of the outcome by target date, with the band that holds nine in ten values."""
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
        DateAxis(across[0], across[-1]),
    )
    worst = listed(dated(str(time), domain.frequency) for time in sorted(energy.nlargest(5).index))
    return charts.figure(
        drawn,
        f"Energy of the outcome by date. Nine in ten dates lie between the dashed lines, at {text(low)} and "
        f"{text(high)} nats. The five highest: {worst}.",
        "Energy of the outcome by date, with the band of nine in ten dates",
        [("ebm", "energy of the outcome"), ("ideal", "nine in ten dates")],
        charts.WIDE,
    )


def changed(forecasts: pd.DataFrame, domain: Any) -> list[Drawing]:
    """Return densities of base and model where the tilt gained most, lost most and changed most."""
    keys = ["series", "lead", "time"]
    ours, base = (
        forecasts[forecasts["model"] == m].sort_values(keys, ignore_index=True) for m in ("ebm", "base")
    )
    quantiles = [c for c in forecasts.columns if c.startswith("q0.")]
    spread = base["q0.75"] - base["q0.25"]
    moved = (ours[quantiles] - base[quantiles]).abs().mean(axis=1) / spread
    gain = ours["log_density"] - base["log_density"]
    finite = np.isfinite(gain) & np.isfinite(moved)
    gain, moved = gain[finite], moved[finite]
    if moved.empty or moved.max() < 1e-6:
        return []
    chosen = [
        (gain.idxmax(), "gained most"),
        (gain.idxmin(), "lost most"),
        (moved.idxmax(), "changed the forecast most"),
    ]
    figures = []
    row: Any
    for row, what in chosen:
        at = ours.loc[row]
        lines = [
            (css, density(t.loc[row, quantiles], at["observed"], t.loc[row, "log_density"]))
            for css, t in (("base", base), ("ebm", ours))
        ]
        top = max(p for _, points in lines for _, p in points)
        observed = [("observed", [(at["observed"], 0.0), (at["observed"], 0.5 * top)])]
        figures.append(
            partial(
                charts.figure,
                charts.lines([*lines, *observed], "density", short_unit(domain), height=220),
                f"{series_name(at['series'])}, {dated(str(at['time']), domain.frequency)}: the tilt "
                f"{what} here ({signed(gain[row])} nats in log score). Vertical line: the "
                f"outcome, {text(at['observed'])} {short_unit(domain)}.",
                f"Density of base and energy model where the tilt {what}",
                [("base", "base"), ("ebm", "energy model"), ("observed", "outcome")],
            )
        )

    def drawing(draw: Callable[..., str]) -> Drawing:
        return lambda wide: draw(wide=wide)

    return [drawing(draw) for draw in figures]


def density(quantiles: pd.Series, outcome: float, log_density: float) -> list[charts.Point]:
    """Return a density from the quantiles at 1 to 99 %, with exponential tails.

    It is 0.03 divided by the distance of every third quantile. A tail has the probability beyond its end, or,
    if the outcome lies there, the density of the outcome.
    """
    values = quantiles.to_numpy(float)[::3]
    width = np.maximum(np.diff(values), 1e-12)
    middles, heights = (values[1:] + values[:-1]) / 2, 0.03 / width
    tails: list[list[charts.Point]] = []
    for end, height, sign in ((middles[0], heights[0], -1), (middles[-1], heights[-1], 1)):
        away = sign * (outcome - end)
        rate = (np.log(height) - log_density) / away if away > 0 else height / TAIL
        rate = rate if rate > 0 else height / TAIL
        steps = np.linspace(0, max(np.log(50) / rate, 1.1 * away), 13)[1:]
        beyond = (end + sign * steps).tolist(), (height * np.exp(-rate * steps)).tolist()
        tails.append(list(zip(*beyond, strict=True)))
    return [*reversed(tails[0]), *zip(middles.tolist(), heights.tolist(), strict=True), *tails[1]]


def raised(
    row: pd.Series, inputs: pd.DataFrame, classical: pd.DataFrame, model: TiltedModel, domain: Any
) -> list[Drawing]:
    """Return a chart of the effect of each input on the mean energy of the next outcome.

    There is none if the energy has no weight, because the inputs then have no effect beside that of the base.

    The effect is the mean energy minus its value with this input set to the mean of the input.

    The effect of the base is that of its spread, because the mean energy of a location-scale distribution is
    its log scale plus a constant.
    """
    rows = inputs[(inputs["series"] == row["series"]) & (inputs["lead"] == row["lead"])]
    rows = rows[rows["origin"] <= row["origin"]].tail(PAST).reset_index(drop=True)
    base = model.base(classical, rows)
    spread = base.variance.sqrt().log().numpy()
    bars = [("base", "spread of the base", float(spread[-1] - spread[:-1].mean()), 0.0)]
    today, law = rows.tail(1).reset_index(drop=True), base[slice(len(rows) - 1, len(rows))]
    now = float(model.distribution(today, law).entropy()[0])
    effects = []
    for column, (center, deviation) in means(model).items():
        without = float(model.distribution(today.assign(**{column: center}), law).entropy()[0])
        away = (today.loc[0, column] - center) / deviation
        label = f"{input_name(column)}, {signed(away, 1)} sd"
        effects.append(("ebm", label, now - without, 0.0))
    effects.sort(key=lambda bar: -abs(bar[2]))
    if not any(abs(bar[2]) > 1e-6 for bar in effects):
        return []
    bars += effects[:SHOWN]
    draw = partial(
        charts.figure,
        charts.intervals(bars, "change of mean energy, nats"),
        f"{series_name(row['series'])}, {dated(str(row['origin']), domain.frequency)}: effect of "
        "each input on the mean energy of the coming outcome, compared with the input at its mean. To the "
        "right of the line an input makes the outcome less certain. The distance of each input from its "
        "mean is in standard deviations (sd).",
        "Effect of each input on the mean energy of the coming outcome",
    )
    return [lambda wide: draw(wide=wide)]


def means(model: TiltedModel) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of each training input, including those of the prior's energy."""
    config = model.config
    own = {c: (m, s) for c, m, s in zip(config.columns, config.center, config.spread, strict=True)}
    return own if model.prior is None else means(model.prior) | own


def growth(path: list[dict[str, Any]]) -> Drawing:
    """Return a chart of the gain of each network size over the size kept before it, ± one standard error."""
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
        charts.intervals(bars, "gain over the size kept before, nats"),
        "Choice of the network's size. A larger network is kept only if its gain on past years over the one "
        "kept before exceeds one standard error, which the whiskers show.",
        "Gain of each network size over the one kept before",
        wide=wide,
    )
