"""Stage ``audit``: what a sceptical reader would ask of the data."""

from typing import Any

from tasks.checks.data import check_data
from tasks.files import sha256, whole, write_json
from tasks.parallel import Progress, silent
from tasks.params import DomainParams
from tasks.workspace import Workspace


def audit(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``audit.json`` with every check of the data, failed ones too, so that the report can show them.

    A failed check stops `train`, which calls :func:`tasks.checks.require_pass`.
    """
    result = check_data(workspace, params, progress)
    result["inputs_sha256"] = sha256(workspace.inputs)
    with whole(workspace.audit) as (temporary,):
        write_json(temporary, result)
    return {"status": result["status"], "checks": len(result["checks"])}
