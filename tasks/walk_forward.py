"""Walk-forward training: folds, chains of warm-started fits, and growth that past scores must pay for."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from ebm_core import BilinearEnergy, fit_tilt
from ebm_core.quadrature import panels
from tasks.errors import BasinError
from tasks.mdn import MixtureDensityNetwork, fit_mdn
from tasks.params import SplitParams, TrainParams
from tasks.tilts import TiltConfig, TiltedModel, standardised

WEIGHTS = np.linspace(0, 1, 21)
"""Candidate weights w of the mean energy; 0 is the base."""

FEWEST = 100
"""Training rows below which no network is trained."""

FEWEST_YEARS = 5
"""Years of past gains below which the base is not tilted."""


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
    """One capacity on one fold: its model (weight 1), fit, and gain over the base of each later row.

    ``gains`` is ``(rows of the fold, len(WEIGHTS))``: log p_w − log q for each candidate weight.
    """

    model: TiltedModel
    loss: list[float]
    validation: list[float]
    steps: list[int]
    best_step: list[int]
    rows: np.ndarray
    gains: np.ndarray


def choose(
    past: list[list[Trained]], inputs: pd.DataFrame, fold: Fold
) -> tuple[int, dict[str, float], list[dict[str, Any]]]:
    """``(capacity index, weight by lead, growth path)`` for a fold, from gains known before it starts.

    From lean to large, a capacity is kept only where it gains more than one standard error over the one
    kept so far (at first the base). Each year counts once: errors are those of the yearly means, because the
    days of one crash or the months of one El Niño are a single piece of evidence. Each lead then gets the
    weight of its best past score, shrunk by 1 − 1/t², t its gain over the base in standard errors (the
    positive-part rule of James and Stein): weak evidence tilts little, none not at all.
    """
    path: list[dict[str, Any]] = []
    chosen, best = 0, None
    for index, chain in enumerate(past):
        yearly = _yearly(chain, inputs, fold, None)
        if len(yearly) < FEWEST_YEARS:
            break
        at = int(yearly.mean(0).argmax())
        gain, error = _mean_and_error(yearly[:, at] - (0.0 if best is None else best))
        kept = gain > error
        path.append(
            {
                "capacity": chain[0].model.config.hidden,
                "weight": float(WEIGHTS[at]),
                "gain": float(yearly[:, at].mean()),
                "step_gain": gain,
                "step_se": error,
                "kept": kept,
            }
        )
        if kept:
            chosen, best = index, yearly[:, at]
    weights = dict.fromkeys(map(str, sorted(inputs["lead"].unique())), 0.0)
    if best is not None:
        for lead in weights:
            yearly = _yearly(past[chosen], inputs, fold, int(lead))
            if len(yearly) < FEWEST_YEARS:
                continue
            at = int(yearly.mean(0).argmax())
            gain, error = _mean_and_error(yearly[:, at])
            if gain > error:
                weights[lead] = float(WEIGHTS[at]) * (1 - (error / gain) ** 2)
    return chosen, weights, path


def _yearly(chain: list[Trained], inputs: pd.DataFrame, fold: Fold, lead: int | None) -> np.ndarray:
    """Mean gains ``(years, len(WEIGHTS))`` of the rows known before ``fold``, at one lead or at all."""
    means = []
    for trained in chain:
        rows = inputs.iloc[trained.rows]
        known = (rows["time"] < fold.start).to_numpy()
        if lead is not None:
            known &= (rows["lead"] == lead).to_numpy()
        if known.any():
            means.append(trained.gains[known].mean(0))
    return np.array(means)


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _training_rows(inputs: pd.DataFrame, fold: Fold) -> tuple[pd.DataFrame, dict[str, tuple]]:
    """Rows whose target is known before the fold, and the standardisation of their inputs."""
    rows = inputs[(inputs["time"] < fold.start) & inputs["target"].notna()]
    if len(rows) < FEWEST:
        raise BasinError(
            f"fold {fold.name}: {len(rows)} training rows before {fold.start:%Y-%m-%d}, expected at least "
            f"{FEWEST}; set split.walk_from later or features.min_rows lower in params.yaml"
        )
    columns = tuple(c for c in inputs if c.startswith("x_"))
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
    hidden: int, inputs: pd.DataFrame, score: torch.Tensor, plan: list[Fold], params: TrainParams
) -> list[Trained]:
    """All folds of one capacity in order, each warm-started from the one before.

    ``score`` holds the normal score of each row's target under its base, shape ``(len(inputs),)``.
    """
    generator, device = torch.Generator().manual_seed(params.seed), training_device()
    energy: BilinearEnergy | None = None
    chain = []
    for fold in plan:
        rows, scaling = _training_rows(inputs, fold)
        x = standardised(rows, **scaling).float()
        first = energy is None
        if energy is None:
            energy = BilinearEnergy(x.shape[1], hidden, params.features, params.seeds, generator)
        known = score[rows.index].float().to(device)
        fit = fit_tilt(energy, known, x.to(device), **_options(params, len(rows), first, generator))
        energy = fit.module
        config = TiltConfig(
            **scaling, hidden=hidden, features=params.features, seeds=params.seeds, weights={}, pool={}
        )
        model = TiltedModel(config, copy.deepcopy(fit.module).double())
        later = inputs[
            (inputs["origin"] >= fold.start) & (inputs["origin"] < fold.stop) & inputs["target"].notna()
        ]
        chain.append(
            Trained(
                model,
                fit.loss.mean(1).tolist(),
                fit.validation.mean(1).tolist(),
                fit.steps,
                fit.best_step,
                later.index.to_numpy(),
                _gains(model, later, score[later.index]),
            )
        )
    return chain


def _gains(model: TiltedModel, rows: pd.DataFrame, score: torch.Tensor) -> np.ndarray:
    """log p_w(y) − log q(y) = −w·Ē(y) − log Σₖ exp(−w·Ē(sₖ))·weightₖ, for each weight w."""
    if not len(rows):
        return np.empty((0, len(WEIGHTS)))
    rule = panels(64)
    x = model.inputs(rows)
    at_score, at_nodes = model.mean_energy(score, x), model.mean_energy(rule.score[:, None], x)
    gains = [
        -w * at_score - torch.logsumexp(rule.log_weight[:, None] - w * at_nodes, 0) for w in WEIGHTS.tolist()
    ]
    return torch.stack(gains, 1).numpy()


def mdn_chain(inputs: pd.DataFrame, plan: list[Fold], params: TrainParams) -> list[dict[str, Any]]:
    """The peer network on the same folds, at the largest capacity offered to the energy."""
    generator, device = torch.Generator().manual_seed(params.seed), training_device()
    hidden = max(1, *params.capacities)
    network: MixtureDensityNetwork | None = None
    chain = []
    for fold in plan:
        rows, scaling = _training_rows(inputs, fold)
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
