"""Checks of the forecasts by season, decade and regime.

The regime is the one that was known at the origin. Groups by outcome would favour forecasts that always warn
(Lerch et al. 2017, Forecaster's dilemma, Statistical Science 32(1)).
"""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from tasks.checks.check import Outcome

SEED = 20_181_231
RESAMPLES = 2000
LEVEL = 0.05
"""Probability of any false alarm over all groups of a domain (Bonferroni)."""

FEWEST = 50
"""Least number of independent forecasts in a group for a check of its coverage."""

BLOCKS = 10
"""Least number of bootstrap blocks in a group for a check of its skill."""

OFF = 0.2
"""Distance of coverage from nominal beyond which a significant difference fails and does not only warn."""

INTERVALS = {0.5: ("q0.25", "q0.75"), 0.9: ("q0.05", "q0.95")}
"""Central intervals and the quantile columns that bound them."""

SEASONS = {12: "winter", 1: "winter", 2: "winter", 3: "spring", 4: "spring", 5: "spring", 6: "summer",
           7: "summer", 8: "summer", 9: "autumn", 10: "autumn", 11: "autumn"}  # fmt: skip
"""Season of the northern hemisphere by month."""


def grouped(forecasts: pd.DataFrame, regimes: pd.DataFrame) -> pd.DataFrame:
    """Add ``season`` and ``decade`` of the target and the ``regime`` at the origin to ``forecasts``."""
    known = regimes.rename(columns={"time": "origin"})
    table = forecasts.merge(known, on=["series", "origin"], how="left")
    return table.assign(
        season=table["time"].dt.month.map(SEASONS),
        decade=(table["time"].dt.year // 10 * 10).astype(str) + "s",
        regime=table["regime"].fillna("unknown"),
    )


def parts(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name and the rows of each group of each series."""
    for series, own in rows.groupby("series", sort=False):
        for kind in ("season", "decade", "regime"):
            for value, part in own.groupby(kind):
                yield f"{series} {value}", part


def skill_by_group(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Compute the gain in mean log score over the best peer, by group, with a bootstrap interval.

    The best peer is the one with the highest mean log score on all rows. Gains are averaged over the leads of
    an origin. The blocks of the stationary bootstrap have a mean length of the longest lead or of n^(1/3),
    whichever is longer. The intervals of all groups together have a level of 1 − ``LEVEL``.

    References
    ----------
    Politis and Romano (1994), The stationary bootstrap, JASA 89(428).
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
    """Compute the coverage of the model's 50 % and 90 % intervals, by group and lead, with binomial bounds.

    The targets of lead h overlap, so n forecasts count as n / h independent ones.
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
        why = f"no group has {BLOCKS} blocks of forecasts"
        return Outcome("no group", BLOCKS, "not applicable", why)
    worse = tuple(name for name, group in found.items() if group["interval"][1] < 0)
    peer = next(iter(found.values()))["peer"]
    return Outcome(
        {name: "{:+.4f} [{:+.4f}, {:+.4f}]".format(g["gain"], *g["interval"]) for name, g in found.items()},
        "upper end of the interval at least 0",
        "warn" if worse else "pass",  # other groups are not affected, so the model may still be registered
        f"clearly worse than {peer}, the best peer, in these groups: use {peer} there" if worse
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
        {"groups": len(found), "furthest from nominal": f"{furthest}: {found[furthest]['share']:.3f}"},
        f"within chance (level {100 * LEVEL:g} % for all groups) or at most {OFF:g} from nominal",
        "fail" if any(off > OFF for off in beyond.values()) else "warn" if beyond else "pass",
        "the coverage in these groups is beyond chance" if beyond
        else f"the coverage of all {len(found)} intervals is nominal, within chance",
        tuple(f"{name}: {found[name]['share']:.3f}" for name in beyond),
    )  # fmt: skip
