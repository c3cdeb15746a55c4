"""Walk-forward training: folds, chains of warm-started fits, and growth that past scores must pay for."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.quadrature import panels
from ebm_core.tilts.training import fit_tilt
from tasks.forecasters.mixture_density import MixtureDensityNetwork, fit_mdn
from tasks.runtime.errors import BasinError
from tasks.runtime.params import SplitParams, TrainParams
from tasks.tilts.model import TiltConfig, TiltedModel, standardised

WEIGHTS = np.linspace(0, 1, 21)
"""Candidate weights w of the mean energy; 0 is the base."""

SHARES = np.linspace(0, 1, 6)
"""Candidate shares v of the weight that a prior tilt had earned elsewhere."""

PRIOR_YEARS = 5
"""Years of its own evidence that a file must set against what a prior tilt had shown elsewhere."""

FEWEST = 100
"""Training rows below which no network is trained."""

FEWEST_YEARS = 5
"""Years of past gains below which the base is not tilted; more where forecasts reach far (:func:`enough`)."""


@dataclass(frozen=True)
class Fold:
    """Train on targets known before ``start``; forecast origins in ``[start, stop)``."""

    name: str
    start: pd.Timestamp
    stop: pd.Timestamp


def folds(split: SplitParams, last_origin: pd.Timestamp) -> list[Fold]:
    """One fold a calendar year of origins from ``walk_from`` to ``test_to``, then ``final`` on everything."""
    years = range(split.walk_from.year, split.test_to.year + 1)
    yearly = [Fold(str(y), pd.Timestamp(y, 1, 1), pd.Timestamp(y + 1, 1, 1)) for y in years]
    after = last_origin + pd.Timedelta(days=1)
    return [*yearly, Fold("final", after, after)]


@dataclass(frozen=True)
class Trained:
    """One capacity on one fold: its model (weight 1), fit, and gain of each later row.

    ``gains`` is ``(rows of the fold, len(SHARES), len(WEIGHTS))``: log p − log q for each candidate share of
    the prior tilt (all the same without one) and weight of its own energy.
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
    """What past gains chose for a fold: index of the capacity, by lead the weight of its energy and the
    share of the prior tilt, and the growth path."""

    capacity: int
    weights: dict[str, float]
    shares: dict[str, float]
    path: list[dict[str, Any]]


def choose(past: list[list[Trained]], inputs: pd.DataFrame, fold: Fold, prior_gain: float = 0.0) -> Choice:
    """Capacity, weights and the share of the prior for a fold, from gains known before it starts.

    From lean to large, a capacity is kept only where it gains more than one standard error over the one
    kept so far (at first the base with its prior). Each year counts once: errors are those of the yearly
    means, because the days of one crash or the months of one El Niño are a single piece of evidence. Each
    lead then gets the weight of its best past score, shrunk by 1 − 1/t², t its gain in standard errors (the
    positive-part rule of James and Stein): weak evidence tilts little, none not at all.

    A prior tilt starts at its full weight: ``prior_gain``, the yearly gain that it had shown elsewhere,
    counts as ``PRIOR_YEARS`` years of evidence prior_gain·(1 − (1 − v)²) for its share v. Share and weight
    are chosen together, so an energy that has learned the same from the file takes its place.
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
    """Whether past years suffice to tilt: ``FEWEST_YEARS``, and as many more for each year from the origin
    to the target of ``rows``, because forecasts that overlap share their errors."""
    reach = (rows["time"] - rows["origin"]).max() / pd.Timedelta(days=365.25)
    return len(yearly) >= int(FEWEST_YEARS * (1 + reach))


def best_past(yearly: np.ndarray, prior_gain: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """``(share, weight)`` of the best past score, as indices, and the best without an energy of its own."""
    score = yearly.sum(0) + PRIOR_YEARS * prior_gain * (1 - (1 - SHARES[:, None]) ** 2)
    share, weight = np.unravel_index(score.argmax(), score.shape)
    return (int(share), int(weight)), (int(score[:, 0].argmax()), 0)


def yearly_gains(chain: list[Trained], inputs: pd.DataFrame, fold: Fold, lead: int | None) -> np.ndarray:
    """Mean gains ``(years, len(SHARES), len(WEIGHTS))`` of the rows known before ``fold``, at one lead or
    at all."""
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
    """Rows whose target is known before the fold, and the standardisation of their inputs."""
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


def _options(params: TrainParams, rows: int, first: bool, generator: torch.Generator) -> dict[str, Any]:
    return {
        "validation": min(rows - 1, max(1, int(params.validation_share * rows))),
        "steps": params.max_steps if first else params.warm_steps,
        "learning_rate": params.learning_rate,
        "weight_decay": params.weight_decay,
        "generator": generator,
    }


def training_device() -> torch.device:
    """The GPU that Ray gave this worker, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def tilt_chain(
    hidden: int,
    inputs: pd.DataFrame,
    score: torch.Tensor,
    plan: list[Fold],
    params: TrainParams,
    priors: Sequence[TiltedModel | None] | None = None,
) -> Iterator[Trained]:
    """The folds of one capacity in order, each warm-started from the one before.

    ``score`` holds the normal score of each row's target under its base, shape ``(len(inputs),)``;
    ``priors`` the tilt learned elsewhere that each fold's energy may be joined by.
    """
    generator, device = torch.Generator().manual_seed(params.seed), training_device()
    energy: BilinearEnergy | None = None
    for fold, prior in zip(plan, priors or [None] * len(plan), strict=True):
        rows, scaling = training_rows(inputs, fold)
        x = standardised(rows, **scaling).float()
        first = energy is None
        if energy is None:
            energy = BilinearEnergy(x.shape[1], hidden, params.features, params.seeds, generator)
        known = score[rows.index.to_numpy()].float().to(device)
        fit = fit_tilt(energy, known, x.to(device), **_options(params, len(rows), first, generator))
        energy = fit.module
        config = TiltConfig(
            **scaling,
            hidden=hidden,
            features=params.features,
            seeds=params.seeds,
            weights={},
            pool={},
            prior=None if prior is None else prior.config,
        )
        model = TiltedModel(config, copy.deepcopy(fit.module).double(), prior)
        later = inputs[
            (inputs["origin"] >= fold.start) & (inputs["origin"] < fold.stop) & inputs["target"].notna()
        ]
        yield Trained(
            model,
            fit.loss.mean(1).tolist(),
            fit.validation.mean(1).tolist(),
            fit.steps,
            fit.best_step,
            later.index.to_numpy(),
            out_of_sample_gains(model, later, score[later.index.to_numpy()]),
        )


def out_of_sample_gains(model: TiltedModel, rows: pd.DataFrame, score: torch.Tensor) -> np.ndarray:
    """log p(y) − log q(y) = −E(y) − log Σₖ exp(−E(sₖ))·weightₖ with E = v·P + w·Ē, P the prior's energy and Ē
    the model's own, for each share v and weight w."""
    if not len(rows):
        return np.empty((0, len(SHARES), len(WEIGHTS)))
    rule = panels(32)
    x, nodes = model.inputs(rows), rule.score[:, None]
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
        mass = rule.log_weight[:, None] - v * fixed[1]
        for j, w in enumerate(WEIGHTS.tolist()):
            log_z = torch.logsumexp(mass - w * own[1], 0)
            gains[:, i, j] = (-v * fixed[0] - w * own[0] - log_z).numpy()
    return gains


def mdn_chain(inputs: pd.DataFrame, plan: list[Fold], params: TrainParams) -> list[dict[str, Any]]:
    """The peer network on the same folds, at the largest capacity offered to the energy."""
    generator, device = torch.Generator().manual_seed(params.seed), training_device()
    hidden = max(1, *params.capacities)
    network: MixtureDensityNetwork | None = None
    chain = []
    for fold in plan:
        rows, scaling = training_rows(inputs, fold)
        x = standardised(rows, **scaling).float()
        target = {"target_center": float(rows["target"].mean()), "target_spread": float(rows["target"].std())}
        y = (rows["target"].to_numpy() - target["target_center"]) / target["target_spread"]
        first = network is None
        if network is None:
            network = MixtureDensityNetwork(x.shape[1], hidden, params.seeds, generator)
        known = torch.tensor(y).float().to(device)
        fit = fit_mdn(network, known, x.to(device), **_options(params, len(rows), first, generator))
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
