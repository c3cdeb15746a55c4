"""Tuning of the parameters ``train`` with Ray Tune, on walk-forward years before the test block."""

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
"""Learning rate and weight decay are drawn log-uniformly within this factor of those in params.yaml."""

FEATURES = (4, 8, 16)
"""Numbers of features that are tried, besides that of params.yaml."""

GRACE = 3
"""Number of scored years before a trial may be stopped early."""


@dataclass(frozen=True)
class Trial:
    """Settings and their gain over the base in each year, in nats per forecast, until the trial ended."""

    settings: dict[str, Any]
    gains: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.gains))


@dataclass(frozen=True)
class Tuned:
    """Result of :func:`tune`.

    ``trials`` are sorted by their number of years and then by mean gain, best first. ``default`` is the trial
    with the settings of params.yaml. ``gain`` is the mean difference per year between the best trial and the
    default, and ``t`` is its t statistic.
    """

    trials: list[Trial]
    default: Trial
    gain: float
    t: float


def tune(
    workspace: Workspace, params: DomainParams, count: int, seed: int, progress: Progress = silent
) -> Tuned:
    """Try ``count`` settings, the current ones first, and write ``runs/DOMAIN/tune.json``.

    A trial evaluates one capacity walk-forward. After each year it reports the gain over the base of that
    year, at the weight that was best in earlier years, and ASHA stops trials that fall behind. Which trials
    are stopped depends on the order in which they report, but the gains of a setting do not. No data from
    ``split.test_from`` on are used. Raises ``BasinError`` if there are too few years before that date.

    Reference: Li et al. (2020), A system for massively parallel hyperparameter tuning, MLSys.
    """
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # Ray's new output ignores `verbose=0`
    from ray import tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    data = before_test(training_data(workspace, params), pd.Timestamp(params.split.test_from))
    years = len(data.plan)
    if years <= GRACE:
        raise BasinError(
            f"{years} years between split.walk_from and split.test_from of params.yaml, but tuning needs "
            f"more than {GRACE}; set walk_from earlier"
        )
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
    """Return ``data`` without the folds of the test block and without outcomes from ``test_from`` on."""
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
    """Yield, after each year, the gains of all years so far.

    Each year is evaluated at the weights that were best in earlier years. Its gain is zero while there are
    too few earlier years for a tilt.
    """
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
    """Callback of Ray Tune that reports each finished trial to ``progress``."""

    def __init__(self, count: int, progress: Progress) -> None:
        self.count, self.done, self.progress = count, 0, progress

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without ``progress``: Tune stores its callbacks, and a terminal cannot be pickled."""
        return _Ended, (self.count, silent)

    def on_trial_complete(self, *_arguments: Any, **_more: Any) -> None:
        self.done += 1
        self.progress("trials", self.done, self.count)
