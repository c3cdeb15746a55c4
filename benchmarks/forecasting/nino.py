"""Benchmark of ``basin backtest`` on Niño 3.4, three to twelve months ahead."""

from collections.abc import Iterator

from benchmarks.forecasting.files import mirrored, ran
from benchmarks.row import Comparison, Row, peers
from tasks.scoring.scores import paired_test

RIDGE = {"3": (0.204, 0.904), "6": (0.290, 0.777), "9": (0.354, 0.641), "12": (0.429, 0.441)}
"""CRPS (°C) and anomaly correlation, by lead, of a seasonal ridge from another implementation."""

XRO = {"3": 0.887, "6": 0.763, "9": 0.624, "12": 0.505}
"""Anomaly correlation of the XRO model, by lead."""

LESS = {"3": 3.5, "6": 4.0, "9": 5.0, "12": 8.0}
"""Targets for the reduction of CRPS in comparison with the ridge, in per cent by lead."""

INDICES = ("WWV", "NPMM", "SPMM", "IOB", "IOD", "SIOD", "TNA", "ATL3", "SASD")
"""Inputs of the forecasts of Niño 3.4."""


def nino() -> Iterator[Row]:
    found = ran(
        "nino",
        mirrored("climate/enso_indices_oras5.nc"),
        time="time",
        target="Nino34",
        exog=INDICES,
        leads=(3, 6, 9, 12),
        test_from="2000-01-01",
        test_to="2017-12-31",
    )
    for lead, block in found.scores["leads"].items():
        ours, here = block["models"]["ebm"], block["models"]["seasonal-ridge"]
        below = 100 * (1 - ours["crps"] / RIDGE[lead][0])
        name = f"Niño 3.4 with nine indices, 2000-2017, lead {lead}"
        seen = f"{below:+.1f} % ({ours['crps']:.3f}; ridge of this run {here['crps']:.3f})"
        yield Row(
            f"{name}: CRPS below ridge",
            f"≥ {LESS[lead]:g} %",
            seen,
            below >= LESS[lead],
            value=below,
            unit="%",
        )
        least = max(RIDGE[lead][1], XRO[lead]) - (0.003 if lead == "12" else 0)
        yield Row(
            f"{name}: ACC", f"≥ {least:.3f}", f"{ours['acc']:.3f}", ours["acc"] >= least, value=ours["acc"]
        )
    crps = found.forecasts.pivot_table(index="time", columns="model", values="crps")
    means = crps.mean()
    peer = min(peers(means.index), key=lambda model: float(means[model]))
    gain = paired_test((crps[peer] - crps["ebm"]).to_numpy(), crps.index.to_series(), 12)
    yield Row(
        "Niño 3.4 with nine indices, 2000-2017: CRPS, mean of the leads",
        "shown",
        f"{means['ebm']:.4f}",
        True,
        value=means["ebm"],
        unit="°C",
        comparison=Comparison.paired(
            "Niño 3.4 with nine indices, 3 to 12 months ahead, 2000–2017",
            "CRPS, °C",
            means,
            peer,
            gain["mean"],
            gain["se"],
        ),
    )
