"""Synthetic outputs of stages, in their formats, for tests of code that reads them."""

import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tasks.runtime.files import write_json
from tasks.runtime.workspace import Workspace
from tasks.scoring import quantiles
from tasks.scoring.quantiles import key

LEVELS = np.arange(1, 100) / 100
PEERS = {
    "finance": ("egarch-skewt", "gjr-skewt", "garch-t", "historical-simulation", "mdn"),
    "climate": ("seasonal-ridge", "damped-persistence", "persistence", "climatology", "mdn"),
}
SERIES = {"finance": ("sp500", "nasdaq"), "climate": ("nino",)}
LEADS = {"finance": (1,), "climate": (1, 3, 6, 9, 12)}


def project(root: Path, domain: str, rows: int = 500) -> Workspace:
    """Everything that ``report`` reads, with every model a normal whose scale is a little off."""
    workspace = Workspace(root, domain)
    for folder in (workspace.raw.parent, workspace.landscape, workspace.model):
        folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    freq, start = ("B", "2014-01-02") if domain == "finance" else ("MS", "1990-01-01")
    times = pd.date_range(start, periods=rows, freq=freq).as_unit("ns")
    value = "close" if domain == "finance" else "sst"
    raw = pd.concat(
        [pd.DataFrame({"time": times, "series": s, value: rng.uniform(1, 2, rows)}) for s in SERIES[domain]]
    )
    raw.reset_index(drop=True).to_parquet(workspace.raw)
    workspace.quarantine.parent.mkdir(parents=True, exist_ok=True)
    raw.assign(row=0).iloc[:0].to_parquet(workspace.quarantine)
    forecasts = make_forecasts(domain, times, rng)
    forecasts.to_parquet(workspace.forecasts)
    write_json(workspace.scores, make_scores(domain, forecasts))
    write_json(workspace.provenance, make_provenance(domain, len(raw)))
    write_json(workspace.validation, VALIDATION)
    write_json(workspace.audit, AUDIT)
    write_json(workspace.forecast_audit, AUDIT)
    write_json(workspace.forecast, make_forecast(domain, times))
    workspace.model_card.write_text("# A model\n")
    (workspace.landscape / "map.png").write_bytes(png(8, 4))
    figures = [{"file": "map.png", "title": "A map", "caption": "Nothing is on it."}]
    write_json(workspace.landscape / "landscape.json", {"figures": figures})
    return workspace


def make_forecasts(domain: str, times: pd.DatetimeIndex, rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    models = ("ebm", "base", *PEERS[domain])
    for series in SERIES[domain]:
        for lead in LEADS[domain]:
            scale = np.exp(0.4 * np.sin(np.arange(len(times)) / 40)) * (0.6 + 0.05 * lead)
            observed = scale * rng.standard_normal(len(times))
            for k, model in enumerate(models):
                law = stats.norm(0, scale * (1 + 0.08 * k))
                table = pd.DataFrame({"series": series, "origin": times, "lead": lead, "time": times})
                table["observed"], table["model"] = observed, model
                table["log_density"] = law.logpdf(observed)
                table["crps"], table["pit"] = np.abs(observed) * (1 + 0.01 * k) / 2, law.cdf(observed)
                quantiles = pd.DataFrame({f"q{u:.2f}": law.ppf(u) for u in LEVELS})
                if domain == "finance":
                    for level in (0.01, 0.025, 0.05):
                        table[f"var_{level:g}"] = law.ppf(level)
                        table[f"shortfall_{level:g}"] = 1.2 * law.ppf(level)
                parts.append(pd.concat([table, quantiles], axis=1))
    return pd.concat(parts, ignore_index=True)


def make_inputs(workspace: Workspace, state: str) -> None:
    """Inputs, a classical model and a random energy as the last fold's model and the registered one, for the
    forecasts there are and the step after them."""
    import torch
    from safetensors.torch import save_file

    from ebm_core import BilinearEnergy
    from tasks.tilts.config import TiltConfig
    from tasks.tilts.model import TiltedModel, save_model, tensors

    tested = pd.read_parquet(workspace.forecasts).query("model == 'ebm'").reset_index(drop=True)
    rng = np.random.default_rng(1)
    inputs = tested[["series", "origin", "lead", "time"]].assign(target=tested["observed"])
    log_scale = np.log(tested["q0.84"])
    inputs[state] = tested["observed"].shift(1, fill_value=0.0)
    inputs["x_log_scale"], inputs["x_noise"] = log_scale, rng.standard_normal(len(inputs))
    following = inputs.groupby(["series", "lead"], as_index=False, sort=False).tail(1)
    following = following.assign(origin=inputs["time"].max() + pd.Timedelta(days=1), target=np.nan)
    following["time"] = following["origin"] + pd.Timedelta(days=1)
    inputs = pd.concat([inputs, following], ignore_index=True)
    workspace.inputs.parent.mkdir(parents=True, exist_ok=True)
    inputs.to_parquet(workspace.inputs)
    base = inputs[["series", "origin", "lead"]].assign(
        model="classic", loc=0.0, scale=np.exp(inputs["x_log_scale"]), eta=8.0, lam=-0.1
    )
    base.to_parquet(workspace.classical)
    columns = tuple(c for c in inputs if c.startswith("x_"))
    energy = BilinearEnergy(len(columns), 4, 4, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    values = inputs[list(columns)]
    weights = {str(lead): 0.8 for lead in inputs["lead"].unique()}
    pool = {lead: {"classic": 1.0} for lead in weights}
    config = TiltConfig(columns, tuple(values.mean()), tuple(values.std()), 4, 4, 2, weights, pool)
    model = TiltedModel(config, energy)
    workspace.fits.mkdir(parents=True, exist_ok=True)
    save_file(tensors(model, "final/"), workspace.fits / "fits.safetensors")
    fold = {
        "fold": "final",
        "steps": [10, 20],
        "loss": [1.4, 1.3],
        "validation": [1.5, 1.45],
        "weights": weights,
        "capacity": 4,
    }
    path = [{"capacity": 4, "step_gain": 0.02, "step_se": 0.01, "kept": True}]
    write_json(workspace.fits / "fits.json", {"folds": [{**fold, "path": path, "tilt": vars(config)}]})
    shutil.rmtree(workspace.model, ignore_errors=True)
    save_model(workspace.model, model, {})


def make_scores(domain: str, forecasts: pd.DataFrame) -> dict:
    def part(rows: pd.DataFrame) -> dict:
        leads = {}
        for lead, table in rows.groupby("lead"):
            density = table.pivot_table(index=["series", "time"], columns="model", values="log_density")
            models, paired = {}, {}
            for model, one in table.groupby("model", sort=False):
                inside = [one["pit"].sub(0.5).abs().le(c / 2).mean() for c in (0.5, 0.9)]
                models[model] = {
                    "log_score": one["log_density"].mean(),
                    "crps": one["crps"].mean(),
                    "mae": one["observed"].abs().mean(),
                    "coverage": {"0.5": inside[0], "0.9": inside[1]},
                    "crps_mcs_p": 0.5,
                }
                if domain == "climate":
                    models[model] |= {"acc": 0.6, "rmse": one["observed"].std(), "rpss": 0.2}
                if domain == "finance":
                    models[model]["var"] = {
                        level: {
                            "hits": int((one["pit"] < float(level)).sum()),
                            "kupiec_p": 0.41,
                            "christoffersen_p": 0.03,
                            "fz0": 1.25,
                        }
                        for level in ("0.01", "0.025", "0.05")
                    }
                if model != "ebm":
                    gain = density["ebm"] - density[model]
                    se = gain.std() / np.sqrt(len(gain))
                    t = gain.mean() / se
                    paired[model] = {
                        "log_score_gain": gain.mean(),
                        "se": se,
                        "t": t,
                        "p": float(2 * stats.norm.sf(abs(t))),
                        "crps_gain_pct": 0.4,
                        "crps": {"gain": 0.002, "se": 0.001, "t": 2.0, "p": 0.05, "equal": False},
                    }
            n = int((table["model"] == "ebm").sum())
            leads[str(lead)] = {"n": n, "models": models, "paired": paired}
            if domain == "climate":
                scored = {"brier_skill": 0.1, "auroc": 0.7, "auroc_interval": [0.6, 0.8]}
                event = {"n": n // 5, "base_rate": 0.2, "models": {m: scored for m in models}}
                leads[str(lead)]["events"] = {">= 0.5": event}
        return {"n": len(rows[rows["model"] == "ebm"]) // len(leads), "leads": leads}

    scores = part(forecasts)
    if domain == "finance":
        pooled = scores
        scores = {"n": pooled["n"], "pooled": pooled}
        scores["series"] = {s: part(forecasts[forecasts["series"] == s]) for s in SERIES[domain]}
    return {
        **scores,
        "unit": "%",
        "test": ["2014-01-01", "2018-12-31"],
        "normaliser_error": 3.1e-7,
        "latest": make_latest(domain, forecasts),
        "chosen": {
            "base": "base",
            "capacity": {"2014": 0, "final": 8},
            "weights": {"2014": {"1": 0.0}, "final": {"1": 0.8}},
            "prior": {"2014": {"1": 0.0}, "final": {"1": 0.0}},
        },
    }


def make_latest(domain: str, forecasts: pd.DataFrame) -> dict:
    quantiles = {f"{u:.2f}": stats.norm.ppf(u) for u in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)}
    models = {m: {"mean": 0.0, "quantiles": quantiles} for m in forecasts["model"].unique()}
    return {series: {str(lead): models for lead in LEADS[domain]} for series in SERIES[domain]}


def make_forecast(domain: str, times: pd.DatetimeIndex) -> dict:
    step = times.freq
    series = {}
    for name in SERIES[domain]:
        steps = []
        for lead in range(1, 2 if domain == "finance" else 13):
            law = stats.norm(0.3, 0.6 + 0.05 * lead)
            y = np.linspace(-4, 4, 161)
            steps.append(
                {
                    "time": f"{times[-1] + lead * step:%Y-%m-%d}",
                    "lead": lead,
                    "tilt_weight": 0.0 if lead == 3 else 0.8,
                    "mean": 0.3,
                    "sd": law.std(),
                    "quantiles": {key(u): law.ppf(u) for u in quantiles.LEVELS},
                    **(tails(law) if domain == "finance" else {}),
                    "events": {f"<= -{f}": law.cdf(-f) for f in (2, 3, 5)},
                    "interval_90": [law.ppf(0.05), law.ppf(0.95)],
                    "density": {"y": y.tolist(), "p": law.pdf(y).tolist()},
                }
            )
        series[name] = {"origin": f"{times[-1]:%Y-%m-%d}", "steps": steps}
    return {"unit": "%", "series": series}


def tails(law: Any) -> dict:
    levels = quantiles.RISK_LEVELS
    es = {key(p): law.mean() - law.std() * stats.norm.pdf(stats.norm.ppf(p)) / p for p in levels}
    return {"var": {key(p): law.ppf(p) for p in levels}, "es": es}


def make_provenance(domain: str, rows: int) -> dict:
    source = {
        "kind": "library",
        "origin": "a package",
        "sha256": "ab" * 32,
        "rows": rows // len(SERIES[domain]),
        "licence": "open",
        "unit": "index points",
        "frequency": "B",
        "publication_lag": 0,
    }
    sources = [{"name": s, **source} for s in SERIES[domain]]
    return {"as_of": "2018-12-31", "rows": rows, "sha256": "cd" * 32, "sources": sources}


VALIDATION = {
    "quarantined": 0,
    "success": True,
    "suite": "suite",
    "expectations": [
        {
            "expectation": "expect_column_values_to_not_be_null",
            "column": "close",
            "success": True,
            "observed": None,
            "failing_rows": 0,
            "dates": [],
        }
    ],
}
AUDIT = {
    "status": "warn",
    "checks": [
        {
            "id": "look-ahead",
            "title": "Look-ahead",
            "question": "Does any input know the future?",
            "method": "recompute on cut data",
            "reference": "",
            "measured": 0.0,
            "threshold": 0.0,
            "status": "pass",
            "why": "No difference.",
            "at_fault": [],
        },
        {
            "id": "gaps",
            "title": "Coverage gaps",
            "question": "Are there holes?",
            "method": "longest run of missing periods",
            "reference": "",
            "measured": 4,
            "threshold": 5,
            "status": "warn",
            "why": "September 2001 <closed>.",
            "at_fault": ["2001-09-11"],
        },
    ],
}


def png(width: int, height: int) -> bytes:
    """A white picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    lines = b"".join(b"\0" + b"\xff" * (3 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
