"""Scores of joint forecasts of a panel over all years, beside peers with the same marginals."""

from typing import Any

import numpy as np
import pandas as pd

from tasks.joint.marginals import Marginals
from tasks.joint.panel import Panel
from tasks.joint.portfolios import RANDOM, of_members, portfolio_returns, random_weights
from tasks.joint.scores import FILTERED, Scored, fell_together, score_own, score_year
from tasks.joint.walk_forward import WEIGHTS, Year
from tasks.runtime.parallel import Progress, run_units, silent
from tasks.scoring.predictive import TAIL_LEVELS
from tasks.scoring.scores import christoffersen, confidence_set, fz0_losses, kupiec, paired_test

LEVELS = (0.01, 0.05)
"""Levels of value at risk of portfolios."""


def joint_scores(
    years: list[Year],
    chosen: list[float],
    scored: dict[str, Scored],
    panel: Panel,
    marginals: Marginals,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the block of years with weights of the energy, of which the draws have been scored."""
    table = log_densities(years, chosen, panel, marginals)
    dates = table.index.to_series().reset_index(drop=True)
    fell = np.concatenate([fell_together(year, panel) for year in years])
    losses = {
        "log_score": -table,
        "energy_score": of_all(scored, "energy_score"),
        "variogram_score": of_all(scored, "variogram_score"),
        "brier": (of_all(scored, "together").sub(fell.astype(float), axis=0)) ** 2,
    }
    models: dict[str, dict[str, Any]] = {name: {} for name in map(str, losses["energy_score"])}
    paired: dict[str, dict[str, Any]] = {name: {} for name in models if name != "ebm"}
    for score, loss in losses.items():
        in_set = confidence_set(loss, 1)
        for name in map(str, loss):
            sign = -1 if score == "log_score" else 1
            models[name] |= {score: sign * float(loss[name].mean()), f"{score}_mcs_p": in_set[name]}
            if name != "ebm":
                paired[name] |= gain(score, loss[name] - loss["ebm"], dates)
    own = [WEIGHTS.index(weight) for weight in chosen]
    error = np.concatenate([year.log_z_error[:, k] for year, k in zip(years, own, strict=True)])
    size = np.concatenate([year.effective_size[:, k] for year, k in zip(years, own, strict=True)])
    return {
        "n": len(table),
        "from": f"{table.index[0]:%Y-%m-%d}",
        "to": f"{table.index[-1]:%Y-%m-%d}",
        "series": list(panel.names),
        "models": models,
        "paired": paired,
        "by_year": by_year(table),
        "weights": {str(panel.times[y.refit.first].year): w for y, w in zip(years, chosen, strict=True)},
        "log_z_error": {"median": float(np.median(error)), "worst": float(error.max())},
        "effective_size": {"median": float(np.median(size)), "least": float(size.min())},
        "portfolios": of_portfolios(years, scored, panel, dates, seed),
        "together": {
            "happened": int(fell.sum()),
            **{name: {"brier": models[name].pop("brier")} for name in models},
        },
    }


def log_densities(years: list[Year], chosen: list[float], panel: Panel, marginals: Marginals) -> pd.DataFrame:
    """Return the joint log densities of the returns at each date by each model that has one."""
    densities = marginals.log_density(panel.returns)
    parts = []
    for year, weight in zip(years, chosen, strict=True):
        own = densities[np.ix_(year.ahead, year.members)].sum(axis=1)
        base = own + year.paths["base"].log_density(slice(0, len(own)))
        table = {"ebm": base + year.gain[:, WEIGHTS.index(weight)]}
        table |= {name: own + path.log_density(slice(0, len(own))) for name, path in year.paths.items()}
        parts.append(pd.DataFrame(table, index=panel.times[year.ahead]))
    return pd.concat(parts)


def by_year(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the gain in log score of each year over each peer."""
    found: dict[str, dict[str, Any]] = {}
    for year, rows in table.groupby(pd.DatetimeIndex(table.index).year):
        dates = rows.index.to_series()
        found[str(year)] = {
            name: gain("log_score", rows["ebm"] - rows[name], dates)["log_score"]
            for name in rows.columns.drop("ebm")
        }
    return found


def gain(score: str, difference: Any, dates: pd.Series) -> dict[str, Any]:
    """Return the mean gain in a score with its standard error, t and p."""
    test = paired_test(np.asarray(difference), dates, 1)
    return {score: {"gain": test["mean"], "se": test["se"], "t": test["t"], "p": test["p"]}}


def by_draws(
    years: list[Year],
    chosen: list[float],
    panel: Panel,
    marginals: Marginals,
    seed: int = 0,
    progress: Progress = silent,
    kept: np.ndarray | None = None,
) -> dict[str, Scored]:
    """Return the scores by draws of each model at all dates, with draws of the portfolios ``kept``.

    The weights of these are ``(series, portfolios)``, and are divided by their sum over a year's members.
    """
    models = ("ebm", *years[0].paths, FILTERED)
    kept = np.empty((len(panel.names), 0)) if kept is None else kept
    units = [
        (year, weight, panel, marginals, models, kept, seed)
        for year, weight in zip(years, chosen, strict=True)
    ]
    found = run_units(scored_year, units, "portfolios", progress)
    return {name: Scored.joined([part[name] for part in found]) for name in found[0]}


def scored_year(
    year: Year,
    weight: float,
    panel: Panel,
    marginals: Marginals,
    models: tuple[str, ...],
    kept: np.ndarray,
    seed: int,
) -> dict[str, Scored]:
    """Score one year by draws, and the classical models of each portfolio's own returns."""
    weights = random_weights(len(year.members), RANDOM, seed)
    own = of_members(kept, year.members)
    scored = score_year(year, weight, panel, marginals, models, weights, own, seed)
    return scored | score_own(year, panel, weights, own)


def of_all(scored: dict[str, Scored], score: str) -> pd.DataFrame:
    """Return a score at each date of the models that have it."""
    columns = {name: getattr(part, score) for name, part in scored.items()}
    return pd.DataFrame({name: values for name, values in columns.items() if not np.isnan(values).any()})


def of_portfolios(
    years: list[Year], scored: dict[str, Scored], panel: Panel, dates: pd.Series, seed: int
) -> dict[str, Any]:
    """Return the scores of the portfolio of equal weights and the mean scores of those of random weights."""
    realised = np.concatenate(
        [
            portfolio_returns(
                panel.returns[np.ix_(year.ahead, year.members)],
                random_weights(len(year.members), RANDOM, seed),
                panel.log,
            )
            for year in years
        ]
    )
    found: dict[str, Any] = {}
    for kind, columns in (("equal", slice(0, 1)), ("random", slice(1, None))):
        ours = scored["ebm"]
        block: dict[str, Any] = {}
        for name, part in scored.items():
            block[name] = {
                "log_score": float(part.log_density[:, columns].mean()),
                "crps": float(part.crps[:, columns].mean()),
                "var": risk(part, realised, columns),
            }
            if name != "ebm":
                better = (ours.log_density - part.log_density)[:, columns].mean(axis=1)
                nearer = (part.crps - ours.crps)[:, columns].mean(axis=1)
                block[name]["paired"] = gain("log_score", better, dates) | gain("crps", nearer, dates)
        for level in LEVELS:
            in_set = confidence_set(losses_of_tails(scored, realised, columns, level), 1)
            for name in block:
                block[name]["var"][f"{level:g}"]["fz0_mcs_p"] = in_set[name]
        found[kind] = block
    return found


def risk(part: Scored, realised: np.ndarray, columns: slice) -> dict[str, Any]:
    """Return the coverage of value at risk and the FZ0 loss, means over the portfolios."""
    found = {}
    for level in LEVELS:
        at = TAIL_LEVELS.index(level)
        tests = []
        for outcome, var, shortfall in zip(
            realised[:, columns].T, part.var[:, columns, at].T, part.shortfall[:, columns, at].T, strict=True
        ):
            hits = outcome <= var
            loss = fz0_losses(outcome, var, shortfall, level).mean()
            tests.append((hits.mean(), kupiec(hits, level), christoffersen(hits), loss))
        share, coverage, clusters, loss = np.array(tests).mean(axis=0)
        found[f"{level:g}"] = {
            "share": float(share),
            "kupiec_p": float(coverage),
            "christoffersen_p": float(clusters),
            "fz0": float(loss),
        }
    return found


def losses_of_tails(
    scored: dict[str, Scored], realised: np.ndarray, columns: slice, level: float
) -> pd.DataFrame:
    """Return the FZ0 loss of each model at each date, the mean over the portfolios."""
    at = TAIL_LEVELS.index(level)
    outcomes = realised[:, columns]
    losses = {
        name: fz0_losses(outcomes, part.var[:, columns, at], part.shortfall[:, columns, at], level)
        for name, part in scored.items()
    }
    return pd.DataFrame({name: loss.mean(axis=1) for name, loss in losses.items()})
