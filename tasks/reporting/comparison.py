"""Report sections that compare the model with its peers: scores, calibration, and the gain over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, years
from tasks.reporting.labels import in_sentence, model_name, model_note, scientific, signed, spaced, text
from tasks.reporting.page import Cell, Row, Section, folded, pair, paragraph, table
from tasks.reporting.verdict import Block, holm, short_unit
from tasks.runtime.frequencies import frequency

IN_SET = 0.1
"""Least p-value of a model in the 90 % model confidence set."""

CHARTED = 6
"""Most leads in the chart of gains. The tables have all of them."""

CERTAIN = 0.05
"""Adjusted p-value below which a gain is shown in bold."""


def row_class(model: str, reference: str) -> str:
    return "model " + {"ebm": "ebm", "base": "base", reference: "reference"}.get(model, "peer")


def score_table(
    found: Sequence[Block], score: str, caption: str, reference: str, digits: int, lower: bool, notes: bool
) -> str:
    """Return a table with a row for each model, a column for each block, and the best of a column in bold."""
    models = list(found[0].models)
    best = []
    for b in found:
        scores = {m: b.models[m][score] for m in models if m in b.models}
        best.append((min if lower else max)(scores, key=scores.__getitem__))
    rows = [
        Row(
            model_name(m),
            [
                Cell(
                    text(b.models[m][score], digits),
                    "in the confidence set" if notes and b.models[m].get("mcs_p", 0.0) >= IN_SET else "",
                    "num best" if m == top else "num",
                )
                for b, top in zip(found, best, strict=True)
            ],
            row_class(m, reference),
            model_note(m) if notes else "",
        )
        for m in models
    ]
    return table(caption, ["Model", *(b.label for b in found)], rows)


def gain_table(found: Sequence[Block], reference: str) -> str:
    """Return a table of the gain in log score over each peer, with standard error, t and Holm-corrected p."""
    rows = []
    chance = holm({(b.label, peer): d["p"] for b in found for peer, d in b.paired.items()})
    for peer in found[0].paired:
        cells = []
        for b in found:
            d, p_value = b.paired[peer], chance[b.label, peer]
            p = "p < 0.001" if p_value < 0.001 else f"p = {text(p_value, 3)}"
            cells.append(
                Cell(
                    f"{signed(d['log_score_gain'])} ± {text(d['se'], 3)}",
                    f"t = {text(d['t'], 1)}, {p}; CRPS {signed(-d['crps_gain_pct'], 1)} %",
                    "num best" if p_value < CERTAIN else "num",
                )
            )
        rows.append(Row(f"over {in_sentence(peer)}", cells, row_class(peer, reference)))
    return table(
        "Gain in log score of the energy model over each peer, in nats a forecast ± one standard error. The "
        "model is better where the gain is positive. Below it: t, p with Holm's correction for the number of "
        "tests in this table, and the change of CRPS, which is negative where the model is better. Bold: p "
        "below 5 %.",
        ["Gain", *(b.label for b in found)],
        rows,
    )


def comparison(found: Sequence[Block], scores: dict[str, Any], domain: Any) -> Section:
    reference = domain.reference
    content = paragraph(
        "All models made their forecasts in the same way. They were fitted on past data alone and scored on "
        "the dates that followed. A gain is the log score of the energy model minus that of a peer on the "
        "same dates. Its standard error allows for correlation between neighbouring dates."
    )
    if len(domain.leads) > 1:
        shown = [("ebm", "ebm"), ("base", "base"), (reference, "reference"), ("climatology", "")]
        kept = [(m, css) for m, css in shown if m in found[0].models]
        series = [
            (css, [(float(k), b.models[m]["crps"]) for k, b in zip(domain.leads, found, strict=True)])
            for m, css in kept
        ]
        by_lead = charts.figure(
            charts.lines(
                series,
                f"CRPS, {short_unit(domain)}",
                f"lead, {frequency(domain.frequency).period}s",
                dots=True,
                height=290,
            ),
            f"Mean CRPS at each lead, in {short_unit(domain)}. Lower is better.",
            "CRPS of the energy model, its base and the reference at each lead",
            [(css, model_name(m)) for m, css in kept],
        )
        gains = [
            ("reference" if p == reference else "base", f"{b.label}, over {in_sentence(p)}", b.paired[p])
            for b in spaced(found, CHARTED)
            for p in (reference, "base")
        ]
        bars = [(css, label, d["log_score_gain"], 1.96 * d["se"]) for css, label, d in gains]
        content += pair(by_lead, gain_figure(bars))
    else:
        bars = [
            (row_class(p, reference), f"over {in_sentence(p)}", d["log_score_gain"], 1.96 * d["se"])
            for p, d in found[0].paired.items()
        ]
        content += f'<div class="card">{gain_figure(bars, charts.WIDE)}</div>'
    content += gain_table(found, reference)
    content += score_table(
        found,
        "log_score",
        "Mean log score in nats. Higher is better. Bold: the best of a column. In the confidence set: in the "
        "90 % model confidence set, whose models no other model beats clearly.",
        reference,
        4,
        False,
        True,
    )
    content += score_table(
        found,
        "crps",
        f"Mean CRPS in {short_unit(domain)}. Lower is better. Bold: the best of a column.",
        reference,
        4,
        True,
        False,
    )
    content += paragraph(
        "The log of the normaliser of the energy model was computed with an error of at most "
        f"{scientific(scores['normaliser_error'])} nats.",
        "soft",
    )
    return Section("peers", "Beside peers", "The model beside its peers", content)


def gain_figure(bars: Sequence[tuple[str, str, float, float]], wide: int = charts.HALF) -> str:
    return charts.figure(
        charts.intervals(bars, "gain in log score, nats a forecast"),
        "Gain in log score of the energy model over each peer, with 95 % intervals. The energy model is "
        "better to the right of the dashed line.",
        "Paired gains in log score with 95 % intervals",
        wide=wide,
    )


def calibration(found: Sequence[Block], forecasts: pd.DataFrame, domain: Any) -> Section:
    """Return the PIT histogram, curve and table of coverage, and outcomes below the lower tail quantiles."""
    reference = domain.reference
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
    shown = [("ebm", "ebm"), ("base", "base"), (reference, "reference")]
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
    content += coverage_table(found, reference)
    if "var" in found[0].models["ebm"]:
        term = ", the value at risk" if getattr(domain, "kind", "price") == "price" else ""
        words = (
            "This table counts the forecasts whose outcome was below the 1, 2.5 or 5 % quantile of the "
            f"forecast distribution{term}."
        )
        if any(tail_tested(b) for b in found):
            words += (
                " The p-values are those of tests whether the number of such outcomes (Kupiec) and their "
                "clustering in time (Christoffersen) could be chance. Below 0.05 the tail of the forecast is "
                "doubtful."
            )
        first, *others = [tail_table(b, reference) for b in found]
        content += "<h3>Lower tail</h3>" + paragraph(words) + first
        if others:
            each = "at each further lead" if len(domain.leads) > 1 else "for each series"
            content += folded(f"Lower tail {each}", "".join(others))
    return Section("calibration", "Calibration", "Are the probabilities calibrated?", content)


def covered(forecasts: pd.DataFrame, model: str, levels: np.ndarray) -> np.ndarray:
    """Return the share of outcomes inside the central interval of each level, from the stored quantiles."""
    rows = forecasts[forecasts["model"] == model]
    y = rows["observed"].to_numpy()
    low = rows[[f"q{(1 - lv) / 2:.2f}" for lv in levels]].to_numpy()
    high = rows[[f"q{(1 + lv) / 2:.2f}" for lv in levels]].to_numpy()
    return ((low <= y[:, None]) & (y[:, None] <= high)).mean(0)


def coverage_table(found: Sequence[Block], reference: str) -> str:
    rows = [
        Row(
            model_name(m),
            [
                Cell(" / ".join(f"{100 * b.models[m]['coverage'][k]:.1f}" for k in ("0.5", "0.9")))
                for b in found
            ],
            row_class(m, reference),
        )
        for m in found[0].models
        if found[0].models[m].get("coverage")
    ]
    return table(
        "Outcomes inside the 50 % / 90 % interval, in per cent. Closer to 50 / 90 is better.",
        ["Model", *(b.label for b in found)],
        rows,
    )


def tail_tested(block: Block) -> bool:
    """Return whether the number and clustering of outcomes in the tail were tested."""
    return any("kupiec_p" in score for score in block.models["ebm"]["var"].values())


def tail_table(block: Block, reference: str) -> str:
    """Return a table of the outcomes below the lower tail quantiles, with tests and the FZ₀ score."""
    levels = list(block.models["ebm"]["var"])
    rows = []
    for m, score in block.models.items():
        if not score.get("var"):
            continue
        cells = []
        for level in levels:
            v = score["var"][level]
            note = f"FZ₀ {text(v['fz0'], 3)}"
            if "kupiec_p" in v:
                note = f"p {text(v['kupiec_p'], 2)} / {text(v['christoffersen_p'], 2)}, {note}"
            cells.append(Cell(f"{v['hits']:.0f}", note))
        rows.append(Row(model_name(m), cells, row_class(m, reference)))
    expected = [f"{100 * float(lv):g} %: {text(block.n * float(lv), 1)} expected" for lv in levels]
    return table(
        f"{block.label}: outcomes below the quantile among {block.n:,} forecasts. Below the number: "
        + ("p-values of Kupiec / Christoffersen, and " if tail_tested(block) else "")
        + "FZ₀ (lower is better).",
        ["Model", *expected],
        rows,
    )


def over_time(forecasts: pd.DataFrame, domain: Any) -> Section:
    """Return a chart of the cumulative gain in log score over the reference and the base, by target date."""
    density = forecasts.pivot_table(index=["time", "series", "lead"], columns="model", values="log_density")
    series = []
    for model, css in ((domain.reference, "reference"), ("base", "base")):
        difference = (density["ebm"] - density[model]).groupby(level="time").mean().cumsum()
        series.append((css, list(zip(years(difference.index), difference.tolist(), strict=True))))
    average = (
        ""
        if len(domain.leads) == 1 and forecasts["series"].nunique() == 1
        else (
            " The lines average over leads." if len(domain.leads) > 1 else " The lines average over series."
        )
    )
    drawn = charts.figure(
        charts.lines(
            series,
            "cumulative gain, nats",
            "",
            DateAxis(series[0][1][0][0], series[0][1][-1][0]),
            zero=True,
        ),
        "Gain in log score of the energy model, summed over the dates so far. Where a line rises, the "
        "energy model gave the outcomes a higher density than the other model; where it falls, a lower "
        "one. A steady rise shows skill, a single step comes from a single date." + average,
        "Cumulative gain in log score over the test block",
        [(css, f"over {in_sentence(m)}") for m, css in ((domain.reference, "reference"), ("base", "base"))],
        charts.WIDE,
    )
    content = paragraph("The chart shows whether the gain was steady or came from a single episode.")
    return Section("time", "Over time", "Gain over time", content + f'<div class="card">{drawn}</div>')
