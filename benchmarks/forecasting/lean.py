"""Out-of-sample gain of energies by number of hidden units, on the climate domain before the test block.

Energies of increasing width are evaluated walk-forward, once with the weight decay and early stopping of the
pipeline and once without either. The figure is written to ``runs/bench/lean/lean.png``.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks import ROOT
from benchmarks.row import Row
from ebm_core.tilts.bilinear import BilinearEnergy
from ebm_core.tilts.training import fit_tilt
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write
from tasks.runtime.folds import Fold
from tasks.runtime.parallel import run_units, silent
from tasks.runtime.params import TrainParams, load_params
from tasks.runtime.workspace import Workspace
from tasks.tilts.config import TiltConfig, standardised
from tasks.tilts.model import TiltedModel
from tasks.tilts.training_data import training_data
from tasks.tilts.walk_forward import (
    Trained,
    out_of_sample_gains,
    run_chain,
    tilt_chain,
    training_rows,
    yearly_gains,
)

WIDTHS = (0, 2, 8, 32, 128)
STEPS = 400


def to_the_end(
    hidden: int, inputs: pd.DataFrame, score: Tensor, plan: list[Fold], params: TrainParams
) -> Iterator[Trained]:
    """Train like ``tilt_chain``, but without warm start, weight decay and early stopping.

    The validation rows are the training rows, so that no step is rejected.
    """
    generator = torch.Generator().manual_seed(params.seed)
    for fold in plan:
        rows, scaling = training_rows(inputs, fold)
        x, known = torch.from_numpy(standardised(rows, **scaling)).float(), score[rows.index].float()
        energy = BilinearEnergy(x.shape[1], hidden, params.features, params.seeds, generator)
        fit = fit_tilt(
            energy,
            torch.cat([known, known]),
            torch.cat([x, x]),
            validation=len(x),
            steps=STEPS,
            learning_rate=params.learning_rate,
            weight_decay=0.0,
            generator=generator,
        )
        shape = {"hidden": hidden, "features": params.features, "seeds": params.seeds}
        config = TiltConfig(**scaling, **shape, weights={}, pool={})
        model = TiltedModel(config, fit.module.double())
        ahead = (inputs["origin"] >= fold.start) & (inputs["origin"] < fold.stop) & inputs["target"].notna()
        later = inputs[ahead]
        gains = out_of_sample_gains(model, later, score[later.index])
        loss, validation = fit.loss.mean(1).tolist(), fit.validation.mean(1).tolist()
        yield Trained(model, loss, validation, fit.steps, fit.best_step, later.index.to_numpy(), gains)


def lean() -> Iterator[Row]:
    """Measure the gain over the base by width, in nats per forecast, on later years and on training rows.

    Standard errors are those of yearly means. A further row gives the width at which growing stops.
    """
    workspace, params = Workspace(ROOT, "climate"), load_params(ROOT, "climate")
    if not workspace.audit.exists():
        raise BasinError(f"{workspace.audit} is missing; run `make run` first")
    data = training_data(workspace, params)
    test = Fold("test", pd.Timestamp(params.split.test_from), pd.Timestamp(params.split.test_to))
    plan = [fold for fold in data.plan if fold.stop <= test.start]
    settings = {"stopped early": tilt_chain, "to the end": to_the_end}
    units = [(f, w, data.inputs, data.score, plan, params.train) for f in settings.values() for w in WIDTHS]
    chains = run_units(run_chain, units, "widths", silent)
    later = np.array([yearly_gains(chain, data.inputs, test, None)[:, 0, -1] for chain in chains])
    learned = np.array([np.mean([-fit.loss[-1] for fit in chain]) for chain in chains])
    later = later.reshape(len(settings), len(WIDTHS), -1)
    learned = learned.reshape(len(settings), len(WIDTHS))
    error = later.std(2, ddof=1) / np.sqrt(later.shape[2])
    for k, width in enumerate(WIDTHS):
        seen = "; ".join(
            f"{name} {later[s, k].mean():+.4f} ± {error[s, k]:.4f} (learned from {learned[s, k]:+.4f})"
            for s, name in enumerate(settings)
        )
        yield Row(f"climate to 1989, {width} hidden units: gain on later years, nats", "shown", seen, True)
    kept = None
    for k in range(len(WIDTHS)):
        step = later[0, k] - (0.0 if kept is None else later[0, kept])
        if step.mean() > step.std(ddof=1) / np.sqrt(len(step)):
            kept = k
    pays = "none pays: the base" if kept is None else f"{WIDTHS[kept]} hidden units"
    lost = later[1, -1] - later[0, 0]
    yield Row(
        "climate to 1989: widest energy that gains a standard error over the one before", "shown", pays, True
    )
    yield Row(
        f"climate to 1989: {WIDTHS[-1]} units trained to the end, gain over the leanest",
        "shown",
        f"{lost.mean():+.4f} ± {lost.std(ddof=1) / np.sqrt(len(lost)):.4f}",
        True,
    )
    with atomic_write(ROOT / "runs" / "bench" / "lean" / "lean.png") as (path,):
        draw(path, list(settings), later.mean(2), error, learned)


def draw(path: Path, names: list[str], later: np.ndarray, error: np.ndarray, learned: np.ndarray) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(WIDTHS))
    for s, (name, colour) in enumerate(zip(names, ("#1f5a99", "#b3541e"), strict=True)):
        axes.errorbar(
            at, later[s], error[s], color=colour, marker="o", capsize=3, label=f"later years, {name}"
        )
        axes.plot(at, learned[s], color=colour, linestyle=":", label=f"learned from, {name}")
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xticks(at, [str(width) for width in WIDTHS])
    axes.set_xlabel("hidden units of the energy")
    axes.set_ylabel("gain over the base, nats a forecast")
    axes.set_yscale("symlog", linthresh=0.05)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120, format="png")


ROWS = {"lean": lean}
