"""Stage ``train``: walk-forward tilts of each capacity, grown only where past scores pay for it."""

import json
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
from safetensors.torch import save_file

from tasks.domains import get_domain
from tasks.errors import BasinError
from tasks.files import read_json, sha256, whole
from tasks.parallel import Progress, run_units, silent
from tasks.params import DomainParams
from tasks.pooling import PastScores
from tasks.tilts import tensors
from tasks.walk_forward import Trained, choose, folds, mdn_chain, tilt_chain
from tasks.workspace import Workspace


def train(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``fits/``: for each fold the chosen tilt, its weight and the evidence, and the peer network.

    Every capacity is one unit on Ray: a chain of folds, each warm-started from the one before. For a fold,
    capacity and weight are chosen on the out-of-sample gains of *earlier* folds alone: from lean to large,
    a step kept only if it pays by more than one standard error; no gain, no tilt.
    """
    from tasks.checks import require_pass

    require_pass(workspace.audit)
    if read_json(workspace.audit).get("inputs_sha256") != sha256(workspace.inputs):
        raise BasinError(f"{workspace.inputs} is not the table that was audited; run the stage audit")
    inputs = pd.read_parquet(workspace.inputs).sort_values(["time", "series", "lead"], ignore_index=True)
    domain = get_domain(workspace)
    past_scores = PastScores(inputs, pd.read_parquet(workspace.classical), domain.pool)
    score = past_scores.normal_scores()
    plan = folds(params.split, inputs["origin"].max())
    units = [(tilt_chain, hidden, inputs, score, plan, params.train) for hidden in params.train.capacities]
    *chains, network = run_units(
        _run,
        [*units, (mdn_chain, inputs, plan, params.train)],
        "energy models and peer network",
        progress,
        gpus=0.25,
    )
    entries, parameters = [], {}
    for i, fold in enumerate(plan):
        past = [[chain[j] for j in range(i)] for chain in chains]
        chosen, weights, path = choose(past, inputs, fold)
        trained: Trained = chains[chosen][i]
        pool = past_scores.weights(fold.start)
        config = replace(trained.model.config, weights=weights, pool=pool)
        parameters |= tensors(trained.model, f"{fold.name}/")
        parameters |= {f"mdn/{fold.name}/{name}": value for name, value in network[i]["parameters"].items()}
        entries.append(
            {
                "fold": fold.name,
                "origins_from": f"{fold.start:%Y-%m-%d}",
                "training_rows": int((inputs["time"] < fold.start).sum()),
                "capacity": config.hidden,
                "weights": weights,
                "pool": pool,
                "path": path,
                "steps": trained.steps,
                "loss": trained.loss,
                "validation": trained.validation,
                "best_step": trained.best_step,
                "tilt": asdict(config),
                "mdn": network[i]["config"],
            }
        )
    with whole(workspace.fits) as (folder,):
        folder.mkdir()
        save_file(parameters, folder / "fits.safetensors")
        (folder / "fits.json").write_text(json.dumps({"folds": entries}, indent=2) + "\n", encoding="utf-8")
    final = entries[-1]
    return {"folds": len(entries), "capacity": final["capacity"], "weights": final["weights"]}


def _run(function: Any, *arguments: Any) -> Any:
    return function(*arguments)
