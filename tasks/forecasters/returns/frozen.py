"""Classical models of returns as they stood at their last refit: stored, and applied to later rows."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tasks.forecasters.returns import garch
from tasks.forecasters.returns.scale_regression import (
    REGRESSIONS,
    Columns,
    ScaleRegression,
    first_base,
    fit_scale,
    measures,
    scale_inputs,
    walk_forward,
)
from tasks.runtime.errors import BasinError
from tasks.runtime.params import FeatureParams

NEEDED = 100
"""Rows of history that inputs of the last origin look back on, with room to spare."""


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]  # threadpoolctl has no types
def frozen_parameters(
    domain: Columns, raw: pd.DataFrame, classical: pd.DataFrame, params: FeatureParams
) -> dict[str, Any]:
    """``classical.json`` of a model: each series' classical models, fitted at the last date of the schedule,
    and :func:`inputs_of` the domain.

    ``classical`` has the walk-forward forecasts, from which the scale regression learns as it did there.
    One thread, because the last digits of a fit, and with them the model's hash, depend on their number.
    """
    frozen = {}
    for name, group in raw.groupby("series", sort=False):
        group = group.reset_index(drop=True)
        returns = domain.steps(group)
        at = range(params.min_rows, len(returns), params.refit)[-1]
        fitted = {model: garch.fit(model, returns[: at + 1]) for model in garch.MODELS}
        past = classical[classical["series"] == name]
        rows = group.index[pd.Index(group["time"]).get_indexer(past["origin"])]
        known = {str(model): part for model, part in past.assign(row=rows).groupby("model")}
        # Before the first base the table has no rows, but the scale regression learned from those too.
        for model in garch.MODELS:
            early = walk_forward(model, returns[: first_base(params) - 1], params)
            known[model] = pd.concat([early, known[model]]).drop_duplicates("row", keep="last")
        table = measures(domain, group, known)
        target = np.append(returns, np.nan)
        last = range(first_base(params), len(group), params.refit)[-1]
        scales = {
            model: asdict(fit_scale(domain, table, target, last, window))
            for model, window in REGRESSIONS.items()
        }
        frozen[str(name)] = {**fitted, **scales}
    return {"inputs": inputs_of(domain), "series": frozen}


def inputs_of(domain: Columns) -> dict[str, Any]:
    """What a file must bring so that the models of :func:`frozen_parameters` apply to it."""
    return {
        "kind": domain.kind,
        "frequency": domain.frequency,
        "range": domain.ohlc,
        "exog": list(domain.exog),
        "logged": list(domain.logged),
    }


def forecast_frozen(
    domain: Columns, raw: pd.DataFrame, frozen: dict[str, Any], since: pd.Timestamp | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``(inputs, classical)`` of each series' last origin, nothing refitted (see ``Domain``).

    With ``since``, of every origin from that date on that has ``NEEDED`` rows of history.
    Raises ``BasinError`` for a series that was not there, or one too short to compute its inputs.
    """
    inputs, classical = [], []
    for series, group in raw.groupby("series", sort=False):
        name = str(series)
        if name not in frozen:
            raise BasinError(f"the model knows no series {name}; it knows {', '.join(frozen)}")
        if len(group) < NEEDED:
            raise BasinError(
                f"{name}: {len(group)} rows, but its inputs look back on {NEEDED}; give more history"
            )
        group = group.reset_index(drop=True)
        kept = dict(frozen[name])
        scales = {model: ScaleRegression(**kept.pop(model)) for model in REGRESSIONS}
        filtered = _filtered(kept, domain.steps(group))
        table = measures(domain, group, filtered)
        last = len(group) - 1
        first = last if since is None else max(int(group["time"].searchsorted(since)), NEEDED - 1)
        at, names = slice(first, last + 1), scale_inputs(domain)
        regressions = {model: scale.rows(table, names, at) for model, scale in scales.items()}
        base = regressions["scale-regression"]
        keys = domain.keys(name, group, np.arange(first, last + 1))
        inputs.append(pd.concat([keys, domain.energy_inputs(table, base)], axis=1))
        for model, rows in {**regressions, **filtered}.items():
            chosen = rows.set_index("row").loc[first:last].reset_index(drop=True)
            classical.append(
                pd.concat([keys[["series", "origin", "lead"]].assign(model=model), chosen], axis=1)
            )
    return pd.concat(inputs, ignore_index=True), pd.concat(classical, ignore_index=True)


def _filtered(fitted: dict[str, dict[str, float]], returns: np.ndarray) -> dict[str, pd.DataFrame]:
    """Forecasts from every row with parameters as they are; ``row`` is the origin's row of the raw table."""
    tables = {model: garch.forecasts(model, params, returns, 0) for model, params in fitted.items()}
    return {model: table.assign(row=table["row"] + 1) for model, table in tables.items()}
