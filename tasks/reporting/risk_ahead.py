"""Tables of the risk section on the next step: VaR, expected shortfall and every model's quantiles."""

from typing import Any

from tasks.reporting.comparison import row_class
from tasks.reporting.labels import dated, decimals, model_name, named_unit, series_name, signed, text
from tasks.reporting.page import Cell, Row, table
from tasks.reporting.verdict import short_unit
from tasks.runtime.frequencies import frequency
from tasks.scoring.predictive import TAIL_LEVELS


def next_risks(ahead: dict[str, Any], domain: Any) -> str:
    """Return a table of value at risk and expected shortfall of the next step, from ``forecast.json``."""
    parts = {name: part["steps"][0] for name, part in ahead["series"].items() if "var" in part["steps"][0]}
    if not parts:
        return ""
    rows, unit = [], named_unit(short_unit(domain))
    for name, step in parts.items():
        places = decimals([step["var"]["0.05"]])
        cells = [Cell(text(step[of][f"{level:g}"], places)) for level in TAIL_LEVELS for of in ("var", "es")]
        when = dated(step["time"], domain.frequency)
        rows.append(Row(series_name(name), cells, small=when) if len(parts) > 1 else Row(when, cells))
    columns = [f"{of} {100 * level:g} %" for level in TAIL_LEVELS for of in ("VaR", "ES")]
    return table(
        f"Value at risk (VaR) and expected shortfall (ES) of the energy model for the next {period(domain)}, "
        f"in {unit}. VaR is the plain quantile of the forecast distribution, and ES the mean "
        "below it. Neither is recalibrated.",
        ["For", *columns],
        rows,
    )


def next_by_model(leads: dict[str, Any], rival: str, domain: Any) -> str:
    """Return a table of every model's forecast of the next step, at the first lead of ``leads``."""
    if not leads:
        return ""
    models = next(iter(leads.values()))
    spread = [abs(m["quantiles"]["0.05"]) for m in models.values()]
    places, unit = decimals(spread), named_unit(short_unit(domain))
    levels = ("0.01", "0.05", "0.25", "0.50", "0.75", "0.95", "0.99")
    rows = [
        Row(
            model_name(m),
            [Cell(signed(of["mean"], places)), *(Cell(text(of["quantiles"][q], places)) for q in levels)],
            row_class(m, rival),
        )
        for m, of in models.items()
    ]
    columns = ["Model", "mean", *(f"{100 * float(q):g} %" for q in levels)]
    return table(
        f"Forecast of every model for the next {period(domain)}: mean and quantiles in {unit}. "
        "The quantiles at 1 and 5 % are the value at risk, without recalibration.",
        columns,
        rows,
    )


def period(domain: Any) -> str:
    return frequency(domain.frequency).period
