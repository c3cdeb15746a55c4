"""Stage ``features``: point-in-time inputs and walk-forward forecasts of the classical models."""

from typing import Any

from tasks.domains import get_domain
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json, sha256
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.sources.quarantine import valid


def features(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``inputs.parquet`` and ``classical.parquet`` (see :class:`tasks.domains.domain.Domain`).

    Raises ``BasinError`` if the raw table is not the one that the stage `validate` accepted, or if an input
    is not finite.
    """
    domain = get_domain(workspace)
    if read_json(workspace.validation).get("raw_sha256") != sha256(workspace.raw):
        raise BasinError(
            f"{workspace.raw} is not the table that the stage validate accepted; run "
            f"`basin stage validate --domain {workspace.domain}`"
        )
    raw = valid(workspace.raw, workspace.quarantine)
    inputs, classical = domain.features(raw, params.features, progress=progress)
    for column in [c for c in inputs if c.startswith("x_")]:
        bad = inputs[inputs[column].isna() | inputs[column].abs().eq(float("inf"))]
        if len(bad):
            row = bad.iloc[0]
            raise BasinError(
                f"{workspace.raw}: input {column} of {row['series']} is not finite at "
                f"{row['origin']:%Y-%m-%d} ({len(bad)} rows in all); correct the raw values up to that date"
            )
    with atomic_write(workspace.inputs, workspace.classical) as (inputs_path, classical_path):
        inputs.to_parquet(inputs_path, index=False)
        classical.to_parquet(classical_path, index=False)
    return {"rows": len(inputs), "inputs": sum(c.startswith("x_") for c in inputs)}
