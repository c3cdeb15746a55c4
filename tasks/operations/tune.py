"""Settings of ``train`` tried on Ray Tune, judged on the walk-forward years before the test block alone."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from ray.tune import Callback

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, write_json
from tasks.runtime.parallel import Progress, connect, silent
from tasks.runtime.params import DomainParams, TrainParams
from tasks.runtime.workspace import Workspace
from tasks.tilts.training_data import TrainingData, training_data
from tasks.tilts.walk_forward import Trained, best_past, enough, tilt_chain, yearly_gains

FACTOR = 10.0
"""Learning rate and weight decay are tried within this factor of those of params.yaml, log-uniformly."""

FEATURES = (4, 8, 16)
GRACE = 3
"""Scored years before a trial may be stopped early."""


@dataclass(frozen=True)
class Trial:
    """Settings, and each year's gain in nats a forecast; fewer years where it was stopped early."""

    settings: dict[str, Any]
    gains: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.gains))


@dataclass(frozen=True)
class Tuned:
    """All trials, those that went to the end first, best first; ``default`` has the settings of params.yaml.

    ``gain`` and ``t`` compare the best with the default, year by year.
    """

    trials: list[Trial]
    default: Trial
    gain: float
    t: float


def tune(
    workspace: Workspace, params: DomainParams, count: int, seed: int, progress: Progress = silent
) -> Tuned:
    """Try ``count`` settings, the present ones first, and write ``runs/DOMAIN/tune.json``.

    A trial is one capacity walked forward; after each year it reports that year's gain over the base,
    with the weight that was best on the years before, and ASHA stops those that fall behind. Which ones are
    stopped depends on the order in which trials report; the gains of a setting do not. Nothing at or after
    ``split.test_from`` is seen. Raises ``BasinError`` where too few years lie before it.

    Reference: Li et al. (2020), A system for massively parallel hyperparameter tuning, MLSys.
    """
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the other one prints whatever `verbose` says
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    data = before_test(training_data(workspace, params), pd.Timestamp(params.split.test_from))
    years = len(data.plan)
    if years <= GRACE:
        raise BasinError(f"{years} years between split.walk_from and split.test_from, expected over {GRACE}")
    now = params.train
    present = {
        "hidden": now.capacities[0],
        "learning_rate": now.learning_rate,
        "weight_decay": now.weight_decay,
        "features": now.features,
    }
    space = {
        "hidden": ray_tune.choice(list(now.capacities)),
        "learning_rate": ray_tune.loguniform(now.learning_rate / FACTOR, now.learning_rate * FACTOR),
        "weight_decay": ray_tune.loguniform(now.weight_decay / FACTOR, now.weight_decay * FACTOR),
        "features": ray_tune.choice(sorted({*FEATURES, now.features})),
    }
    connect()
    with tempfile.TemporaryDirectory() as folder:
        tuner = ray_tune.Tuner(
            ray_tune.with_resources(
                ray_tune.with_parameters(_trial, data=data, train=now), {"cpu": 1, "gpu": 0}
            ),
            param_space=space,
            tune_config=ray_tune.TuneConfig(
                metric="mean",
                mode="max",
                num_samples=count,
                scheduler=ASHAScheduler(max_t=years, grace_period=GRACE, reduction_factor=2),
                search_alg=BasicVariantGenerator(points_to_evaluate=[present], random_state=seed),
            ),
            run_config=ray_tune.RunConfig(
                storage_path=folder, verbose=0, callbacks=[_Ended(count, progress)]
            ),
        )
        results = tuner.fit()
    if results.errors:
        raise BasinError(f"a trial failed: {' '.join(str(results.errors[0]).split())[-300:]}")
    ended: list[Any] = [results[i] for i in range(len(results))]
    trials = [
        Trial(found.config, tuple(found.metrics["gains"])) for found in ended if "gains" in found.metrics
    ]
    default = next(trial for trial in trials if trial.settings == present)
    trials.sort(key=lambda trial: (-len(trial.gains), -trial.mean))
    common = min(len(trials[0].gains), len(default.gains))
    step = np.subtract(trials[0].gains[:common], default.gains[:common])
    error = step.std(ddof=1) / np.sqrt(common)
    tuned = Tuned(trials, default, float(step.mean()), float(step.mean() / error) if error > 0 else 0.0)
    with atomic_write(workspace.runs / "tune.json") as (path,):
        write_json(path, asdict(tuned))
    return tuned


def before_test(data: TrainingData, test_from: pd.Timestamp) -> TrainingData:
    """The same data with the folds before the test block, and without any outcome from there on."""
    plan = [fold for fold in data.plan if fold.name != "final" and fold.stop <= test_from]
    inputs = data.inputs.assign(target=data.inputs["target"].where(data.inputs["time"] < test_from))
    return replace(data, inputs=inputs, plan=plan, priors=data.priors[: len(plan)])


def _trial(config: dict[str, Any], data: TrainingData, train: TrainParams) -> None:
    from ray import tune as ray_tune
    from threadpoolctl import threadpool_limits

    settings = {name: value for name, value in config.items() if name != "hidden"}
    with threadpool_limits(1):
        for gains in walk_gains(data, config["hidden"], train.model_copy(update=settings)):
            ray_tune.report({"mean": float(np.mean(gains)), "gains": gains})


def walk_gains(data: TrainingData, hidden: int, train: TrainParams) -> Iterator[list[float]]:
    """After each year, the gains of all years so far: each at the weights that were best on the years before
    it, zero while these are too few to tilt."""
    chain: list[Trained] = []
    gains: list[float] = []
    folds = zip(data.plan, data.prior_gains, strict=False)
    steps = tilt_chain(hidden, data.inputs, data.score, data.plan, train, data.priors)
    for (fold, prior_gain), trained in zip(folds, steps, strict=True):
        past = yearly_gains(chain, data.inputs, fold, None)
        at, without = best_past(past, prior_gain)
        used = at if enough(past, data.inputs) else without
        gains.append(float(trained.gains[:, *used].mean()) if len(trained.gains) else 0.0)
        chain.append(trained)
        yield list(gains)


class _Ended(Callback):
    """Tells ``progress`` of each trial that ended."""

    def __init__(self, count: int, progress: Progress) -> None:
        self.count, self.done, self.progress = count, 0, progress

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune stores its callbacks; a terminal cannot be stored."""
        return _Ended, (self.count, silent)

    def on_trial_complete(self, *_arguments: Any, **_more: Any) -> None:
        self.done += 1
        self.progress("trials", self.done, self.count)
