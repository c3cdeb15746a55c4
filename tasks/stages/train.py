"""Stage ``train``: walk-forward training of tilts, with capacity chosen by earlier out-of-sample scores."""

from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from tasks.domains import get_domain
from tasks.runtime.files import atomic_write
from tasks.runtime.parallel import Progress, run_units, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.tilts.fits import write_fits
from tasks.tilts.model import TiltedModel, tensors
from tasks.tilts.pool_weights import PoolWeights
from tasks.tilts.training_data import training_data
from tasks.tilts.walk_forward import Choice, Trained, choose, mdn_chain, run_chain, tilt_chains

STEP = 0.003
"""Seconds of a training step, about."""


def train(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Train the energy model and the peer network of every fold and write ``fits/``.

    For each fold, ``fits/`` has the chosen tilt, its weight, the scores behind the choice, and the peer
    network if the domain has one. The folds are trained in order, each starting from the one before, with
    all capacities at once. Capacity and weight of a fold are chosen on out-of-sample gains of *earlier* folds
    only. A larger capacity is kept only if it gains more than one standard error, and without any gain the
    weight of the tilt is zero. If the domain has a ``prior``, a tilt learned on other series, the energy is
    fitted on top of it.
    """
    data = training_data(workspace, params)
    inputs, plan = data.inputs, data.plan
    units: list[tuple[Any, ...]] = [
        (tilt_chains, params.train.capacities, inputs, data.score, plan, params.train, data.priors)
    ]
    label = "energy models"
    if "mdn" in get_domain(workspace).peers:
        units.append((mdn_chain, inputs, plan, params.train))
        label = "energy models and peer network"
    steps = params.train.max_steps + (len(plan) - 1) * params.train.warm_steps
    by_fold, *others = run_units(run_chain, units, label, progress, gpus=0.5, seconds=steps * STEP)
    chains, networks = list(zip(*by_fold, strict=True)), others[0] if others else None
    entries: list[dict[str, Any]] = []
    parameters: dict[str, Tensor] = {}
    for i, fold in enumerate(plan):
        past = [[chain[j] for j in range(i)] for chain in chains]
        choice = choose(past, inputs, fold, data.prior_gains[i])
        model = weighted(chains[choice.capacity][i].model, choice, data.past_scores.weights(fold.start))
        config = model.config
        trained: Trained = chains[choice.capacity][i]
        parameters |= tensors(model, f"{fold.name}/")
        network = networks[i] if networks else None
        if network:
            parameters |= {f"mdn/{fold.name}/{name}": value for name, value in network["parameters"].items()}
        entries.append(
            {
                "fold": fold.name,
                "origins_from": f"{fold.start:%Y-%m-%d}",
                "origins_until": f"{fold.stop:%Y-%m-%d}",
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
                "mdn": network and network["config"],
            }
        )
    with atomic_write(workspace.fits) as (folder,):
        write_fits(folder, entries, parameters)
    final = entries[-1]
    return {"folds": len(entries), "capacity": final["capacity"], "weights": final["weights"]}


def weighted(model: TiltedModel, choice: Choice, pool: PoolWeights) -> TiltedModel:
    """Return the model with the weights chosen for its fold, including those of its prior."""
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
