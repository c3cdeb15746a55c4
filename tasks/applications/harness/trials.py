"""Answers of models on a test part, and their scores: means over seeds with a paired bootstrap."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.applications.harness.measures import Measure
from tasks.runtime.errors import BasinError

RESAMPLES = 500
LEVEL = 0.95


@dataclass(frozen=True)
class Trial:
    """Answers of all models on one test part with one seed.

    ``truth`` has shape ``(n,)``. ``answers`` maps ``ebm`` and each peer to an array ``(n, …)`` as the
    ``measures`` expect it; a peer that has no such answer is left out. ``unit`` ``(n,)`` identifies what the
    bootstrap resamples, such as a row, a user or a patient. By default it is the position of the row, which
    requires the same rows for all seeds. Each ``group``, such as one of several tables or a held-out speaker,
    is scored separately, and all groups have the same weight in the mean.
    """

    measures: tuple[Measure, ...]
    seed: int
    truth: np.ndarray
    answers: dict[str, np.ndarray]
    unit: np.ndarray | None = None
    group: str = "all"

    @property
    def units(self) -> np.ndarray:
        return np.arange(len(self.truth)) if self.unit is None else self.unit


@dataclass
class _Found:
    """Value of one model and measure for each group, and its bootstrap resamples ``(resamples,)``."""

    value: dict[str, float] = field(default_factory=dict)
    resampled: dict[str, np.ndarray] = field(default_factory=dict)

    def mean(self, groups: list[str]) -> float:
        return float(np.mean([self.value[g] for g in groups]))

    def draws(self, groups: list[str]) -> np.ndarray:
        return np.mean([self.resampled[g] for g in groups], axis=0)


def judge(trials: list[Trial], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return the content of ``scores.json``: measures of every model, and the gain of ``ebm`` over peers.

    ``models[MODEL][MEASURE]`` is the mean over groups of the mean over seeds, ``intervals`` has the 95 %
    intervals and ``groups`` the means of each group. ``paired[PEER][MEASURE]`` is the gain of ``ebm`` with
    interval and two-sided bootstrap p-value; a positive gain is always better. Units and seeds are resampled
    jointly for all models, with a fixed random seed. Raises ``BasinError`` if a measure is not finite.

    Reference: Efron and Tibshirani (1993), An introduction to the bootstrap.
    """
    measures = {m.name: m for t in trials for m in t.measures}
    found: dict[tuple[str, str], _Found] = {}
    for group in dict.fromkeys(t.group for t in trials):
        for name in measures:
            part = [t for t in trials if t.group == group and name in {m.name for m in t.measures}]
            if part:
                _judge_group(group, measures[name], part, resamples, found)
    models = list(dict.fromkeys(m for t in trials for m in t.answers))
    scores: dict[str, Any] = {
        "models": {},
        "intervals": {},
        "paired": {},
        "groups": {},
        "measures": {m.name: {"title": m.title, "better": m.better} for m in measures.values()},
        "seeds": len({t.seed for t in trials}),
        "resamples": resamples,
    }
    for model in models:
        held = {name: found[model, name] for name in measures if (model, name) in found}
        scores["models"][model] = {n: f.mean(list(f.value)) for n, f in held.items()}
        scores["intervals"][model] = {n: _interval(f.draws(list(f.value))) for n, f in held.items()}
        for name, f in held.items():
            for group, value in f.value.items():
                scores["groups"].setdefault(group, {}).setdefault(model, {})[name] = value
        if model != "ebm":
            scores["paired"][model] = {
                name: _gain(found["ebm", name], f, measures[name].sign)
                for name, f in held.items()
                if ("ebm", name) in found
            }
    return scores


def _judge_group(
    group: str,
    measure: Measure,
    trials: list[Trial],
    resamples: int,
    found: dict[tuple[str, str], _Found],
) -> None:
    units = np.unique(np.concatenate([t.units for t in trials]))
    # All measures and models of the group use the same resamples, so that differences are paired.
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=resamples)
    seeds = rng.integers(len(trials), size=(resamples, len(trials)))
    for model in dict.fromkeys(m for t in trials for m in t.answers):
        answered = [t for t in trials if model in t.answers]
        if len(answered) < len(trials):
            raise BasinError(
                f"{model} has answers for {len(answered)} of {len(trials)} seeds of {group}; expected all"
            )
        points, draws = [], []
        for trial in answered:
            answer = trial.answers[model]
            points.append(float(measure.of(trial.truth, answer, np.ones((1, len(trial.truth))))[0]))
            weight = drawn[:, np.searchsorted(units, trial.units)]
            draws.append(measure.of(trial.truth, answer, weight))
        if not np.isfinite(points).all():
            raise BasinError(
                f"{measure.title} of {model} on {group} is not a number; the test part needs rows of both "
                "classes and the answers must be finite"
            )
        entry = found.setdefault((model, measure.name), _Found())
        entry.value[group] = float(np.mean(points))
        entry.resampled[group] = np.stack(draws, 1)[np.arange(resamples)[:, None], seeds].mean(1)


def _interval(draws: np.ndarray) -> list[float]:
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


def _gain(ours: _Found, theirs: _Found, sign: int) -> dict[str, Any]:
    shared = [group for group in theirs.value if group in ours.value]
    draws = sign * (ours.draws(shared) - theirs.draws(shared))
    draws = draws[np.isfinite(draws)]
    beyond = min((draws <= 0).sum(), (draws >= 0).sum()) + 1
    return {
        "gain": sign * (ours.mean(shared) - theirs.mean(shared)),
        "interval": _interval(draws),
        "p": float(min(1.0, 2 * beyond / (len(draws) + 1))),
    }
