"""Benchmarks of ``basin backtest`` on prices and rates against classical models."""

import time
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd

from benchmarks.forecasting import alarm, exchange, nino
from benchmarks.forecasting.files import BUILD, DEV, MARKETS, alone, closes, mirrored, over, ran
from benchmarks.row import Comparison, Row, over_best_peer, peers
from tasks.reporting.verdict import holm
from tasks.scoring.scores import paired_test
from tasks.userdata.backtest_result import Backtest


def ohlc() -> Iterator[Row]:
    from arch.data import sp500

    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / "sp500_ohlc.csv"
    sp500.load().reset_index().to_csv(path, index=False)
    began = time.monotonic()
    block = alone(
        ran("ohlc", path, time="Date", target="Close", test_from="2014-01-01", test_to="2018-12-31")
    )
    seconds = time.monotonic() - began
    ours, name = block["models"]["ebm"], "S&P 500 with OHLC, one day, 2014-2018"
    yield Row(
        f"{name}: log score",
        "≥ -1.025",
        f"{ours['log_score']:.4f}",
        ours["log_score"] >= -1.025,
        value=ours["log_score"],
        unit="nats",
    )
    yield Row(f"{name}: CRPS", "≤ .4165", f"{ours['crps']:.4f}", ours["crps"] <= 0.4165, value=ours["crps"])
    egarch, scale = block["paired"]["egarch-skewt"], block["paired"]["scale-regression"]
    yield over(name, "EGARCH-skew-t", egarch, "t ≥ 3", egarch["t"] >= 3)
    yield over(name, "scale regression", scale, "≥ 0", scale["log_score_gain"] >= 0)
    seen = f"{seconds:.0f} s"
    yield Row(f"{name}: time, all peers", "≤ 180 s", seen, seconds <= 180, value=seconds, unit="s")


def vix() -> Iterator[Row]:
    data = mirrored("finance/sp500_vix_daily.csv")
    block = alone(ran("vix", data, exog=("vix",), test_from="2005-01-01", test_to="2018-12-31"))
    egarch, scale = block["paired"]["egarch-skewt"], block["paired"]["scale-regression"]
    met = egarch["log_score_gain"] >= 0.023 and egarch["t"] >= 5
    name = "S&P 500 close and VIX, one day, 2005-2018"
    yield over(name, "EGARCH-skew-t", egarch, "≥ .023, t ≥ 5", met)
    ours = block["models"]["ebm"]["log_score"]
    best = over_best_peer("S&P 500 with the VIX, next day, 2005–2018", block)
    yield Row(f"{name}: log score", "shown", f"{ours:.4f}", True, value=ours, unit="nats", comparison=best)
    met = scale["log_score_gain"] > 0 and scale["t"] >= 2
    yield over(name, "scale regression", scale, "> 0, t ≥ 2", met)


def fit() -> Iterator[Row]:
    """Time one fit of a bilinear energy of the size of a user's file: 5,000 rows, 16 inputs, five seeds."""
    import torch

    from ebm_core.tilts.bilinear import BilinearEnergy
    from ebm_core.tilts.training import fit_tilt

    torch.set_num_threads(1)  # like every unit of the pipeline
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5000, 16, generator=generator)
    score = 0.2 * x[:, 0] + torch.randn(5000, generator=generator)
    energy = BilinearEnergy(16, 32, 8, 5, generator)
    began = time.monotonic()
    fit_tilt(
        energy,
        score,
        x,
        validation=1000,
        steps=1500,
        learning_rate=0.01,
        weight_decay=0.05,
        generator=generator,
    )
    seconds = time.monotonic() - began
    yield Row(
        "five seeds, 5,000 rows × 16 inputs, 1,500 steps",
        "≤ 8 s",
        f"{seconds:.1f} s",
        seconds <= 8,
        value=seconds,
        unit="s",
    )


@cache
def own_runs() -> dict[str, Backtest]:
    return {m: ran(f"own-{m}", closes(m), test_from="2008-01-01") for m in MARKETS}


@cache
def panel_run() -> Backtest:
    table = pd.concat([pd.read_csv(closes(m)).assign(market=m) for m in MARKETS])
    path = BUILD / "markets.csv"
    table.to_csv(path, index=False)
    return ran("markets", path, series="market", test_from="2008-01-01")


def against(forecasts: pd.DataFrame, peer: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the paired test against ``peer`` over all series, averaged by day, and each series' gain."""
    keys = ["series", "time"]
    ours, theirs = (forecasts[forecasts["model"] == m].set_index(keys)["log_density"] for m in ("ebm", peer))
    difference = (ours - theirs).reset_index()
    pooled = paired_test(difference["log_density"].to_numpy(), difference["time"], 1)
    return pooled, difference.groupby("series", sort=False)["log_density"].mean().to_dict()


def closes_alone() -> Iterator[Row]:
    forecasts = pd.concat([r.forecasts.assign(series=m) for m, r in own_runs().items()], ignore_index=True)
    yield from _markets("own nets", forecasts, 0.006, 4.0)
    means = forecasts.groupby("model")["log_density"].mean()
    peer = max(peers(means.index), key=lambda model: float(means[model]))
    pooled, _ = against(forecasts, peer)
    yield Row(
        "closes of seven markets, one day, from 2008, own nets: log score",
        "shown",
        f"{means['ebm']:.4f}",
        True,
        value=means["ebm"],
        unit="nats",
        comparison=Comparison.paired(
            "Seven markets, each its own file, next day, from 2008",
            "log score, nats",
            means,
            peer,
            pooled["mean"],
            pooled["se"],
            digits=4,
        ),
    )


def closes_together() -> Iterator[Row]:
    yield from _markets("one net over all", panel_run().forecasts, 0.010, 5.0)


def _markets(what: str, forecasts: pd.DataFrame, least: float, t: float) -> Iterator[Row]:
    pooled, each = against(forecasts, "egarch-skewt")
    name = f"closes of seven markets, one day, from 2008, {what}"
    met = pooled["mean"] >= least and pooled["t"] >= t
    seen = f"{pooled['mean']:+.4f}, t {pooled['t']:.2f}"
    yield Row(
        f"{name}: over EGARCH-skew-t",
        f"≥ {least:.3f}, t ≥ {t:g}",
        seen,
        met,
        value=pooled["mean"],
        unit="nats",
    )
    worst = min(each, key=lambda m: each[m])
    yield Row(
        f"{name}: worst market",
        "≥ -.001",
        f"{worst} {each[worst]:+.4f}",
        each[worst] >= -0.001,
        value=each[worst],
        unit="nats",
    )


def value_at_risk() -> Iterator[Row]:
    """Run Kupiec and Christoffersen tests at 1 and 5 % for each market, with Holm's correction over all."""
    p = {}
    for market, result in own_runs().items():
        for level in ("0.01", "0.05"):
            hits = alone(result)["models"]["ebm"]["var"][level]
            p |= {f"{market} {level} {test}": hits[f"{test}_p"] for test in ("kupiec", "christoffersen")}
    adjusted = holm(p)
    worst = min(adjusted, key=lambda name: adjusted[name])
    yield Row(
        f"value at risk 1 % and 5 %, {len(p)} tests: smallest p after Holm",
        "≥ 5 %",
        f"{worst}: {adjusted[worst]:.3f} ({p[worst]:.4f} before)",
        adjusted[worst] >= 0.05,
        value=adjusted[worst],
    )


def fz0() -> Iterator[Row]:
    data = mirrored("finance/sp500_vix_daily.csv")
    asked = {"test_from": "2000-01-01", "test_to": "2016-12-31"}
    for what, exog, floors in (
        ("with VIX", ("vix",), (0.790, 0.953)),
        ("closes only", (), (0.823, 0.991)),
    ):
        models = alone(ran(f"fz0-{len(exog)}", data, exog=exog, **asked))["models"]
        seen = [models["ebm"]["var"][level]["fz0"] for level in ("0.05", "0.025")]
        gjr = [models["gjr-skewt"]["var"][level]["fz0"] for level in ("0.05", "0.025")]
        yield Row(
            f"FZ0, S&P 500 2000-2016, 5 % / 2.5 %, {what}",
            f"≤ {floors[0]:.3f} / {floors[1]:.3f}",
            f"{seen[0]:.4f} / {seen[1]:.4f} (GJR-skew-t {gjr[0]:.4f} / {gjr[1]:.4f})",
            bool((np.array(seen) <= floors).all()),
        )


def exchange_rates() -> Iterator[Row]:
    values = pd.read_csv(mirrored("finance/exchange_rate.csv")).drop(columns="day").to_numpy()
    official = len(values) - exchange.OFFICIAL * exchange.HORIZON
    earlier = official - exchange.EARLIER * exchange.HORIZON
    if DEV:
        earlier, official = earlier - exchange.EARLIER * exchange.HORIZON, None
    starts = [earlier + exchange.HORIZON * i for i in range(exchange.EARLIER)]
    scores = exchange.block_scores(values, starts)
    gain, models = scores["gain"]["ebm"], scores["models"]
    for key, least in (("crps", 0.0), ("crps_sum", 2.0)):
        low, high = gain[key]["interval"]
        peer, paired = scores["best_peer"][key]
        yield Row(
            f"exchange rates, 40 windows of 30 days: {key} below random-walk bootstrap",
            f"≥ {least:g} %",
            f"{gain[key]['gain_pct']:+.2f} % ({low:.1f} to {high:.1f})",
            gain[key]["gain_pct"] >= least,
            value=gain[key]["gain_pct"],
            unit="%",
            interval=(low, high),
            comparison=Comparison(
                "Eight exchange rates jointly, 30 days ahead, 40 windows",
                key.upper().replace("SUM", "sum"),
                peer,
                models[peer][key],
                models["ebm"][key],
                paired["gain_pct"],
                tuple(paired["interval"]),
                unit="%",
                digits=5,
            ),
        )
    if official is not None:
        starts = [official + exchange.HORIZON * i for i in range(exchange.OFFICIAL)]
        models = exchange.block_scores(values, starts)["models"]
        seen, base = models["ebm"], models["base"]
        yield Row(
            "exchange rates, 5 official windows: CRPS / CRPS_sum",
            "≤ .0067 / .0045",
            f"{seen['crps']:.5f} / {seen['crps_sum']:.5f} (base {base['crps']:.5f} / {base['crps_sum']:.5f})",
            seen["crps"] <= 0.0067 and seen["crps_sum"] <= 0.0045,
        )


ROWS = {
    "ohlc": ohlc,
    "vix": vix,
    "fit": fit,
    "closes": closes_alone,
    "markets": closes_together,
    "var": value_at_risk,
    "fz0": fz0,
    "nino": nino.nino,
    "exchange": exchange_rates,
    "alarm": alarm.alarms,
}
