"""The model beside its peers: scores with uncertainty, calibration, and the gain over time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting import charts
from tasks.reporting.labels import in_sentence, model_name, model_note, periods, scientific, signed, text
from tasks.reporting.page import Cell, Row, Section, folded, pair, paragraph, table
from tasks.reporting.verdict import Block, holm, short_unit

IN_SET = 0.1
"""p-value from which a model is in the 90 % model confidence set."""

CERTAIN = 0.05
"""Adjusted p-value below which a gain is shown in bold."""


def row_class(model: str, reference: str) -> str:
    return "model " + {"ebm": "ebm", "base": "base", reference: "reference"}.get(model, "peer")


def score_table(
    found: Sequence[Block], score: str, caption: str, reference: str, digits: int, lower: bool, notes: bool
) -> str:
    """Models down, blocks across, the best of each column bold."""
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
                    "in the set" if notes and b.models[m].get("mcs_p", 0.0) >= IN_SET else "",
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
    """Paired gains of the energy model over each peer: nats ± standard error, t, p after Holm."""
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
        "Gain in log score of the energy model, nats a forecast ± one standard error: above zero it is "
        "better; t, and p corrected for the number of tests in this table (Holm), bold below 5 %; "
        "change of CRPS: below zero it is better.",
        ["", *(b.label for b in found)],
        rows,
    )


def comparison(found: Sequence[Block], scores: dict[str, Any], domain: Any) -> Section:
    reference = domain.reference
    content = paragraph(
        "Every model made its forecasts in the same way: fitted on the past only, then judged on the dates "
        "that "
        "followed. A gain is the energy model's score minus the peer's on the same dates, so what is "
        "shared cancels; "
        "its error allows for neighbouring dates being alike."
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
                f"lead, {periods(domain.frequency, 2)[2:]}",
                dots=True,
                height=290,
            ),
            "Forecast error by lead: lower is better.",
            "CRPS of the energy model, its base and the reference at each lead",
            [(css, model_name(m)) for m, css in kept],
        )
        gains = [
            ("reference" if p == reference else "base", f"{b.label}, over {in_sentence(p)}", b.paired[p])
            for b in found
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
        "Mean log score, nats: higher is better. Bold: best. In the set: in the model confidence set at "
        "90 %, the models that none of the others clearly beats.",
        reference,
        4,
        False,
        True,
    )
    content += score_table(
        found,
        "crps",
        f"Mean CRPS, {short_unit(domain)}: lower is better. Bold: best.",
        reference,
        4,
        True,
        False,
    )
    content += paragraph(
        "The normaliser of the energy model was computed to within "
        f"{scientific(scores['normaliser_error'])} nats; no score depends on it.",
        "soft",
    )
    return Section("peers", "Beside peers", "The model beside its peers", content)


def gain_figure(bars: Sequence[tuple[str, str, float, float]], wide: int = charts.HALF) -> str:
    return charts.figure(
        charts.intervals(bars, "gain in log score, nats a forecast"),
        "Gain of the energy model over each peer with its 95 % interval. Right of the dashed line: the "
        "energy model is better.",
        "Paired gains in log score with 95 % intervals",
        wide=wide,
    )


def calibration(found: Sequence[Block], forecasts: pd.DataFrame, domain: Any) -> Section:
    """PIT histogram, coverage curve, coverage numbers, and value-at-risk hits where they were scored."""
    reference = domain.reference
    ours = forecasts[forecasts["model"] == "ebm"]
    bins = 20 if len(ours) >= 1000 else 10
    counts, _ = np.histogram(ours["pit"].clip(0, 1), bins, (0, 1))
    half = 1.96 * np.sqrt((bins - 1) / len(ours))
    pit = charts.figure(
        charts.histogram(
            [float(c) * bins / len(ours) for c in counts],
            (max(0, 1 - half), 1 + half),
            "frequency (1 = as expected)",
            "probability given to less than what happened",
        ),
        "If the model's probabilities are right, all bars are near one. Grey: where 95 % of the bars of a "
        "perfect model lie, "
        "were dates independent.",
        "Histogram of the probability integral transform of the energy model",
    )
    levels = np.arange(2, 99, 2) / 100
    shown = [("ebm", "ebm"), ("base", "base"), (reference, "reference")]
    series = [("ideal", [(0.0, 0.0), (100.0, 100.0)])]
    series += [
        (css, [(100 * lv, 100 * c) for lv, c in zip(levels, covered(forecasts, m, levels), strict=True)])
        for m, css in reversed(shown)
    ]
    curve = charts.figure(
        charts.lines(series, "held the truth, %", "stated interval, %", height=250),
        "A well calibrated model lies on the dashed line: its 90 % intervals hold the truth 90 % of the "
        "time. "
        "Above it the intervals are too wide, below it too narrow.",
        "Nominal against actual coverage of central intervals",
        [(css, model_name(m)) for m, css in shown] + [("ideal", "ideal")],
    )
    content = paragraph(
        "A forecast is calibrated when what it calls likely happens as often as it says. Both pictures use "
        "all "
        "forecasts of the test dates."
    ) + pair(pit, curve)
    content += coverage_table(found, reference)
    if "var" in found[0].models["ebm"]:
        risk = [var_table(b, reference) for b in found]
        content += paragraph(
            "Value at risk: on how many days was the loss beyond the one that should be exceeded on 1, 2.5 "
            "or 5 % of days? "
            "The p-values ask whether the number of hits (Kupiec) and their clustering (Christoffersen) "
            "could be chance; below 0.05 the tail is doubtful."
        )
        content += (
            risk[0] + folded("Value at risk for each series", "".join(risk[1:])) if len(risk) > 1 else risk[0]
        )
    return Section("calibration", "Calibration", "Can its probabilities be believed?", content)


def covered(forecasts: pd.DataFrame, model: str, levels: np.ndarray) -> np.ndarray:
    """Share of outcomes inside the central interval of each level, from the stored quantiles."""
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
        "Share of outcomes inside the 50 % / 90 % interval, in per cent: the closer to 50 / 90 the better.",
        ["Model", *(b.label for b in found)],
        rows,
    )


def var_table(block: Block, reference: str) -> str:
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
        f"{block.label}: hits among {block.n:,} forecasts, p of Kupiec / Christoffersen, FZ₀ loss (lower "
        f"is better)",
        ["Model", *expected],
        rows,
    )


def over_time(forecasts: pd.DataFrame, domain: Any) -> Section:
    """Cumulative log-score difference against the reference and against the base, by target date."""
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
            series, "nats, summed", "", year_marks(series[0][1][0][0], series[0][1][-1][0]), zero=True
        ),
        "Where a line rises the energy model gave more probability to what happened; where it falls the "
        "other did. A "
        "steady rise is skill, a single step is one lucky day." + average,
        "Cumulative difference in log score over the test dates",
        [
            (css, f"against {in_sentence(m)}")
            for m, css in ((domain.reference, "reference"), ("base", "base"))
        ],
        charts.WIDE,
    )
    content = paragraph("Did it win throughout, or in one episode?") + f'<div class="card">{drawn}</div>'
    return Section("time", "Over time", "When it was better", content)


def years(times: pd.Index) -> list[float]:
    """Dates as decimal years."""
    stamps = pd.DatetimeIndex(times)
    return (stamps.year + (stamps.dayofyear - 1) / 366).tolist()


def year_marks(first: float, last: float) -> Callable[[int], list[tuple[float, str]]]:
    """Tick marks at the turn of years, fewer on a narrow chart."""

    def marks(width: int) -> list[tuple[float, str]]:
        room = 5 if width == charts.NARROW else 12
        span = int(last) - int(first) + 1
        step = next(s for s in (1, 2, 5, 10, 20, 50) if span / s <= room)
        return [
            (float(y), str(y))
            for y in range(int(first), int(last) + 2)
            if y % step == 0 and first <= y <= last
        ]

    return marks
