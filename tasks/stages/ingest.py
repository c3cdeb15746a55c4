"""Stage ``ingest``: the sources of a domain as published by a snapshot date, with their provenance."""

from typing import Any

from tasks.runtime.files import atomic_write, sha256, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.sources.snapshot import snapshot


def ingest(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write the raw table of :func:`snapshot` and its provenance, atomically."""
    raw, sources = snapshot(workspace, params.ingest.as_of, progress)
    with atomic_write(workspace.raw, workspace.provenance) as (table_path, provenance_path):
        raw.to_parquet(table_path, index=False)
        provenance = {
            "as_of": params.ingest.as_of.isoformat(),
            "rows": len(raw),
            "sha256": sha256(table_path),
            "sources": sources,
        }
        write_json(provenance_path, provenance)
    return {"rows": len(raw), "last": f"{raw['time'].max():%Y-%m-%d}"}
