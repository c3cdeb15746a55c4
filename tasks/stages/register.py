"""Stage ``register``: audit the forecasts and, if they pass, write the model folder and its model card."""

import hashlib
from typing import Any

import pandas as pd

from tasks.checks.check import require_pass
from tasks.checks.forecasts import check_forecasts
from tasks.domains import get_domain
from tasks.reporting.model_card import model_card
from tasks.runtime.files import atomic_write, read_json, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.sources.quarantine import valid
from tasks.tilts.fits import load_fold
from tasks.tilts.model import save_model, untilted_model


def register(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``audit_forecasts.json``, ``model/`` and ``model_card.md`` together, or none of them.

    The model is that of the fold ``final``, fitted on all data up to the snapshot date. Raises
    ``BasinError`` that names the check if a check of the forecasts fails.
    """
    domain = get_domain(workspace)
    audit = check_forecasts(workspace, params.audit.waive, progress)
    with atomic_write(workspace.forecast_audit, workspace.model, workspace.model_card) as (
        checks,
        folder,
        card,
    ):
        write_json(checks, audit)
        require_pass(checks)
        model = load_fold(workspace.fits, "final")
        if not workspace.strict and any(
            check["id"] == "skill" and check["status"] == "warn" for check in audit["checks"]
        ):
            model = untilted_model(model)  # the tilted forecast was worse than its base
        provenance = read_json(workspace.provenance)
        scores = read_json(workspace.scores)
        about = {
            "domain": domain.name,
            "unit": domain.unit,
            "leads": list(domain.leads),
            "base": domain.base,
            "as_of": provenance["as_of"],
            "data_sha256": provenance["sha256"],
        }
        save_model(folder, model, about)
        if domain.returns:
            raw, classical = valid(workspace.raw, workspace.quarantine), pd.read_parquet(workspace.classical)
            write_json(folder / "classical.json", domain.frozen_parameters(raw, classical, params.features))
        hashes = {
            f"model/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())
        }
        hashes["scores.json"] = hashlib.sha256(workspace.scores.read_bytes()).hexdigest()
        hashes["forecasts.parquet"] = hashlib.sha256(workspace.forecasts.read_bytes()).hexdigest()
        audits = {"data": read_json(workspace.audit), "forecasts": audit}
        rows = int(pd.read_parquet(workspace.inputs, columns=["target"])["target"].notna().sum())
        card.write_text(
            model_card(domain, params, model, rows, scores, provenance, audits, hashes), encoding="utf-8"
        )
    return {"model": str(workspace.model.relative_to(workspace.root)), "audit": audit["status"]}
