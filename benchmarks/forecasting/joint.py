"""Joint densities of many stocks, one day ahead, beside copulas with the same marginals."""

import importlib.util
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.forecasting.files import DEV, mirrored
from benchmarks.row import Comparison, Row
from tasks.joint.evaluate import by_draws, by_year, gain, joint_scores, log_densities
from tasks.joint.marginals import Marginals, fit_marginals
from tasks.joint.panel import Panel, panel_of, refits
from tasks.joint.walk_forward import PEERS, Year, walk_forward, weights_of
from tasks.runtime.errors import BasinError

BLOCK, DEVELOPMENT = 2003, 1996
"""First years of the test block and of the development, which ends before the block."""

DENSITIES = ("base", "dcc-t")
"""Copulas that the short rows compare with."""


Walk = tuple[list[Year], list[float], Panel, Marginals]
"""Years, the weights of the energy in them, the panel and its marginals."""

WARM_UP = 2
"""Years before the first one that is scored, whose forecasts tell the weight of the energy."""


def stocks() -> pd.DataFrame:
    """Return the prices of the 20 US stocks that skfolio ships, read without importing it."""
    found = importlib.util.find_spec("skfolio")
    if found is None or found.origin is None:
        raise BasinError("the row joint needs the data of skfolio; pip install 'basin[portfolios]'")
    path = Path(found.origin).parent / "datasets" / "data" / "sp500_dataset.csv.gz"
    return pd.read_csv(path, index_col=0, parse_dates=True)


def dow() -> pd.DataFrame:
    return pd.read_csv(mirrored("finance/dj_constituents.csv"), index_col=0, parse_dates=True)


def known(prices: pd.DataFrame) -> pd.DataFrame:
    """Return the prices that may be read: all, or with ``--dev`` those before the test block."""
    return prices[: f"{BLOCK - 1}-12-31"] if DEV else prices


def walked(prices: pd.DataFrame, first: int, peers: tuple[str, ...] = PEERS) -> Walk:
    """Walk through the prices, and return what was forecast from the year ``first`` on."""
    panel = panel_of(prices)
    walk = refits(panel.times)
    marginals = fit_marginals(panel, walk)
    walk = [refit for refit in walk if panel.times[refit.first].year >= first - WARM_UP]
    years = walk_forward(panel, marginals, walk, peers)
    chosen = weights_of(years)
    scored = [k for k, refit in enumerate(walk) if panel.times[refit.first].year >= first]
    return [years[k] for k in scored], [chosen[k] for k in scored], panel, marginals


@cache
def twenty() -> tuple[dict[str, Any], float]:
    """Evaluate the 20 stocks with all peers, and time it."""
    began = time.monotonic()
    years, chosen, panel, marginals = walked(known(stocks()), DEVELOPMENT if DEV else BLOCK)
    scored = by_draws(years, chosen, panel, marginals)
    return joint_scores(years, chosen, scored, panel, marginals), time.monotonic() - began


def joint() -> Iterator[Row]:
    found, seconds = twenty()
    name = f"20 US stocks jointly, next day, {found['from'][:4]}-{found['to'][:4]}"
    paired, models = found["paired"], found["models"]
    dcc, base = paired["dcc-t"]["log_score"], paired["base"]["log_score"]
    ours = {model: entry["log_score"] for model, entry in models.items() if "log_score" in entry}
    best = max((model for model in ours if model not in ("ebm", "base")), key=lambda model: ours[model])
    over_best = paired[best]["log_score"]
    yield Row(
        f"{name}: joint log score over DCC-t",
        "≥ .40, t ≥ 15",
        f"{dcc['gain']:+.3f}, t {dcc['t']:.1f}",
        dcc["gain"] >= 0.4 and dcc["t"] >= 15,
        value=dcc["gain"],
        unit="nats",
        comparison=Comparison.paired(
            name.replace("-", "–"),
            "log score, nats",
            ours,
            best,
            over_best["gain"],
            over_best["se"],
            digits=2,
        ),
    )
    worst = min(found["by_year"], key=lambda year: found["by_year"][year]["dcc-t"]["t"])
    t = found["by_year"][worst]["dcc-t"]["t"]
    yield Row(f"{name}: worst year over DCC-t", "t ≥ -2", f"{worst}: t {t:.1f}", t >= -2, value=t)
    met = base["gain"] >= 0.3
    seen = f"{base['gain']:+.3f}, t {base['t']:.1f}"
    yield Row(f"{name}: over its own untilted copula", "≥ .30", seen, met, value=base["gain"], unit="nats")
    for score, words in (("energy_score", "energy score"), ("variogram_score", "variogram score")):
        over = paired["dcc-t"][score]
        in_set = models["ebm"][f"{score}_mcs_p"] >= 0.1
        seen = f"t {over['t']:.1f}, {'in' if in_set else 'not in'} the confidence set"
        yield Row(f"{name}: {words} over DCC-t", "t ≥ 3, in the set", seen, over["t"] >= 3 and in_set)
    brier, briers = paired["dcc-t"]["brier"], found["together"]
    in_set = models["ebm"]["brier_mcs_p"] >= 0.1
    yield Row(
        f"{name}: Brier score of a quarter falling by 3 %, over DCC-t",
        "t ≥ 3, in the set",
        f"{briers['ebm']['brier']:.4f} and {briers['dcc-t']['brier']:.4f}, t {brier['t']:.1f}, "
        f"{'in' if in_set else 'not in'} the confidence set, {briers['happened']} days",
        brier["t"] >= 3 and in_set,
    )
    error = found["log_z_error"]
    yield Row(
        f"{name}: standard error of log Z",
        "median ≤ .005, worst ≤ .05",
        f"{error['median']:.4f}, {error['worst']:.4f} (least effective size "
        f"{found['effective_size']['least']:.0f} of 50,000)",
        error["median"] <= 0.005 and error["worst"] <= 0.05,
    )
    yield from portfolios(name, found["portfolios"])
    yield Row(
        f"{name}: time with all peers", "≤ 15 min", f"{seconds / 60:.1f} min", seconds <= 900, seconds, "s"
    )


def portfolios(name: str, found: dict[str, Any]) -> Iterator[Row]:
    for kind, words in (("equal", "equal weights"), ("random", "50 random portfolios")):
        block = found[kind]
        for score, digits in (("log_score", 3), ("crps", 4)):
            tests = {peer: block[peer]["paired"][score] for peer in ("dcc-t", "gjr-on-portfolio")}
            yield Row(
                f"{name}, {words}: {'log score' if score == 'log_score' else 'CRPS'}",
                "t > -2 over both, ≥ 3 over DCC-t aimed at",
                f"{block['ebm'][score]:.{digits}f}; over DCC-t t {tests['dcc-t']['t']:.1f}, over GJR on the "
                f"portfolio t {tests['gjr-on-portfolio']['t']:.1f}",
                all(test["t"] > -2 for test in tests.values()),
            )
        tails = block["ebm"]["var"]
        smallest = min(min(tail["kupiec_p"], tail["christoffersen_p"]) for tail in tails.values())
        in_set = all(tail["fz0_mcs_p"] >= 0.1 for tail in tails.values())
        shares = ", ".join(f"{tail['share']:.2%} at {float(level):.0%}" for level, tail in tails.items())
        yield Row(
            f"{name}, {words}: value at risk",
            "smallest p ≥ .0125, FZ0 in the set",
            f"{shares}, smallest p {smallest:.3f}, FZ0 {'in' if in_set else 'not in'} the set",
            smallest >= 0.0125 and in_set,
        )


def densities(prices: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Return the joint log densities of ``first`` to ``last`` by the tilt and ``DENSITIES``."""
    return log_densities(*walked(prices[: f"{last}-12-31"], first, DENSITIES))


def joint_dow() -> Iterator[Row]:
    first, last = (DEVELOPMENT, BLOCK - 1) if DEV else (BLOCK, 2015)
    table = densities(dow(), first, last)
    test = gain("log_score", table["ebm"] - table["dcc-t"], table.index.to_series())["log_score"]
    yield Row(
        f"28 Dow stocks jointly, next day, {first}-{last}: joint log score over DCC-t",
        "≥ .35, t ≥ 10",
        f"{test['gain']:+.3f}, t {test['t']:.1f}",
        test["gain"] >= 0.35 and test["t"] >= 10,
        value=test["gain"],
        unit="nats",
    )


def joint_short() -> Iterator[Row]:
    """Evaluate the first three test years of panels with six years, where little is known."""
    begin = 1990 if DEV else 2004
    for name, prices in (("20 US stocks", stocks()), ("28 Dow stocks", dow())):
        table = densities(prices[f"{begin}-01-01" :].dropna(axis=1), begin + 3, begin + 5)
        years = by_year(table)
        t = {year: entry["dcc-t"]["t"] for year, entry in years.items()}
        yield Row(
            f"{name} from {begin}, first three test years: over DCC-t",
            "t > -2",
            ", ".join(f"{year}: t {value:.1f}" for year, value in t.items()),
            min(t.values()) > -2,
            value=float(np.min(list(t.values()))),
        )


ROWS = {"joint": joint, "joint-dow": joint_dow, "joint-short": joint_short}
