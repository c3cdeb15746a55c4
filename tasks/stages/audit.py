"""Stage ``audit``: what a sceptical reader would ask of the data."""

from typing import Any

from tasks.checks import data, forecasts
from tasks.checks.check import require_known
from tasks.runtime.files import atomic_write, sha256, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace


def audit(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``audit.json`` with every check of the data, failed ones too, so that the report can show them.

    A failed check stops `train`, which calls :func:`tasks.checks.check.require_pass`. Raises ``BasinError``
    where a waiver of ``params.yaml`` names no check of the data or of the forecasts.
    """
    where = f"params.yaml: `{workspace.domain}.audit.waive`"
    require_known(params.audit.waive, (*data.CHECKS, *forecasts.CHECKS), where)
    result = data.check_data(workspace, params, progress)
    result["inputs_sha256"] = sha256(workspace.inputs)
    with atomic_write(workspace.audit) as (temporary,):
        write_json(temporary, result)
    return {"status": result["status"], "checks": len(result["checks"])}
