"""Stage ``audit``: checks of the data for gaps, look-ahead, leaks and other faults."""

from typing import Any

from tasks.checks import data, forecasts
from tasks.checks.check import require_known
from tasks.runtime.files import atomic_write, sha256, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace


def audit(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Run the checks of the data and write ``audit.json``, which the report shows.

    A failed check does not stop this stage but `train`, which calls
    :func:`tasks.checks.check.require_pass`. Raises ``BasinError`` if a waiver in ``params.yaml`` names an
    unknown check.
    """
    where = f"params.yaml: `{workspace.domain}.audit.waive`"
    require_known(params.audit.waive, (*data.CHECKS, *forecasts.CHECKS), where)
    result = data.check_data(workspace, params, progress)
    result["inputs_sha256"] = sha256(workspace.inputs)
    with atomic_write(workspace.audit) as (temporary,):
        write_json(temporary, result)
    return {"status": result["status"], "checks": len(result["checks"])}
