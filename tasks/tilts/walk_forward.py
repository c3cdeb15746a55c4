"""Walk-forward training: folds, warm-started fits, and the choice of capacity and weight by past gains."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.quadrature import panels
from ebm_core.tilts.seeds import Fit
from ebm_core.tilts.training import fit_tilts
from tasks.forecasters.mixture_density import MixtureDensityNetwork, fit_mdn
from tasks.runtime.errors import BasinError
from tasks.runtime.folds import Fold
from tasks.runtime.params import TrainParams
from tasks.tilts.config import FEWEST, TiltConfig, standardised
from tasks.tilts.model import TiltedModel

WEIGHTS = np.linspace(0, 1, 21)
"""Candidate weights w of the mean energy. 0 gives the base."""

SHARES = np.linspace(0, 1, 6)
"""Candidate factors v of the weight of a prior tilt."""

PRIOR_YEARS = 5
"""Weight, in years of a file's own gains, of the gain of a prior tilt on its training series."""

PATIENCE = 200
"""Steps without a better validation loss after which a seed is finished.

It halves the time of training on daily prices, and 99 of 100 seeds end with the same parameters.
"""

FEWEST_YEARS = 5
"""Smallest number of years of past gains before the base is tilted. Long leads need more (:func:`enough`)."""


@dataclass(frozen=True)
class Trained:
    """Fit of one capacity on one fold: its model with weight 1, its losses and its out-of-sample gains.

    ``gains`` ``(rows of the fold, len(SHARES), len(WEIGHTS))`` is log p − log q for each candidate share of
    the prior tilt and each candidate weight of the energy. Without a prior tilt all shares have equal gains.
    """

    model: TiltedModel
    loss: list[float]
    validation: list[float]
    steps: list[int]
    best_step: list[int]
    rows: np.ndarray
    gains: np.ndarray


@dataclass(frozen=True)
class Choice:
    """Choices for a fold from past gains.

    They are the index of the capacity, the weight of the energy and the share of the prior tilt for each
    lead, and the ``path`` of capacities that were compared.
    """

    capacity: int
    weights: dict[str, float]
    shares: dict[str, float]
    path: list[dict[str, Any]]


def choose(past: list[list[Trained]], inputs: pd.DataFrame, fold: Fold, prior_gain: float = 0.0) -> Choice:
    """Choose capacity, weights and shares of the prior tilt for a fold from gains before its start.

    Capacities are compared in increasing order. One is kept only if its gain over the one kept so far, at
    first the base with the prior tilt, exceeds one standard error. Standard errors are computed from yearly
    means, because the days of one crash or the months of one El Niño are not independent. Each lead then has
    the weight with the best past score, multiplied by max(0, 1 − 1/t²), where t is its gain in standard
    errors (positive-part James–Stein rule). With weak evidence the tilt is therefore small, and without
    evidence it is zero.

    ``prior_gain`` is the mean yearly gain of the prior tilt on its own training series. It counts as
    ``PRIOR_YEARS`` years with a gain of prior_gain·(1 − (1 − v)²) for the share v, so without other evidence
    the prior tilt has its full weight. Share and weight are chosen together, so an energy that has learned
    the same from the file can replace the prior tilt.
    """
    path: list[dict[str, Any]] = []
    chosen, best = 0, None
    for index, chain in enumerate(past):
        yearly = yearly_gains(chain, inputs, fold, None)
        if not enough(yearly, inputs):
            break
        at, without = best_past(yearly, prior_gain)
        gain, error = _mean_and_error(yearly[:, *at] - (yearly[:, *without] if best is None else best))
        kept = gain > error
        path.append(
            {
                "capacity": chain[0].model.config.hidden,
                "weight": float(WEIGHTS[at[1]]),
                "gain": float(yearly[:, *at].mean()),
                "step_gain": gain,
                "step_se": error,
                "kept": kept,
            }
        )
        if kept:
            chosen, best = index, yearly[:, *at]
    weights, shares = {}, {}
    for lead in map(str, sorted(inputs["lead"].unique())):
        yearly = yearly_gains(past[chosen], inputs, fold, int(lead))
        at, without = best_past(yearly, prior_gain)
        sure = 0.0
        if best is not None and enough(yearly, inputs[inputs["lead"] == int(lead)]):
            gain, error = _mean_and_error(yearly[:, *at] - yearly[:, *without])
            sure = 1 - (error / gain) ** 2 if gain > error else 0.0
        weights[lead] = float(WEIGHTS[at[1]]) * sure
        shares[lead] = float(sure * SHARES[at[0]] + (1 - sure) * SHARES[without[0]])
    return Choice(chosen, weights, shares, path)


def enough(yearly: np.ndarray, rows: pd.DataFrame) -> bool:
    """Return whether there are enough years of past gains to tilt the base.

    ``FEWEST_YEARS`` years are needed, and ``FEWEST_YEARS`` more for each year between origin and target of
    ``rows``, because forecasts of overlapping periods have common errors.
    """
    reach = (rows["time"] - rows["origin"]).max() / pd.Timedelta(days=365.25)
    return len(yearly) >= int(FEWEST_YEARS * (1 + reach))


def best_past(yearly: np.ndarray, prior_gain: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return indices ``(share, weight)`` of the best past score, and of the best one with energy weight 0."""
    score = yearly.sum(0) + PRIOR_YEARS * prior_gain * (1 - (1 - SHARES[:, None]) ** 2)
    share, weight = np.unravel_index(score.argmax(), score.shape)
    return (int(share), int(weight)), (int(score[:, 0].argmax()), 0)


def yearly_gains(chain: list[Trained], inputs: pd.DataFrame, fold: Fold, lead: int | None) -> np.ndarray:
    """Return mean gains ``(years, len(SHARES), len(WEIGHTS))`` of rows known before ``fold``.

    They are those of one lead, or of all leads if ``lead`` is None.
    """
    means = np.empty((0, len(SHARES), len(WEIGHTS)))
    for trained in chain:
        rows = inputs.iloc[trained.rows]
        known = (rows["time"] < fold.start).to_numpy()
        if lead is not None:
            known &= (rows["lead"] == lead).to_numpy()
        if known.any():
            means = np.concatenate([means, trained.gains[known].mean(0, keepdims=True)])
    return means


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def training_rows(inputs: pd.DataFrame, fold: Fold) -> tuple[pd.DataFrame, dict[str, tuple[Any, ...]]]:
    """Return the rows whose target is known before the fold, and the standardisation of their inputs."""
    rows = inputs[(inputs["time"] < fold.start) & inputs["target"].notna()]
    if len(rows) < FEWEST:
        raise BasinError(
            f"fold {fold.name}: {len(rows)} training rows before {fold.start:%Y-%m-%d}, expected at least "
            f"{FEWEST}; set split.walk_from later or features.min_rows lower in params.yaml"
        )
    columns = tuple(c for c in inputs.columns if c.startswith("x_"))
    center, spread = rows[list(columns)].mean(), rows[list(columns)].std()
    scaling = {
        "columns": columns,
        "center": tuple(map(float, center)),
        "spread": tuple(map(float, spread.where(spread > 1e-12, 1.0))),
    }
    return rows, scaling


def _options(params: TrainParams, rows: int, first: bool, fold: Fold) -> dict[str, Any]:
    """Return options of a fit. Its mini-batches depend on the fold, not on how long earlier folds trained."""
    batches = np.random.default_rng([params.seed, fold.start.toordinal()])
    return {
        "validation": min(rows - 1, max(1, int(params.validation_share * rows))),
        "steps": params.max_steps if first else params.warm_steps,
        "learning_rate": params.learning_rate,
        "weight_decay": params.weight_decay,
        "patience": PATIENCE,
        "generator": torch.Generator().manual_seed(int(batches.integers(2**62))),
    }


def training_device() -> torch.device:
    """Return the GPU that Ray assigned to this worker, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def tilt_chain(hidden: int, *arguments: Any) -> Iterator[Trained]:
    """Train one capacity. The other arguments are those of :func:`tilt_chains`."""
    for (trained,) in tilt_chains((hidden,), *arguments):
        yield trained


def tilt_chains(
    capacities: Sequence[int],
    inputs: pd.DataFrame,
    score: torch.Tensor,
    plan: list[Fold],
    params: TrainParams,
    priors: Sequence[TiltedModel | None] | None = None,
) -> Iterator[list[Trained]]:
    """Train all capacities on the folds in time order, each warm-started from the fold before.

    ``score`` ``(len(inputs),)`` holds the normal scores of the targets under their bases, and ``priors`` the
    prior tilt of each fold, if any. What a capacity learns does not depend on the others.
    """
    device = training_device()
    energies: list[BilinearEnergy] = []
    for fold, prior in zip(plan, priors or [None] * len(plan), strict=True):
        rows, scaling = training_rows(inputs, fold)
        x = torch.from_numpy(standardised(rows, **scaling)).float()
        first = not energies
        if first:
            shape = (params.features, params.seeds)
            energies = [
                BilinearEnergy(x.shape[1], hidden, *shape, torch.Generator().manual_seed(params.seed))
                for hidden in capacities
            ]
        known = score[rows.index.to_numpy()].float().to(device)
        fits = fit_tilts(energies, known, x.to(device), **_options(params, len(rows), first, fold))
        energies = [fit.module for fit in fits]
        later = inputs[
            (inputs["origin"] >= fold.start) & (inputs["origin"] < fold.stop) & inputs["target"].notna()
        ]
        yield [_trained(fit, scaling, params, prior, later, score) for fit in fits]


def _trained(
    fit: Fit,
    scaling: dict[str, tuple[Any, ...]],
    params: TrainParams,
    prior: TiltedModel | None,
    later: pd.DataFrame,
    score: torch.Tensor,
) -> Trained:
    config = TiltConfig(
        **scaling,
        hidden=fit.module.hidden,
        features=params.features,
        seeds=params.seeds,
        weights={},
        pool={},
        prior=None if prior is None else prior.config,
    )
    model = TiltedModel(config, copy.deepcopy(fit.module).double(), prior)
    rows = later.index.to_numpy()
    return Trained(
        model,
        fit.loss.mean(1).tolist(),
        fit.validation.mean(1).tolist(),
        fit.steps,
        fit.best_step,
        rows,
        out_of_sample_gains(model, later, score[rows]),
    )


def out_of_sample_gains(model: TiltedModel, rows: pd.DataFrame, score: torch.Tensor) -> np.ndarray:
    """Return log p(y) − log q(y) ``(len(rows), len(SHARES), len(WEIGHTS))`` for each share v and weight w.

    It is −E(y) − log Σₖ exp(−E(sₖ))·weightₖ with quadrature nodes sₖ and E = v·P + w·Ē, where P is the energy
    of the prior tilt and Ē the mean energy of the model.
    """
    if not len(rows):
        return np.empty((0, len(SHARES), len(WEIGHTS)))
    rule = panels(32)
    nodes, log_weight = (torch.from_numpy(each)[:, None] for each in (rule.score, rule.log_weight))
    x = model.inputs(rows)
    own = model.mean_energy(score, x), model.mean_energy(nodes, x)
    gains = np.empty((len(rows), len(SHARES), len(WEIGHTS)))
    prior = None if model.prior is None else model.prior.total_energy(rows)
    fixed = (torch.zeros_like(own[0]), torch.zeros_like(own[1]))
    if prior is not None:
        fixed = prior(score), prior(nodes)
    for i, v in enumerate(SHARES.tolist()):
        if prior is None and i:
            gains[:, i] = gains[:, 0]
            continue
        mass = log_weight - v * fixed[1]
        for j, w in enumerate(WEIGHTS.tolist()):
            log_z = torch.logsumexp(mass - w * own[1], 0)
            gains[:, i, j] = (-v * fixed[0] - w * own[0] - log_z).numpy()
    return gains


def mdn_chain(inputs: pd.DataFrame, plan: list[Fold], params: TrainParams) -> list[dict[str, Any]]:
    """Train the mixture density network on the same folds, with the largest capacity of the energy."""
    device = training_device()
    hidden = max(1, *params.capacities)
    network: MixtureDensityNetwork | None = None
    chain = []
    for fold in plan:
        rows, scaling = training_rows(inputs, fold)
        x = torch.from_numpy(standardised(rows, **scaling)).float()
        target = {"target_center": float(rows["target"].mean()), "target_spread": float(rows["target"].std())}
        y = (rows["target"].to_numpy() - target["target_center"]) / target["target_spread"]
        first = network is None
        if network is None:
            initial = torch.Generator().manual_seed(params.seed)
            network = MixtureDensityNetwork(x.shape[1], hidden, params.seeds, initial)
        known = torch.tensor(y).float().to(device)
        fit = fit_mdn(network, known, x.to(device), **_options(params, len(rows), first, fold))
        network = fit.module
        parameters = {name: p.detach().clone() for name, p in network.state_dict().items()}
        chain.append(
            {
                "parameters": parameters,
                "config": {**scaling, **target, "hidden": hidden, "seeds": params.seeds},
            }
        )
    return chain


def run_chain(function: Any, *arguments: Any) -> list[Any]:
    return list(function(*arguments))
