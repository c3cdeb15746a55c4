"""Backtest of joint forecasts of a user's panel, and of portfolios of its series."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from tasks.joint.energy import band, contributions, energies
from tasks.joint.evaluate import by_draws, joint_scores
from tasks.joint.marginals import Marginals, fit_marginals
from tasks.joint.panel import Panel
from tasks.joint.portfolios import of_members, portfolio_returns
from tasks.joint.scores import Scored, draws_of
from tasks.joint.walk_forward import Year, walk_forward, weights_of
from tasks.reporting.labels import CHANGE
from tasks.runtime.files import without_nan, write_json
from tasks.runtime.frequencies import stamp
from tasks.runtime.parallel import Progress
from tasks.scoring.predictive import from_sample
from tasks.scoring.summary import summarise
from tasks.userdata.backtest_result import Backtest
from tasks.userdata.jointly import OwnPanel, for_panel, panel_from, peers_of, require_history, walk_of_test
from tasks.userdata.jointly_forecast import PAIRS, RETURN_UNIT, TAIL, both_below
from tasks.userdata.jointly_page import write_report
from tasks.userdata.progress import Stages, expected_panel_seconds
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.result_files import write_backtest
from tasks.userdata.weights import matrix_of

HIGHEST = 10
"""Days of the highest energy that are named."""

DRIVERS = 3
"""Series that add most to the energy of a day that are named."""

EVERY = 21
"""Rows between the dates at which the tail dependence of the models is measured."""


def backtest_panel(
    reading: Reading, request: Request, name: str, out: Path, work: Path, stages: Stages
) -> Backtest:
    """Backtest the joint density of the next step of all series, refitted each year."""
    reading = for_panel(reading)
    notes = list(reading.notes)
    panel = panel_from(reading, request, notes)
    walk = walk_of_test(panel, request, reading.freq, notes)
    weights = matrix_of(request.weights, panel.names)
    unit = RETURN_UNIT if panel.log else CHANGE
    title = f"{name}: {len(panel.names)} series jointly"
    domain = OwnPanel(title, unit, reading.freq, reading.kind, peers_of(request))
    stages.expect(expected_panel_seconds(len(panel.names), len(walk.refits), len(walk.test)))
    found: list[Any] = []

    def run(progress: Progress) -> None:
        marginals = fit_marginals(panel, walk.refits, progress)
        require_history(panel, marginals, walk, notes)
        years = walk_forward(panel, marginals, walk.past, ("base",), progress=progress)
        years += walk_forward(panel, marginals, walk.test, domain.peers, progress=progress)
        chosen = weights_of(years)
        tested = [
            (year, weight)
            for year, weight in list(zip(years, chosen, strict=True))[len(walk.past) :]
            if len(year.ahead)
        ]
        found.extend(evaluated(tested, panel, marginals, weights, domain, progress))

    stages("evaluate", run)
    forecasts, scores = found
    if request.weights:
        notes.append("a series that takes no part in a refit has no weight in the portfolios of its year")
    scores = without_nan(scores) | {"reference": domain.reference, "notes": notes}
    write_json(work / "scores.json", scores)
    forecasts.to_parquet(work / "forecasts.parquet", index=False)
    write_backtest(work, forecasts)
    stages("report", lambda _: write_report(work / "report.html", domain, scores, forecasts, notes))
    return Backtest(out, scores, forecasts, tuple(notes), domain.reference)


def evaluated(
    tested: list[tuple[Year, float]],
    panel: Panel,
    marginals: Marginals,
    weights: pd.DataFrame,
    domain: OwnPanel,
    progress: Progress,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the forecasts of the portfolios by all models, and the scores with the block ``joint``."""
    years, chosen = [year for year, _ in tested], [weight for _, weight in tested]
    scored = by_draws(years, chosen, panel, marginals, progress=progress, kept=weights.to_numpy())
    joint = joint_scores(years, chosen, scored, panel, marginals)
    days = energies(years, chosen, panel)
    forecasts = portfolio_forecasts(scored, years, weights, panel, days)
    joint["together"]["fall"] = panel.fall
    joint["energy"] = {
        "band": list(band(days)),
        "highest": highest_days(years, chosen, panel, days, forecasts, domain.frequency),
    }
    joint["tail_dependence"] = tail_dependence(years, chosen, panel, marginals)
    scores = summarise(domain, forecasts) | {
        "normaliser_error": joint["log_z_error"]["worst"],
        "chosen": {"base": domain.base, "capacity": {}, "weights": {"joint": joint["weights"]}},
        "joint": joint,
    }
    return forecasts, scores


def portfolio_forecasts(
    scored: dict[str, Scored], years: list[Year], weights: pd.DataFrame, panel: Panel, days: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of ``forecasts.parquet``: those of each model and portfolio.

    The rows of the energy model also have the energy of the day and the standard error of its log Z.
    """
    ahead = np.concatenate([year.ahead for year in years])
    realised = np.concatenate(
        [
            portfolio_returns(
                panel.returns[np.ix_(year.ahead, year.members)],
                of_members(weights.to_numpy(), year.members),
                panel.log,
            )
            for year in years
        ]
    )
    parts = []
    for k, portfolio in enumerate(map(str, weights)):
        keys = pd.DataFrame(
            {
                "series": portfolio,
                "origin": panel.times[ahead - 1],
                "lead": 1,
                "time": panel.times[ahead],
                "target": realised[:, k],
            }
        )
        for model, part in scored.items():
            sample = part.kept[:, :, k].astype(float)
            rows = from_sample(sample, realised[:, k]).table(keys, model)
            own = days.to_numpy() if model == "ebm" else np.nan
            rows[["energy", "log_z_error"]] = own
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def highest_days(
    years: list[Year],
    chosen: list[float],
    panel: Panel,
    days: pd.DataFrame,
    forecasts: pd.DataFrame,
    freq: str,
) -> list[dict[str, Any]]:
    """Return the days of the highest energy, with the returns of the portfolios and what drove them."""
    ours = forecasts[forecasts["model"] == "ebm"].pivot(index="time", columns="series", values="observed")
    returns, rows = ours.to_dict("index"), []
    highest = days["energy"].nlargest(HIGHEST)
    for time, energy in zip(pd.DatetimeIndex(highest.index), highest, strict=True):
        row = int(panel.times.searchsorted(time))
        year, weight = next((y, w) for y, w in zip(years, chosen, strict=True) if row in y.ahead)
        drivers = contributions(year, weight, int(np.flatnonzero(year.ahead == row)[0]), panel)
        rows.append(
            {
                "time": stamp(time, freq),
                "energy": float(energy),
                "portfolios": {str(name): float(value) for name, value in returns[time].items()},
                "drivers": {str(name): float(value) for name, value in drivers.head(DRIVERS).items()},
            }
        )
    return rows


def tail_dependence(
    years: list[Year], chosen: list[float], panel: Panel, marginals: Marginals
) -> dict[str, Any]:
    """Return realised lower-tail dependence beside that of the models, of all pairs and of the closest.

    A series is in its lower tail if its return is below the quantile of its own forecast. Those of the models
    are means over every 21st date. Series that take part in all years are compared.
    """
    common = sorted(set.intersection(*(set(year.members.tolist()) for year in years)))
    models = ("ebm", *years[0].paths)
    sums = {model: np.zeros((len(common), len(common))) for model in models}
    dates = 0
    for year, weight in zip(years, chosen, strict=True):
        at = np.searchsorted(year.members, common)
        for position in range(0, len(year.ahead), EVERY):
            dates += 1
            for model in models:
                draws = draws_of(model, year, weight, panel, marginals, position, 1)[:, at]
                sums[model] += both_below(draws, np.quantile(draws, TAIL, axis=0))
    ahead = np.concatenate([year.ahead for year in years])
    scores = marginals.scores(panel.returns)[np.ix_(ahead, common)]
    found = {"realised": both_below(scores, special.ndtri(TAIL))}
    found |= {model: total / dates for model, total in sums.items()}
    first, second = np.triu_indices(len(common), 1)
    order = np.argsort(-found["ebm"][first, second])[:PAIRS]
    names = [panel.names[i] for i in common]
    return {
        "level": TAIL,
        "dates": dates,
        "mean": {model: float(matrix[first, second].mean()) for model, matrix in found.items()},
        "pairs": [
            {
                "series": [names[first[k]], names[second[k]]],
                "values": {model: float(matrix[first[k], second[k]]) for model, matrix in found.items()},
            }
            for k in order
        ],
    }
