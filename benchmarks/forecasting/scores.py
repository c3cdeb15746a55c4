"""Benchmarks of the scores of the last `make run`, for finance and climate."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import integrate, stats

from benchmarks import ROOT
from benchmarks.row import Row, over_best_peer
from tasks.runtime.files import read_json
from tasks.runtime.params import load_params
from tasks.runtime.workspace import Workspace
from tasks.tilts.fits import load_fold

DAMPED_PERSISTENCE = {"1": 0.2575, "3": 0.4745, "6": 0.5742, "9": 0.6013, "12": 0.6094}
"""CRPS (°C) of damped persistence by season, by lead, from another implementation on the same targets."""

CEILING = 0.597 + 0.005
"""Largest accepted CRPS in °C: that of climatology, .597, with a margin."""


def scores_of(domain: str) -> dict[str, Any]:
    scores: dict[str, Any] = read_json(Workspace(ROOT, domain).scores)
    return scores


def sp500() -> Iterator[Row]:
    series = scores_of("finance")["series"]
    block = series["sp500"]["leads"]["1"]
    ours, paired = block["models"]["ebm"], block["paired"]
    name = "S&P 500, one day, 2014-2018"
    yield Row(
        f"{name}: log score",
        "≥ -1.030",
        f"{ours['log_score']:.4f}",
        ours["log_score"] >= -1.030,
        value=ours["log_score"],
        unit="nats",
        comparison=over_best_peer("S&P 500, next day, 2014–2018", block),
    )
    yield Row(f"{name}: CRPS", "≤ .4180", f"{ours['crps']:.4f}", ours["crps"] <= 0.4180, value=ours["crps"])
    t = paired["egarch-skewt"]["t"]
    gain = paired["egarch-skewt"]["log_score_gain"]
    yield Row(
        f"{name}: over EGARCH-skew-t", "t ≥ 2", f"{gain:+.4f}, t {t:.2f}", t >= 2, value=gain, unit="nats"
    )
    base = paired["base"]
    yield Row(
        f"{name}: over its base",
        "shown",
        f"{base['log_score_gain']:+.4f}, t {base['t']:.2f}",
        True,
        value=base["log_score_gain"],
        unit="nats",
    )
    block = series["nasdaq"]["leads"]["1"]
    ours = block["models"]["ebm"]["log_score"]
    yield Row(
        "NASDAQ, one day, 2014-2018: log score",
        "shown",
        f"{ours:.4f}",
        True,
        value=ours,
        unit="nats",
        comparison=over_best_peer("NASDAQ, next day, 2014–2018", block),
    )


def elnino() -> Iterator[Row]:
    for lead, block in scores_of("climate")["leads"].items():
        crps, floor = block["models"]["ebm"]["crps"], DAMPED_PERSISTENCE[lead]
        here = block["models"]["damped-persistence"]["crps"]
        yield Row(
            f"El Niño 1990-2010, lead {lead}: CRPS",
            f"< {floor:.4f} and ≤ {CEILING:.3f}",
            f"{crps:.4f} (damped persistence in this run {here:.4f})",
            crps < floor and crps <= CEILING,
            value=crps,
            unit="°C",
        )


def normaliser() -> Iterator[Row]:
    """Compare log Z with adaptive quadrature on 50 random and the 20 most extreme rows of each test block."""
    worst = 0.0
    for domain in ("finance", "climate"):
        workspace = Workspace(ROOT, domain)
        split = load_params(ROOT, domain).split
        inputs, classical = pd.read_parquet(workspace.inputs), pd.read_parquet(workspace.classical)
        tested = inputs[inputs["time"].between(pd.Timestamp(split.test_from), pd.Timestamp(split.test_to))]
        columns = [c for c in inputs if c.startswith("x_")]
        reach = ((tested[columns] - tested[columns].mean()) / tested[columns].std()).abs().max(axis=1)
        chosen = tested.loc[reach.nlargest(20).index.union(tested.sample(50, random_state=0).index)]
        for year, rows in chosen.groupby(chosen["origin"].dt.year):
            rows = rows.reset_index(drop=True)
            model = load_fold(workspace.fits, str(year))
            law = model.distribution(rows, model.base(classical, rows))
            for i in range(len(rows)):

                def integrand(s: float, i: int = i, law: Any = law) -> float:
                    energy = law.energy(torch.full((1, *law.batch_shape), s, dtype=torch.float64))
                    return float(np.exp(-energy[0, i]) * stats.norm.pdf(s))

                exact = integrate.quad(integrand, -12, 12, points=[-3, 0, 3], epsabs=1e-13, limit=400)[0]
                worst = max(worst, abs(float(law.log_z[i]) - float(np.log(exact))))
    stated = max(scores_of(d)["normaliser_error"] for d in ("finance", "climate"))
    seen = f"{worst:.1e} by adaptive quadrature, {stated:.1e} stated"
    yield Row(
        "normaliser of every log score, nats",
        "≤ 1e-4",
        seen,
        worst <= 1e-4 and stated <= 1e-4,
        value=max(worst, stated),
        unit="nats",
    )
