"""Stage ``validate``: the raw table against the expectation suite of its domain, with Data Docs."""

from typing import Any

import pandas as pd

from tasks.checks.suites import accepted, read_suite
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, sha256, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace


def validate(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Run ``data/expectations/DOMAIN.json`` as a Checkpoint and write ``validation.json``.

    Rows that break it go to ``data/quarantine/DOMAIN.parquet`` with the reason. Up to the suite's share
    ``quarantine`` of all rows the pipeline goes on without them; beyond it, or where the table as a whole is
    at fault, ``BasinError`` names expectation, column, number of rows and first dates: ``validation.json``
    then stays. Data Docs go to ``runs/DOMAIN/data_docs`` either way.
    """
    suite = read_suite(workspace.expectations)
    try:
        raw = pd.read_parquet(workspace.raw)
    except FileNotFoundError as error:
        raise BasinError(f"{workspace.raw} is missing; run the stage ingest first (`basin run`)") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BasinError(f"{workspace.raw} is not readable Parquet ({reason}); run ingest again") from error
    progress("expectations", 0, len(suite["expectations"]))
    kept, aside, found = accepted(suite, raw, str(workspace.raw), workspace.data_docs, workspace.quarantine)
    progress("expectations", len(found), len(found))
    with atomic_write(workspace.validation) as (temporary,):
        write_json(
            temporary,
            {
                "success": True,
                "suite": suite["suite"],
                "raw_sha256": sha256(workspace.raw),
                "rows": len(kept),
                "quarantined": len(aside),
                "expectations": found,
            },
        )
    return {"expectations": len(found), "quarantined": len(aside), "success": True}
