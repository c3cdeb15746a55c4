"""Benchmark of ``basin alarm`` on falls of the S&P 500."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from benchmarks.forecasting.files import BUILD, DEV, mirrored
from benchmarks.row import Comparison, Row, peers
from tasks.userdata.request import Request
from tasks.userdata.run import alarm


def alarms() -> Iterator[Row]:
    event = "min<=-0.08@21"
    request = Request(
        time="date",
        target="close",
        exog=("vix",),
        test_from=pd.Timestamp("2005-01-01").date(),
        test_to=pd.Timestamp("2018-12-31").date(),
        kind="price",
        dev=DEV,
    )
    found = alarm(mirrored("finance/sp500_vix_daily.csv"), request, event, 2.0, BUILD / "alarm").found
    ours, gjr = found["models"]["ebm"], found["models"]["gjr-filtered-simulation"]
    name = "S&P 500 falls 8 % within 21 days, 2005-2018"
    for key, least in (("auroc", 0.770), ("ap", 0.310), ("brier_skill", 0.140), ("calm_auroc", 0.675)):
        low, high = ours[f"{key}_interval"]
        gain = found["paired"]["gjr-filtered-simulation"][key]
        yield Row(
            f"{name}: {key}",
            f"≥ {least:.3f}",
            f"{ours[key]:.3f} [{low:.3f}, {high:.3f}] (GJR simulation {gjr[key]:.3f}; gain "
            f"{gain[0]:+.3f} to {gain[1]:+.3f})",
            ours[key] >= least,
            value=ours[key],
            interval=(low, high),
            comparison=_over_best_alarm(found, key),
        )
    rate = found["false_alarms_per_year"]
    yield Row(f"{name}: false alarms a year, budget 2", "≤ 2.5", f"{rate:.2f}", rate <= 2.5, value=rate)
    caught, theirs = len(found["caught"]), len(found["peers"]["vix"]["caught"])
    of = caught + len(found["missed"])
    yield Row(
        f"{name}: events caught", "≥ VIX", f"{caught} of {of}, VIX {theirs}", caught >= theirs, value=caught
    )


def _over_best_alarm(found: dict[str, Any], key: str) -> Comparison:
    models = found["models"]
    peer = max(peers(found["paired"]), key=lambda name: float(models[name][key]))
    theirs, ours = models[peer][key], models["ebm"][key]
    low, high = found["paired"][peer][key]
    of = "Alarm of a fall of 8 % within 21 days, S&P 500, 2005–2018"
    measure = {"auroc": "AUROC", "ap": "AP", "brier_skill": "Brier skill", "calm_auroc": "calm AUROC"}[key]
    return Comparison(of, measure, peer, theirs, ours, ours - theirs, (low, high))
