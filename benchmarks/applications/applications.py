"""Benchmarks of the applications `anomaly` and `social` against their peers: ``make bench-NAME``.

A row runs all stages of its application with results in ``runs/bench/NAME`` and reads the scores.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT
from benchmarks.row import Comparison, Row, peers
from tasks.applications.harness.application import Given
from tasks.applications.harness.run import run_application
from tasks.runtime.errors import BasinError


def scores_of(name: str, given: Given) -> dict[str, Any]:
    """Run an application and return the content of its ``scores.json``."""

    def stage(label: str, run: Callable[..., Any]) -> None:
        print(f"{name}: {label}", flush=True)
        run(lambda *_: None)

    return run_application(name, given, ROOT, ROOT / "runs" / "bench" / name, stage).scores


def measured(scores: dict[str, Any], model: str, measure: str) -> str:
    """Return a measure of a model with its 95 % interval in brackets."""
    low, high = scores["intervals"][model][measure]
    return f"{scores['models'][model][measure]:.3f} [{low:.3f}, {high:.3f}]"


def over_best_peer(of: str, scores: dict[str, Any], measure: str, label: str) -> Comparison:
    """A measure, higher is better, beside the best other model, by the paired bootstrap of the run."""
    models = {name: found[measure] for name, found in scores["models"].items() if measure in found}
    peer = max(peers(models), key=lambda name: float(models[name]))
    paired = scores["paired"][peer][measure]
    low, high = paired["interval"]
    return Comparison(of, label, peer, models[peer], models["ebm"], paired["gain"], (low, high))


def mirror(folder: str) -> Path:
    """Return a folder of BASIN_DATA_MIRROR; raises ``BasinError`` if it does not exist."""
    root = os.environ.get("BASIN_DATA_MIRROR")
    path = ROOT / root / folder if root else None
    if path is None or not path.is_dir():
        raise BasinError(
            f"no folder {folder}/ in BASIN_DATA_MIRROR; set the variable to a folder that has it"
        )
    return path


def anomaly() -> Iterator[Row]:
    scores = scores_of("anomaly", Given(data=mirror("anomaly"), seeds=3))
    for measure, least in (("auroc", 0.885), ("ap", 0.735)):
        found = scores["models"]["ebm"][measure]
        others = ", ".join(f"{m} {measured(scores, m, measure)}" for m in scores["models"] if m != "ebm")
        yield Row(
            f"ten anomaly sets, mean {measure}",
            f"≥ {least}",
            f"{measured(scores, 'ebm', measure)} ({others})",
            found >= least,
            value=found,
            comparison=over_best_peer(
                "Anomalies in ten tables, three seeds", scores, measure, measure.upper()
            ),
        )
    behind = {
        name: of["ebm"]["auroc"] - float(np.median([of[m]["auroc"] for m in of if m != "ebm"]))
        for name, of in scores["groups"].items()
    }
    worst = min(behind, key=lambda name: behind[name])
    yield Row(
        "ten anomaly sets, AUROC of the worst set less its median peer's",
        "≥ −.03",
        f"{worst} {behind[worst]:+.3f}",
        behind[worst] >= -0.03,
        value=behind[worst],
    )


def social() -> Iterator[Row]:
    scores = scores_of("social", Given())
    models, paired = scores["models"], scores["paired"]

    def gain(peer: str, measure: str) -> str:
        low, high = paired[peer][measure]["interval"]
        return f"{paired[peer][measure]['gain']:+.4f} [{low:+.4f}, {high:+.4f}]"

    over = paired["boosting"]["auroc"]["gain"]
    yield Row(
        "cascades after 10 minutes: AUROC of the top tenth",
        "≥ .013 above boosting",
        f"{measured(scores, 'ebm', 'auroc')} against {measured(scores, 'boosting', 'auroc')}, "
        f"{gain('boosting', 'auroc')}; over tuned boosting {gain('boosting-tuned', 'auroc')}, "
        f"over its base {gain('base', 'auroc')}",
        over >= 0.013,
        value=over,
        interval=paired["boosting"]["auroc"]["interval"],
    )
    yield Row(
        "cascades after 10 minutes: median relative error of the size",
        "≤ boosting's",
        f"{models['ebm']['relative_error']:.3f} against {models['boosting']['relative_error']:.3f}",
        models["ebm"]["relative_error"] <= models["boosting"]["relative_error"],
        value=models["ebm"]["relative_error"],
    )
    for measure in ("crps", "log_score"):
        yield Row(
            f"cascades after 10 minutes: {measure} of log size",
            "better than quantile boosting",
            f"{models['ebm'][measure]:.4f} against {models['quantile-boosting'][measure]:.4f}, gain "
            f"{gain('quantile-boosting', measure)}",
            paired["quantile-boosting"][measure]["gain"] > 0,
            value=models["ebm"][measure],
        )
    articles = {m: of["articles_auroc"] for m, of in models.items() if "articles_auroc" in of}
    peers = {m: value for m, value in articles.items() if m not in ("ebm", "base")}
    best = max(peers, key=lambda m: peers[m])
    yield Row(
        "articles before publication: AUROC of the top tenth",
        "≥ .01 above the best peer",
        f"{articles['ebm']:.3f} against {best} {peers[best]:.3f} ({gain(best, 'articles_auroc')}), base "
        f"{articles['base']:.3f}",
        articles["ebm"] - peers[best] >= 0.01,
        value=articles["ebm"],
    )
    ages = {n: scores["intervals"]["ebm"][n] for n in scores["intervals"]["ebm"] if "_weeks_" in n}
    parts = [(n.split("_")[-1], models["ebm"][n], low, high) for n, (low, high) in ages.items()]
    seen = ", ".join(f"from week {week}: {at:.2f} [{low:.2f}, {high:.2f}]" for week, at, low, high in parts)
    yield Row(
        "articles before publication: AUROC by weeks since the last one learned from", "shown", seen, True
    )


ROWS = {"anomaly": anomaly, "social": social}
