"""Scores of the model and its peers on the test block, by series and lead."""

from typing import Any

import pandas as pd

from tasks.scoring.categories import Past, event_scores, rpss
from tasks.scoring.predictive import LEVELS, TAIL_LEVELS
from tasks.scoring.scores import confidence_set, model_scores, paired_test


def summarise(
    domain: Any, forecasts: pd.DataFrame, past: Past | None = None, events: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the scores in ``scores.json``, by series and pooled if there are several series.

    ``past`` are the outcomes before the test block. With them, thirds and ``events`` are scored too.
    """
    ours = forecasts[forecasts["model"] == "ebm"]
    head = {
        "n": len(ours),
        "unit": domain.unit,
        "test": [f"{ours['time'].min():%Y-%m-%d}", f"{ours['time'].max():%Y-%m-%d}"],
    }
    series = ours["series"].unique()
    if len(series) == 1:
        return {**head, "leads": _by_lead(domain, forecasts, past, events)}
    each = {name: forecasts[forecasts["series"] == name] for name in series}
    return {
        **head,
        "series": {
            name: {"n": _count(part), "leads": _by_lead(domain, part, past, events)}
            for name, part in each.items()
        },
        "pooled": {"n": _count(forecasts), "leads": _by_lead(domain, forecasts, past, events)},
    }


def headline(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the main scores of the energy model for each lead, pooled over series, to compare versions.

    They are its log score, CRPS, coverage, and its gain in log score over its base with the t statistic.
    """
    leads = scores.get("pooled", scores)["leads"]
    return {
        f"lead {lead}": {
            "log_score": found["models"]["ebm"]["log_score"],
            "crps": found["models"]["ebm"]["crps"],
            "coverage_90": found["models"]["ebm"]["coverage"]["0.9"],
            "gain_over_base": found["paired"]["base"]["log_score_gain"],
            "t": found["paired"]["base"]["t"],
        }
        for lead, found in leads.items()
    }


def plot_tables(forecasts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that ``dvc plots`` draws.

    ``scores`` has the mean log score and CRPS of each model at each lead. ``calibration`` has for each level
    p the share of outcomes at or below the p-quantile of the energy model.
    """
    means = forecasts.groupby(["lead", "model"], sort=False)[["log_density", "crps"]].mean().reset_index()
    means.insert(0, "forecast", means["model"] + ", lead " + means["lead"].astype(str))
    scores = means.rename(columns={"log_density": "log_score"})[["forecast", "log_score", "crps"]]
    ours = forecasts[forecasts["model"] == "ebm"]
    levels = LEVELS[4::5]
    shares = [float((ours["observed"] <= ours[f"q{level:.2f}"]).mean()) for level in levels]
    return {"scores": scores, "calibration": pd.DataFrame({"level": levels, "share": shares})}


def _count(forecasts: pd.DataFrame) -> int:
    return int((forecasts["model"] == "ebm").sum())


def _by_lead(
    domain: Any, forecasts: pd.DataFrame, past: Past | None, events: tuple[str, ...]
) -> dict[str, Any]:
    """Return the scores of all models for each lead.

    Hits are tested only for a single series, because hits of several series on a date are not independent.
    """
    alone = forecasts["series"].nunique() == 1
    leads = {}
    by_lead: Any = forecasts.groupby("lead")
    for lead, rows in by_lead:
        models = {str(m): part.reset_index(drop=True) for m, part in rows.groupby("model", sort=False)}
        ours = models["ebm"]
        scores = {}
        for model, part in models.items():
            tails = None
            if domain.returns:
                tails = {level: part[f"shortfall_{level:g}"].to_numpy() for level in TAIL_LEVELS}
            scores[model] = model_scores(part, tails, seasonal=not domain.returns, test_hits=alone)
        horizon = int(lead) if _overlap(ours) else 1
        for key, column, sign in (("mcs_p", "log_density", -1), ("crps_mcs_p", "crps", 1)):
            losses = sign * rows.pivot_table(index="time", columns="model", values=column, sort=False)
            for model, chance in confidence_set(losses, horizon).items():
                scores[model][key] = chance
        paired = {m: _paired(ours, part, horizon) for m, part in models.items() if m != "ebm"}
        leads[str(lead)] = {"n": len(ours), "models": scores, "paired": paired}
        if past is not None:
            edges = past.thirds(ours)
            for model, part in models.items():
                scores[model]["rpss"] = rpss(part, edges)
            leads[str(lead)]["events"] = event_scores(models, events, past, horizon)
    return leads


def _overlap(rows: pd.DataFrame) -> bool:
    """Return whether a forecast is made before the outcome of an earlier one is known.

    Sample paths are scored on windows that do not overlap. There, a lead of 30 steps is one row, and a
    variance with a lag of 30 rows would be far too small.
    """
    last = rows.groupby("origin")["time"].max().sort_index()
    return bool((last.to_numpy()[:-1] > last.index.to_numpy()[1:]).any())


def _paired(ours: pd.DataFrame, theirs: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """Return the paired tests of log score and CRPS.

    The test of the log score has the Monte Carlo error, if the forecasts have one. All gains are positive
    where the energy model is better.
    """
    difference = ours["log_density"].to_numpy() - theirs["log_density"].to_numpy()
    error = None
    if "monte_carlo" in ours:
        error = ours["monte_carlo"].to_numpy() - theirs["monte_carlo"].to_numpy()
    test = paired_test(difference, ours["time"], horizon, error)
    crps_gain = 1 - ours["crps"].mean() / theirs["crps"].mean()
    crps = paired_test((theirs["crps"] - ours["crps"]).to_numpy(), ours["time"], horizon)
    return {
        "log_score_gain": test["mean"],
        "se": test["se"],
        "t": test["t"],
        "p": test["p"],
        "equal": test["equal"],
        "crps_gain_pct": float(100 * crps_gain),
        "crps": {"gain": crps.pop("mean"), **crps},
    }
