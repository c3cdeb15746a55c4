"""Stage ``validate``: check the raw table against the expectation suite of its domain."""

from typing import Any

import pandas as pd

from tasks.checks.suites import accepted, read_suite
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, sha256, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace


def validate(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Check the raw table against ``data/expectations/DOMAIN.json`` and write ``validation.json``.

    Rows that violate an expectation go to ``data/quarantine/DOMAIN.parquet`` with the reason. The pipeline
    continues without them if their share is at most ``quarantine`` of the suite. If it is larger, or if the
    table as a whole violates an expectation, ``BasinError`` names the expectation, the column, the number of
    rows and the first dates, and ``validation.json`` is not changed. A page with the failing rows is written
    to ``runs/DOMAIN/data_docs`` in both cases.
    """
    suite = read_suite(workspace.expectations)
    try:
        raw = pd.read_parquet(workspace.raw)
    except FileNotFoundError as error:
        raise BasinError(f"{workspace.raw} is missing; run the stage ingest first (`basin run`)") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BasinError(
            f"{workspace.raw} is not readable Parquet ({reason}); run the stage ingest again"
        ) from error
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
