"""What models answered about a test part, and the scores of that: means over seeds, a paired bootstrap."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.applications.harness.measures import Measure
from tasks.runtime.errors import BasinError

RESAMPLES = 500
LEVEL = 0.95


@dataclass(frozen=True)
class Trial:
    """One test part answered with one seed.

    ``truth`` ``(n,)``; ``answers`` maps ``ebm`` and each peer to ``(n, …)``, whatever the ``measures`` take;
    a peer that cannot answer is left out. ``unit`` ``(n,)`` names what the bootstrap draws again (a row, a
    user, a patient; default: the row's position, so that rows of all seeds must agree). A ``group`` (a table
    of many, a held-out speaker) is scored by itself, and groups count alike in the mean.
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
    """Of one model and measure: the value of each group, and of each group's resamples ``(resamples,)``."""

    value: dict[str, float] = field(default_factory=dict)
    resampled: dict[str, np.ndarray] = field(default_factory=dict)

    def mean(self, groups: list[str]) -> float:
        return float(np.mean([self.value[g] for g in groups]))

    def draws(self, groups: list[str]) -> np.ndarray:
        return np.mean([self.resampled[g] for g in groups], axis=0)


def judge(trials: list[Trial], resamples: int = RESAMPLES) -> dict[str, Any]:
    """``scores.json``: every measure of every model, and what ``ebm`` gains on each peer.

    ``models[MODEL][MEASURE]`` is the mean over groups of the mean over seeds, ``intervals`` the 95 %
    interval, ``groups`` the means of each group, ``paired[PEER][MEASURE]`` the gain of ``ebm`` (+ is better,
    whichever way the measure runs) with its interval and two-sided bootstrap p. Units and seeds are drawn
    again together for all models, with a fixed seed. Raises ``BasinError`` where a measure is not a number.

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
    # The same draw for every measure and model of the group.
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=resamples)
    seeds = rng.integers(len(trials), size=(resamples, len(trials)))
    for model in dict.fromkeys(m for t in trials for m in t.answers):
        answered = [t for t in trials if model in t.answers]
        if len(answered) < len(trials):
            raise BasinError(f"{model} answered {len(answered)} of {len(trials)} seeds of {group}")
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
