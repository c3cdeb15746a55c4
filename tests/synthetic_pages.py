"""A page of every kind, made from synthetic results."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.applications.harness.application import Picture, get_application
from tasks.applications.harness.report import application_page
from tasks.checks.suites import docs_page
from tasks.operations.monitor_page import monitoring_page
from tasks.runtime.files import read_json
from tasks.runtime.params import load_params
from tasks.stages import report as stage
from tasks.userdata.alarm_page import alarm_page
from tasks.userdata.audit import page_of
from tasks.userdata.joint_paths import OwnPaths
from tasks.userdata.joint_paths_page import write_report
from tasks.userdata.jointly import OwnPanel
from tasks.userdata.jointly_page import write_report as write_panel
from tests.synthetic import AUDIT, LEADS, PEERS, make_inputs, png, project
from tests.tasks.stages.test_report import made_up

NOT_APPLICABLE = {**AUDIT["checks"][0], "id": "panel", "title": "Panel", "status": "not applicable"}
AUDITED: dict[str, Any] = {
    "status": "fail",
    "checks": [*AUDIT["checks"], {**AUDIT["checks"][0], "status": "fail"}, NOT_APPLICABLE],
}


def pages(folder: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Return the path of a page of each kind, by name, in ``folder``."""
    monkeypatch.setattr(stage, "get_domain", lambda workspace: made_up(workspace.domain))
    found = {}
    for domain in ("finance", "climate"):
        workspace = project(folder / domain, domain, rows=200)
        make_inputs(workspace, "x_z")
        stage.report(workspace, load_params(project_root, domain))
        found[domain] = workspace.report
        if domain == "finance":
            found["panel"] = folder / "panel.html"
            panel(found["panel"], read_json(workspace.scores), pd.read_parquet(workspace.forecasts))
        if domain == "climate":
            found["joint"] = folder / "joint.html"
            joint(found["joint"], read_json(workspace.scores), pd.read_parquet(workspace.forecasts))
    html = {"alarm": alarm(), "audit": page_of(AUDITED, "file.csv"), "monitor": monitor()}
    html |= {"application": application(), "validation": validation()}
    for name, content in html.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(content, encoding="utf-8")
    return found


def alarm() -> str:
    times = pd.bdate_range("2014-08-06", periods=380)
    rng = np.random.default_rng(3)
    probability = 0.2 + 0.15 * np.sin(np.arange(380) / 25) + 0.02 * rng.standard_normal(380)
    history = pd.DataFrame({"time": times, "probability": probability, "threshold": 0.3})
    history["label"] = history.index.isin([*range(40, 60), *range(300, 320)])
    history["label"] = history["label"].astype("boolean").where(history.index < 359)
    history["alarm"] = history["probability"] > 0.33
    keys = ("auroc", "ap", "brier_skill", "calm_auroc")
    score = {key: 0.561 for key in keys} | {f"{key}_interval": [-0.414, 0.781] for key in keys}
    outcome = {
        "caught": [{"event": "2014-10-13", "date": "2014-10-01", "lead": 8}],
        "missed": [{"event": "2015-08-21"}],
        "false_alarms": [{"from": "2015-01-15", "to": "2015-03-02"}],
        "false_alarms_per_year": 0.66,
        "alarm_days": 0.02,
    }
    peers = ("base", "gjr-filtered-simulation", "vix", "logit")
    found = {
        "event": "min<=-0.05@21",
        "test": ["2014-08-06", f"{times[358]:%Y-%m-%d}"],
        "models": {model: score for model in ("ebm", *peers)},
        "paired": {model: {"brier_skill": [-0.05, 0.063]} for model in peers},
        "peers": {model: outcome for model in peers},
        "budget": 2.0,
        "base_rate": 0.17,
        "today": {"date": "2016-03-09", "probability": 0.168, "threshold": 0.3, "alarm": False},
        **outcome,
    }
    return alarm_page("prices", found, history, ["a note on the file", "--dev: another"])


def joint(target: Path, scores: dict[str, Any], forecasts: pd.DataFrame) -> None:
    models = ("ebm", "base", *PEERS["climate"])
    for lead in scores["leads"].values():
        for score in lead["models"].values():
            score["var"] = {level: {"hits": 5, "fz0": 1.25} for level in ("0.01", "0.025", "0.05")}
    interval = {"gain_pct": 1.2, "interval": [-0.5, 2.9]}
    scores["joint"] = {
        "models": {model: {"crps": 0.0123, "crps_sum": 0.0234} for model in models},
        "paired": {model: {"crps": interval, "crps_sum": interval} for model in models[1:]},
    }
    domain = OwnPaths(
        "file", "A title", "What <will> happen?", "change", "MS", LEADS["climate"], "rate",
        reference="damped-persistence",
    )  # fmt: skip
    write_report(target, domain, scores, forecasts, ["a note", "another", "a third"])


def panel(target: Path, scores: dict[str, Any], forecasts: pd.DataFrame) -> None:
    models = ("ebm", "base", "dcc-t", "joint-filtered-simulation")
    test = {"gain": 0.3, "se": 0.02, "t": 15.0, "p": 0.0}
    names = ("log_score", "energy_score", "variogram_score", "brier")
    days = [f"{time:%Y-%m-%d}" for time in forecasts["time"].drop_duplicates().iloc[[20, 90, 150]]]
    of_series = {"sp500": 2.5, "nasdaq": -0.4}
    scores["joint"] = {
        "n": 200,
        "from": days[0],
        "to": days[-1],
        "series": ["A", "B", "C"],
        "models": {m: dict.fromkeys(names[m == models[3] : 3], 1.5) for m in models},
        "paired": {m: {name: test for name in names[m == models[3] :]} for m in models[1:]},
        "by_year": {str(year): {m: test for m in models[1:3]} for year in (2014, 2015)},
        "weights": {"2014": 0.25, "2015": 1.0},
        "log_z_error": {"median": 0.003, "worst": 0.02},
        "together": {"happened": 7, "fall": 3.0, **{m: {"brier": 0.03} for m in models}},
        "energy": {
            "band": [2.5, 9.5],
            "highest": [
                {"time": day, "energy": 9.9, "portfolios": of_series, "drivers": {"A": 3.2, "B": 0.1}}
                for day in days
            ],
        },
        "tail_dependence": {
            "level": 0.05,
            "dates": 12,
            "mean": dict.fromkeys(("realised", *models[:3]), 0.3),
            "pairs": [{"series": ["A", "B"], "values": dict.fromkeys(("realised", *models[:3]), 0.4)}],
        },
    }  # fmt: skip
    energy = 5 + np.sin(np.arange(len(forecasts)))
    domain = OwnPanel("A title", "% (100·Δlog)", "B", "price", models[1:3], reference=PEERS["finance"][0])
    write_panel(target, domain, scores, forecasts.assign(energy=energy), ["a note", "another", "a third"])


def monitor() -> str:
    times = pd.bdate_range("2019-01-01", periods=60)
    days = pd.DataFrame({"series": "sp500", "time": times, "version": "v1", "pit": 0.5, "u": 0.4})
    names = ("x_rms66_to_egarch", "x_log_scale", "x_vix_5")
    found = {
        "schema": "",
        "breach": False,
        "as_of": "2019-03-25",
        "version": "v1",
        "fitted": "2018-12-31",
        "days": 60,
        "detector": 12.0,
        "threshold": 480.0,
        "coverage": {"0.9": 0.91},
        "gain_over_base": 0.012,
        "energy": {"sp500": {"time": "2019-03-25", "nats": 1.2, "share_below": 0.4, "unusual": True}},
        "drift": [
            {"series": "sp500", "column": c, "psi": 0.1, "ks": 0.2, "psi_p": 0.3, "ks_p": 0.4, "q": 0.5,
             "drifted": c == "x_vix_5"}
            for c in names
        ],
    }  # fmt: skip
    return monitoring_page(SimpleNamespace(title="A title"), found, days)


def application() -> str:
    models = ("ebm", "knn5", "one-class-svm", "isolation-forest")
    measures = {
        "auroc": {"title": "AUROC", "better": "higher"},
        "error": {"title": "relative error", "better": "lower"},
    }
    values = {"auroc": 0.9, "error": 0.1}
    intervals = {"auroc": [0.85, 0.95], "error": [0.05, 0.2]}
    gain = {name: {"gain": 0.02, "interval": [-0.01, 0.05]} for name in measures}
    scores = {
        "models": {model: values for model in models},
        "intervals": {model: intervals for model in models},
        "measures": measures,
        "paired": {model: gain for model in models[1:]},
        "groups": {f"part {k}": {model: values for model in models} for k in range(3)},
        "seeds": 5,
        "notes": ["A note."],
    }
    pictures = [Picture("picture", "A picture", "What it shows.", png(40, 20))]
    provenance = [{"name": "data", "origin": "a package", "licence": "open", "sha256": "ab" * 32}]
    expectations = {"expectations": []}
    shown = get_application("anomaly")
    return application_page(shown, False, scores, pictures, expectations, AUDITED, provenance)


def validation() -> str:
    entry = {
        "expectation": "expect_column_values_to_be_between",
        "column": "close",
        "where": None,
        "success": True,
        "observed": None,
        "failing_rows": 0,
        "rows": [],
        "why": "prices are positive",
    }
    rows = [{"time": f"2019-01-{day:02}", "series": "sp500", "close": -1.0} for day in range(1, 29)]
    failed = {**entry, "success": False, "failing_rows": len(rows), "rows": rows}
    return docs_page("finance", 1000, [entry, failed])
