"""Training data of a domain: audited inputs, past scores of the pool, folds and prior tilts."""

from dataclasses import dataclass

import pandas as pd
from torch import Tensor

from tasks.domains import get_domain
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json, sha256
from tasks.runtime.folds import Fold, folds
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.tilts.global_prior import prior_tilts
from tasks.tilts.model import TiltedModel
from tasks.tilts.pool_weights import PastScores


@dataclass(frozen=True)
class TrainingData:
    """Training data that all fits of a domain share.

    ``score`` holds the normal score of each row of ``inputs`` under a pool fitted to earlier targets.
    ``plan`` lists the folds, and ``priors`` and ``prior_gains`` have one entry for each fold (see
    ``tasks.tilts.global_prior``).
    """

    inputs: pd.DataFrame
    past_scores: PastScores
    score: Tensor
    plan: list[Fold]
    priors: list[TiltedModel | None]
    prior_gains: list[float]


def training_data(workspace: Workspace, params: DomainParams) -> TrainingData:
    """Return the training data, or raise ``BasinError`` if the audit failed or was made of another table."""
    from tasks.checks.check import require_pass

    require_pass(workspace.audit)
    if read_json(workspace.audit).get("inputs_sha256") != sha256(workspace.inputs):
        raise BasinError(f"{workspace.inputs} changed after the audit; run the stage audit again")
    inputs = pd.read_parquet(workspace.inputs).sort_values(["time", "series", "lead"], ignore_index=True)
    domain = get_domain(workspace)
    past_scores = PastScores(inputs, pd.read_parquet(workspace.classical), domain.pool)
    plan = folds(params.split, inputs["origin"].max())
    priors: list[TiltedModel | None] = [None] * len(plan)
    gains = [0.0] * len(plan)
    if domain.prior is not None:
        priors, gains = prior_tilts(domain.prior, plan)
    return TrainingData(inputs, past_scores, past_scores.normal_scores(), plan, priors, gains)
