"""Stage ``train``: walk-forward tilts of each capacity, grown only where past scores pay for it."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd
from safetensors.torch import save_file
from torch import Tensor

from tasks.domains import get_domain
from tasks.errors import BasinError
from tasks.files import read_json, sha256, whole
from tasks.parallel import Progress, run_units, silent
from tasks.params import DomainParams
from tasks.pooling import PastScores, PoolWeights
from tasks.prior import prior_tilts
from tasks.tilts import TiltedModel, tensors
from tasks.walk_forward import Choice, Fold, Trained, choose, folds, mdn_chain, tilt_chain
from tasks.workspace import Workspace


def train(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Write ``fits/``: for each fold the chosen tilt, its weight and the evidence, and the peer network.

    Every capacity is one unit on Ray: a chain of folds, each warm-started from the one before. For a fold,
    capacity and weight are chosen on the out-of-sample gains of *earlier* folds alone: from lean to large,
    a step kept only if it pays by more than one standard error; no gain, no tilt. Where the domain has a
    ``prior``, a tilt learned on other series, the energy is fitted onto that.
    """
    walk = walked(workspace, params)
    inputs, plan = walk.inputs, walk.plan
    units = [
        (tilt_chain, hidden, inputs, walk.score, plan, params.train, walk.priors)
        for hidden in params.train.capacities
    ]
    *chains, network = run_units(
        _chain,
        [*units, (mdn_chain, inputs, plan, params.train)],
        "energy models and peer network",
        progress,
        gpus=0.25,
    )
    entries: list[dict[str, Any]] = []
    parameters: dict[str, Tensor] = {}
    for i, fold in enumerate(plan):
        past = [[chain[j] for j in range(i)] for chain in chains]
        choice = choose(past, inputs, fold, walk.prior_gains[i])
        model = weighted(chains[choice.capacity][i].model, choice, walk.past_scores.weights(fold.start))
        config = model.config
        trained: Trained = chains[choice.capacity][i]
        parameters |= tensors(model, f"{fold.name}/")
        parameters |= {f"mdn/{fold.name}/{name}": value for name, value in network[i]["parameters"].items()}
        entries.append(
            {
                "fold": fold.name,
                "origins_from": f"{fold.start:%Y-%m-%d}",
                "training_rows": int((inputs["time"] < fold.start).sum()),
                "capacity": config.hidden,
                "weights": config.weights,
                "pool": config.pool,
                "path": choice.path,
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


@dataclass(frozen=True)
class Walk:
    """What every fit of a domain learns from.

    ``score`` holds the normal score of each row of ``inputs`` under the pool of its past; ``priors`` and
    their gains are those of ``tasks.prior``, a fold each.
    """

    inputs: pd.DataFrame
    past_scores: PastScores
    score: Tensor
    plan: list[Fold]
    priors: list[TiltedModel | None]
    prior_gains: list[float]


def walked(workspace: Workspace, params: DomainParams) -> Walk:
    """The audited inputs; raises ``BasinError`` where the audit failed or was of another table."""
    from tasks.checks import require_pass

    require_pass(workspace.audit)
    if read_json(workspace.audit).get("inputs_sha256") != sha256(workspace.inputs):
        raise BasinError(f"{workspace.inputs} is not the table that was audited; run the stage audit")
    inputs = pd.read_parquet(workspace.inputs).sort_values(["time", "series", "lead"], ignore_index=True)
    domain = get_domain(workspace)
    past_scores = PastScores(inputs, pd.read_parquet(workspace.classical), domain.pool)
    plan = folds(params.split, inputs["origin"].max())
    priors: list[TiltedModel | None] = [None] * len(plan)
    gains = [0.0] * len(plan)
    if domain.prior is not None:
        priors, gains = prior_tilts(domain.prior, plan)
    return Walk(inputs, past_scores, past_scores.normal_scores(), plan, priors, gains)


def weighted(model: TiltedModel, choice: Choice, pool: PoolWeights) -> TiltedModel:
    """The model with the weights chosen for its fold, those of its prior included."""
    prior = model.prior
    if prior is not None:
        earned = prior.config.weights
        shares = {lead: share * earned[lead] for lead, share in choice.shares.items()}
        prior = replace(prior, config=replace(prior.config, weights=shares))
    config = replace(
        model.config,
        weights=choice.weights,
        pool=pool,
        prior=None if prior is None else prior.config,
    )
    return TiltedModel(config, model.energy, prior)


def _chain(function: Any, *arguments: Any) -> list[Any]:
    return list(function(*arguments))
