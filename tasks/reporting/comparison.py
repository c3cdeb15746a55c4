"""Report sections that compare the model with its peers: scores, calibration, and the gain over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.labels import (
    decimals,
    in_sentence,
    listed,
    model_name,
    model_note,
    plural,
    scientific,
    signed,
    text,
    with_article,
)
from tasks.reporting.page import Cell, Row, Section, folded, pair, paragraph, table
from tasks.reporting.verdict import Block, crps_unit, holm, in_unit, or_infinity, strongest, together
from tasks.runtime.frequencies import frequency

IN_SET = 0.1
"""Least p-value of a model in the 90 % model confidence set."""

CHARTED = 6
"""Most leads in the chart of gains. The tables have all of them."""

CERTAIN = 0.05
"""Adjusted p-value below which a gain is shown in bold."""

WIDEST = 6
"""Most columns of a table of models, beyond which each series has a row in a table of its own."""

NATS = (
    "The log score is the logarithm of the density that a forecast gave to the outcome, in nats. A gain of "
    "0.01 nats a forecast means that the energy model gave the outcomes 1 % more density than the peer, in "
    "the geometric mean. It punishes tails that are too thin more than the CRPS does."
)


def row_class(model: str, rival: str) -> str:
    return "model " + {"ebm": "ebm", "base": "base", rival: "reference"}.get(model, "peer")


def score_table(found: Sequence[Block], score: str, in_set: str, caption: str, rival: str) -> str:
    """Return a table with a row for each model, a column for each block, and the best of a column in bold.

    ``in_set`` is the key of the p-values of the model confidence set. Lower is better for the CRPS alone.
    """
    models = list(found[0].models)
    lower = score == "crps"
    best, digits = [], []
    for b in found:
        scores = {m: b.models[m][score] for m in models if m in b.models}
        loss = {m: or_infinity(score if lower else -score) for m, score in scores.items()}
        best.append(min(loss, key=loss.__getitem__))
        digits.append(decimals(scores.values(), 4) if lower else 4)
    rows = [
        Row(
            model_name(m),
            [
                Cell(
                    text(b.models[m][score], places),
                    "in the confidence set" if b.models[m].get(in_set, 0.0) >= IN_SET else "",
                    "num best" if m == top else "num",
                )
                for b, top, places in zip(found, best, digits, strict=True)
            ],
            row_class(m, rival),
            model_note(m),
        )
        for m in models
    ]
    return table(caption, ["Model", *(b.label for b in found)], rows)


def gain_table(found: Sequence[Block], rival: str, of_crps: bool, caption: str) -> str:
    """Return a table of the gain over each peer, with its standard error, t and Holm-corrected p."""
    rows = []
    gains = {
        (b.label, peer): d["crps"] if of_crps else {**d, "gain": d["log_score_gain"]}
        for b in found
        for peer, d in b.paired.items()
    }
    chance = holm({key: d["p"] for key, d in gains.items()})
    places = {b.label: decimals([m["crps"] for m in b.models.values()], 4) if of_crps else 3 for b in found}
    for peer in found[0].paired:
        cells = []
        for b in found:
            d, p_value = gains[b.label, peer], chance[b.label, peer]
            p = "p < 0.001" if p_value < 0.001 else f"p = {text(p_value, 3)}"
            share = f"{signed(b.paired[peer]['crps_gain_pct'], 1)} %, " if of_crps else ""
            cells.append(
                Cell(
                    f"{signed(d['gain'], places[b.label])} ± {text(d['se'], places[b.label])}",
                    f"{share}t = {text(d['t'], 1)}, {p}",
                    "num best" if p_value < CERTAIN else "num",
                )
            )
        rows.append(Row(f"over {in_sentence(peer)}", cells, row_class(peer, rival)))
    return table(caption, ["Gain", *(b.label for b in found)], rows)


def series_table(found: Sequence[Block], rival: str, domain: Any) -> str:
    """Return a table with a row for each series and lead: CRPS of the model, its rival and its base."""
    rows = []
    for b in found:
        crps = [b.models[m]["crps"] for m in ("ebm", rival, "base")]
        cells = [Cell(text(value, decimals(crps, 4))) for value in crps]
        for peer in (rival, "base"):
            d = b.paired[peer]
            cells.append(Cell(f"{signed(d['crps_gain_pct'], 1)} %", f"t = {text(d['crps']['t'], 1)}"))
        rows.append(Row(b.label, cells))
    columns = ["Series", "energy model", in_sentence(rival), "its own base"]
    columns += [f"gain over {in_sentence(rival)}", "gain over its own base"]
    caption = f"Mean CRPS of each series {in_unit(domain)}, and the gain of the energy model in per cent."
    return folded("Each series", table(caption, columns, rows))


def comparison(found: Sequence[Block], scores: dict[str, Any], domain: Any) -> Section:
    """Return the section that compares the model with its peers, by CRPS and then by log score."""
    rival, whole = strongest(found), together(found)
    shown = found if len(found) <= WIDEST else whole
    content = paragraph(
        "All models made their forecasts in the same way. They were fitted on past data alone and scored on "
        "the dates that followed. The CRPS is the mean distance between forecast and outcome, "
        f"{in_unit(domain)}. Lower is better. For a forecast of a single number it is the absolute error."
    )
    content += paragraph(
        f"The strongest rival is {with_article(rival)}, the peer with the lowest CRPS on this test block"
        + (", as a mean over all leads" if len(whole) > 1 else "")
        + ". It was chosen from the results themselves, so the comparison with it favours the rival. "
        + (
            f"The reference that was named beforehand is {with_article(domain.reference)}. "
            if domain.reference != rival
            else "It is also the reference that was named beforehand. "
        )
        + f"The base is part of the energy model and is not counted as a rival.{best_by_lead(whole)}"
    )
    if len(whole) > 1:
        content += pair(crps_by_lead(whole, rival, domain), gain_figure(lead_bars(whole, rival), domain))
    else:
        bars = [
            (row_class(p, rival), f"over {in_sentence(p)}", d["crps"]["gain"], 1.96 * d["crps"]["se"])
            for p, d in whole[0].paired.items()
        ]
        content += f'<div class="card">{gain_figure(bars, domain, charts.WIDE)}</div>'
    in_set = (
        "In the confidence set: in the 90 % model confidence set, whose models no other model beats clearly. "
        "It also depends on how much the differences vary from date to date, so that a model with a "
        "worse mean may be in the set and one with a better mean not."
    )
    content += score_table(
        shown,
        "crps",
        "crps_mcs_p",
        f"Mean CRPS {in_unit(domain)}. Lower is better. Bold: the best of a column. {in_set}",
        rival,
    )
    tested = (
        "Below it: {}t and p with Holm's correction for the number of tests in this table. Bold: p below 5 %."
    )
    content += gain_table(
        shown,
        rival,
        True,
        f"CRPS of each peer less that of the energy model {in_unit(domain)}, ± one standard error. The "
        f"energy model is better where the gain is positive. {tested.format('the gain in per cent, ')}",
    )
    if shown is whole and len(found) > len(whole):
        content += series_table([b for b in found if b.series], rival, domain)
    content += "<h3>Log score</h3>" + paragraph(NATS)
    content += score_table(
        shown,
        "log_score",
        "mcs_p",
        f"Mean log score in nats. Higher is better. Bold: the best of a column. {in_set}",
        rival,
    )
    content += gain_table(
        shown,
        rival,
        False,
        "Gain in log score of the energy model over each peer, in nats a forecast ± one standard error. "
        + tested.format(""),
    )
    content += paragraph(
        "Standard errors allow for correlation between neighbouring dates. The log of the normaliser of the "
        f"energy model was computed with an error of at most {scientific(scores['normaliser_error'])} nats.",
        "soft",
    )
    return Section("peers", "Beside peers", "The model beside its peers", content)


def best_by_lead(whole: Sequence[Block]) -> str:
    """Return a sentence with the best peer of each lead, or an empty string for a single lead."""
    if len(whole) == 1:
        return ""
    leads: dict[str, list[int]] = {}
    for block in whole:
        leads.setdefault(strongest([block]), []).append(block.lead)
    each = [f"{with_article(m)} at lead{plural(len(of))} {listed(of)}" for m, of in leads.items()]
    return f" By lead, the peer with the lowest CRPS is {listed(each)}."


def crps_by_lead(whole: Sequence[Block], rival: str, domain: Any) -> str:
    """Return a chart of the CRPS of the model, its base, its rival and the climatology at each lead."""
    shown = {"ebm": "ebm", "base": "base", rival: "reference"}
    if "climatology" in whole[0].models:
        shown.setdefault("climatology", "ideal")
    series = [(css, [(float(b.lead), b.models[m]["crps"]) for b in whole]) for m, css in shown.items()]
    unit = crps_unit(domain)
    return charts.figure(
        charts.lines(
            series,
            f"CRPS{', ' if unit else ''}{unit}",
            f"lead, {frequency(domain.frequency).period}s",
            dots=True,
            height=290,
        ),
        f"Mean CRPS at each lead {in_unit(domain)}. Lower is better.",
        "CRPS of the energy model, its base and its strongest rival at each lead",
        [(css, model_name(m)) for m, css in shown.items()],
    )


def lead_bars(whole: Sequence[Block], rival: str) -> list[tuple[str, str, float, float]]:
    """Return the gains in CRPS over the rival and the base at each lead, at no more than five leads."""
    count = min(len(whole), 5)
    chosen = [whole[round(i * (len(whole) - 1) / (count - 1))] for i in range(count)]
    return [
        (row_class(p, rival).split()[1], f"{b.label}, over {in_sentence(p)}", d["gain"], 1.96 * d["se"])
        for b in chosen
        for p, d in ((p, b.paired[p]["crps"]) for p in (rival, "base"))
    ]


def gain_figure(bars: Sequence[tuple[str, str, float, float]], domain: Any, wide: int = charts.HALF) -> str:
    unit = crps_unit(domain)
    bars = [bar for bar in bars if np.isfinite(bar[2:]).all()]
    if not bars:
        return paragraph("No gain in CRPS is finite.", "soft")
    return charts.figure(
        charts.intervals(bars, f"gain in CRPS{', ' if unit else ''}{unit}"),
        "CRPS of each peer less that of the energy model, with 95 % intervals. The energy model is better to "
        "the right of the dashed line.",
        "Paired gains in CRPS with 95 % intervals",
        wide=wide,
    )


def calibration(found: Sequence[Block], forecasts: pd.DataFrame, domain: Any) -> Section:
    """Return the PIT histogram, and the curve and table of coverage."""
    rival = strongest(found)
    ours = forecasts[forecasts["model"] == "ebm"]
    bins = 20 if len(ours) >= 1000 else 10
    counts, _ = np.histogram(ours["pit"].clip(0, 1), bins, (0, 1))
    half = 1.96 * np.sqrt((bins - 1) / len(ours))
    pit = charts.figure(
        charts.histogram(
            [float(c) * bins / len(ours) for c in counts],
            (max(0, 1 - half), 1 + half),
            "frequency (1 = expected)",
            "PIT, the forecast probability of a lower outcome",
        ),
        "Histogram of the PIT of the energy model. If the model is calibrated, all bars are near one, and "
        "if dates are independent as well, 95 % of the bars lie in the grey band.",
        "Histogram of the probability integral transform of the energy model",
        [("bar", "energy model"), ("band", "95 % of the bars if calibrated")],
    )
    levels = np.arange(2, 99, 2) / 100
    shown = [("ebm", "ebm"), ("base", "base"), (rival, "reference")]
    series = [("ideal", [(0.0, 0.0), (100.0, 100.0)])]
    series += [
        (css, [(100 * lv, 100 * c) for lv, c in zip(levels, covered(forecasts, m, levels), strict=True)])
        for m, css in reversed(shown)
    ]
    curve = charts.figure(
        charts.lines(series, "outcomes inside, %", "nominal coverage of the interval, %", height=250),
        "Share of outcomes inside central intervals. A calibrated model lies on the dashed line, with 90 % "
        "of the outcomes inside its 90 % intervals. Above the line the intervals are too wide, below it too "
        "narrow.",
        "Nominal against actual coverage of central intervals",
        [(css, model_name(m)) for m, css in shown] + [("ideal", "calibrated")],
    )
    content = paragraph(
        "A forecast is calibrated if outcomes occur as often as its probabilities say. Both figures use all "
        "forecasts of the test block."
    ) + pair(pit, curve)
    content += coverage_table(found if len(found) <= WIDEST else together(found), rival)
    return Section("calibration", "Calibration", "Are the probabilities calibrated?", content)


def covered(forecasts: pd.DataFrame, model: str, levels: np.ndarray) -> np.ndarray:
    """Return the share of outcomes inside the central interval of each level, from the stored quantiles."""
    rows = forecasts[forecasts["model"] == model]
    y = rows["observed"].to_numpy()
    low = rows[[f"q{(1 - lv) / 2:.2f}" for lv in levels]].to_numpy()
    high = rows[[f"q{(1 + lv) / 2:.2f}" for lv in levels]].to_numpy()
    return ((low <= y[:, None]) & (y[:, None] <= high)).mean(0)


def coverage_table(found: Sequence[Block], rival: str) -> str:
    rows = [
        Row(
            model_name(m),
            [
                Cell(" / ".join(f"{100 * b.models[m]['coverage'][k]:.1f}" for k in ("0.5", "0.9")))
                for b in found
            ],
            row_class(m, rival),
        )
        for m in found[0].models
        if found[0].models[m].get("coverage")
    ]
    return table(
        "Outcomes inside the 50 % / 90 % interval, in per cent. Closer to 50 / 90 is better.",
        ["Model", *(b.label for b in found)],
        rows,
    )


def over_time(found: Sequence[Block], forecasts: pd.DataFrame, domain: Any) -> Section:
    """Return charts of the cumulative gain in CRPS and log score over the rival and the base, by date."""
    rival = strongest(found)
    leads, several = forecasts["lead"].nunique() > 1, forecasts["series"].nunique() > 1
    average = (
        " The lines average over leads." if leads else " The lines average over series." if several else ""
    )
    legend = [(css, f"over {in_sentence(m)}") for m, css in ((rival, "reference"), ("base", "base"))]
    unit = crps_unit(domain)
    drawn = []
    for column, sign, title, what in (
        ("crps", -1, f"cumulative gain in CRPS{', ' if unit else ''}{unit}", "CRPS"),
        ("log_density", 1, "cumulative gain in log score, nats", "log score"),
    ):
        keys = ["time", "series", "lead"]
        score = sign * forecasts.pivot(index=keys, columns="model", values=column)
        series = []
        for model, css in ((rival, "reference"), ("base", "base")):
            difference = (score["ebm"] - score[model]).groupby(level="time").mean().cumsum()
            difference = difference[np.isfinite(difference)]
            series.append((css, list(zip(years(difference.index), difference.tolist(), strict=True))))
        dates = years(pd.DatetimeIndex([forecasts["time"].min(), forecasts["time"].max()]))
        marks = DateAxis(dates[0], dates[-1])
        series = [(css, points) for css, points in series if points]
        if not series:
            drawn.append(paragraph(f"No gain in {what} is finite.", "soft"))
            continue
        drawn.append(
            charts.figure(
                charts.lines(series, title, "", marks, zero=True),
                f"Gain in {what} of the energy model, summed over the dates so far.{average}",
                f"Cumulative gain in {what} over the test block",
                legend,
            )
        )
    content = paragraph(
        "The charts show whether the gain was steady or came from a single episode. Where a line rises, the "
        "energy model scored better than the other model; where it falls, it scored worse. A steady rise "
        "shows skill, a single step comes from a single date."
    )
    return Section("time", "Over time", "Gain over time", content + pair(*drawn))
