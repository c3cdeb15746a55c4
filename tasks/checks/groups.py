"""Checks of the forecasts by group: season, decade and the regime that was known at the origin.

Groups are those of the origin, never of the outcome: scores of chosen outcomes favour forecasts that always
warn (Lerch et al. 2017, Forecaster's dilemma, Statistical Science 32(1)).
"""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from tasks.checks.check import Outcome

SEED = 20_181_231
RESAMPLES = 2000
LEVEL = 0.05
"""Chance of any false alarm among all groups of a domain (Bonferroni)."""

FEWEST = 50
"""Forecasts, overlapping ones counted once, from which the coverage of a group is judged."""

BLOCKS = 10
"""Blocks of the bootstrap from which the skill of a group is judged."""

OFF = 0.2
"""Coverage this far from nominal, and farther than chance allows, fails; less warns."""

INTERVALS = {0.5: ("q0.25", "q0.75"), 0.9: ("q0.05", "q0.95")}
"""Central intervals and the quantile columns that bound them."""

SEASONS = {12: "winter", 1: "winter", 2: "winter", 3: "spring", 4: "spring", 5: "spring", 6: "summer",
           7: "summer", 8: "summer", 9: "autumn", 10: "autumn", 11: "autumn"}  # fmt: skip
"""Of the northern hemisphere."""


def grouped(forecasts: pd.DataFrame, regimes: pd.DataFrame) -> pd.DataFrame:
    """``forecasts`` with ``season`` and ``decade`` of the target and the ``regime`` at the origin."""
    known = regimes.rename(columns={"time": "origin"})
    table = forecasts.merge(known, on=["series", "origin"], how="left")
    return table.assign(
        season=table["time"].dt.month.map(SEASONS),
        decade=(table["time"].dt.year // 10 * 10).astype(str) + "s",
        regime=table["regime"].fillna("unknown"),
    )


def parts(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """``(name, rows)`` of each group of each series."""
    for series, own in rows.groupby("series", sort=False):
        for kind in ("season", "decade", "regime"):
            for value, part in own.groupby(kind):
                yield f"{series} {value}", part


def skill_by_group(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Gain in mean log score over the best peer, by group, with a block-bootstrap interval.

    The best peer is the one of highest mean log score on all rows. Differences are averaged over leads by
    origin; blocks of a stationary bootstrap are as long as the longest lead or n^(1/3), if that is more. The
    interval holds with probability 1 − ``LEVEL`` for all groups together.

    Reference: Politis and Romano (1994), The stationary bootstrap, JASA 89(428).
    """
    from arch.bootstrap import StationaryBootstrap

    known = rows[rows["observed"].notna()]
    mean = known.groupby("model")["log_density"].mean().drop("ebm", errors="ignore")
    peer = str(mean.idxmax())
    keys = ["series", "origin", "lead", "time", "season", "decade", "regime"]
    both = known[known["model"].isin(["ebm", peer])].pivot(index=keys, columns="model", values="log_density")
    gain = (both["ebm"] - both[peer]).rename("gain").reset_index().dropna(subset="gain")
    longest = int(gain["lead"].max())
    judged = [(name, part) for name, part in parts(gain) if part["origin"].nunique() >= BLOCKS * longest]
    found = {}
    for name, part in judged:
        by_origin = part.groupby("origin")["gain"].mean().to_numpy()
        block = max(longest, round(len(by_origin) ** (1 / 3)))
        resampled = StationaryBootstrap(block, by_origin, seed=np.random.default_rng(SEED)).apply(
            lambda x: x.mean(), RESAMPLES
        )
        low, high = np.quantile(resampled, [LEVEL / 2 / len(judged), 1 - LEVEL / 2 / len(judged)])
        found[name] = {
            "peer": peer,
            "origins": len(by_origin),
            "gain": round(float(by_origin.mean()), 4),
            "interval": [round(float(low), 4), round(float(high), 4)],
        }
    return found


def coverage_by_group(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Share of outcomes inside the model's 50 % and 90 % intervals, by group and lead, with binomial bounds.

    n forecasts of lead h count as n / h independent ones.
    """
    from scipy.stats import binom

    ours = rows[(rows["model"] == "ebm") & rows["observed"].notna()]
    judged = [
        (f"{name}, lead {lead}", int(cast(int, lead)), part)
        for name, group in parts(ours)
        for lead, part in group.groupby("lead")
        if len(part) / int(cast(int, lead)) >= FEWEST
    ]
    level = LEVEL / max(1, len(judged) * len(INTERVALS))
    found = {}
    for name, lead, part in judged:
        n = len(part) // lead
        for nominal, (low, high) in INTERVALS.items():
            share = float(part["observed"].between(part[low], part[high]).mean())
            bounds = [float(b) / n for b in binom.ppf([level / 2, 1 - level / 2], n, nominal)]
            found[f"{name}, {nominal:.0%}"] = {
                "share": round(share, 3),
                "nominal": nominal,
                "bounds": [round(b, 3) for b in bounds],
            }
    return found


def judge_skill(rows: pd.DataFrame) -> Outcome:
    found = skill_by_group(rows)
    if not found:
        return Outcome("no group", BLOCKS, "not applicable", f"no group has {BLOCKS} blocks of forecasts")
    worse = tuple(name for name, group in found.items() if group["interval"][1] < 0)
    peer = next(iter(found.values()))["peer"]
    return Outcome(
        {name: "{:+.4f} [{:+.4f}, {:+.4f}]".format(g["gain"], *g["interval"]) for name, g in found.items()},
        "interval not wholly below 0",
        "warn" if worse else "pass",  # a peer that wins somewhere is shown: no reason to withhold the rest
        f"clearly worse than {peer}, the best peer, in the groups named: use that one there" if worse
        else f"in none of {len(found)} groups clearly worse than {peer}, the best peer",
        worse,
    )  # fmt: skip


def judge_coverage(rows: pd.DataFrame) -> Outcome:
    found = coverage_by_group(rows)
    if not found:
        return Outcome("no group", FEWEST, "not applicable", f"no group has {FEWEST} independent forecasts")
    beyond = {
        name: abs(group["share"] - group["nominal"])
        for name, group in found.items()
        if not group["bounds"][0] <= group["share"] <= group["bounds"][1]
    }
    furthest = max(found, key=lambda name: abs(found[name]["share"] - found[name]["nominal"]))
    return Outcome(
        {"groups": len(found), "furthest off": f"{furthest}: {found[furthest]['share']:.3f}"},
        f"within chance ({LEVEL:.0%} for all groups), at most {OFF:g} off",
        "fail" if any(off > OFF for off in beyond.values()) else "warn" if beyond else "pass",
        "intervals hold more or fewer outcomes there than they say" if beyond
        else f"all {len(found)} intervals of groups hold as many outcomes as they say, within chance",
        tuple(f"{name}: {found[name]['share']:.3f}" for name in beyond),
    )  # fmt: skip
