"""Scores of event probabilities and alarms: discrimination, calibration, thresholds and false alarms."""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tasks.runtime.parallel import Progress, silent
from tasks.scoring.ranking import auroc, average_precision

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Steps = NDArray[np.int64]

QUIET = 21
"""Number of rows without an alarm after which an episode of alarms has ended."""

BLOCK, DRAWS = 63, 400
"""Rows in a block of the bootstrap of confidence intervals, and number of resamples."""

TOGETHER = 50
"""Resamples that are scored together, so that memory is bounded."""

YEAR = 365.25


def scores(probability: Array, label: Flags, running: Array, calm: Flags) -> dict[str, float]:
    """Return ``auroc``, ``ap`` (average precision), ``brier_skill`` and ``calm_auroc``.

    The last is the AUROC of the ``calm`` rows. The Brier skill is 1 − Σ(p − y)² / Σ(b − y)², where b is the
    ``running`` base rate of the event, as known on each date.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    def area(chosen: Flags) -> float:
        both = label[chosen].any() and not label[chosen].all()
        return float(roc_auc_score(label[chosen], probability[chosen])) if both else float("nan")

    everywhere = np.ones_like(label)
    return {
        "auroc": area(everywhere),
        "ap": float(average_precision_score(label, probability)) if label.any() else float("nan"),
        "brier_skill": float(1 - ((probability - label) ** 2).sum() / ((running - label) ** 2).sum()),
        "calm_auroc": area(calm),
    }


def intervals(
    models: dict[str, Array],
    label: Flags,
    running: Array,
    calm: Flags,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[dict[str, dict[str, list[float]]], dict[str, dict[str, list[float]]]]:
    """Return 95 % intervals of the scores of each model, and of the gains of ``ebm`` over each other model.

    They come from a circular block bootstrap of the rows, with the same blocks for all models (Politis and
    Romano 1992). A score that no resample has, such as the AUROC without an event, has the interval NaN.
    """
    from arch.bootstrap import CircularBlockBootstrap

    rows = CircularBlockBootstrap(BLOCK, np.arange(len(label)), seed=seed).bootstrap(DRAWS)
    counts = (np.bincount(chosen, minlength=len(label)) for (chosen,), _ in rows)
    drawn: dict[str, list[Array]] = {name: [] for name in models}
    for done in range(0, DRAWS, TOGETHER):
        progress("intervals of the scores", done, DRAWS)
        weight = np.array(list(islice(counts, TOGETHER)), dtype=float)
        for name, probability in models.items():
            drawn[name].append(_resampled(probability, label, running, calm, weight))
    names = ("auroc", "ap", "brier_skill", "calm_auroc")
    arrays = {name: np.concatenate(values) for name, values in drawn.items()}

    def between(values: Array) -> dict[str, list[float]]:
        known = [column[np.isfinite(column)] for column in values.T]
        return {
            name: np.quantile(column, [0.025, 0.975]).tolist() if len(column) else [float("nan")] * 2
            for name, column in zip(names, known, strict=True)
        }

    alone = {name: between(values) for name, values in arrays.items()}
    gains = {name: between(arrays["ebm"] - values) for name, values in arrays.items() if name != "ebm"}
    return alone, gains


def _resampled(probability: Array, label: Flags, running: Array, calm: Flags, weight: Array) -> Array:
    """Return the :func:`scores` of resamples ``(resamples, 4)``, in which rows have the given weights."""
    with np.errstate(invalid="ignore"):
        skill = 1 - (weight @ (probability - label) ** 2) / (weight @ (running - label) ** 2)
    area = auroc(label, probability, weight), auroc(label, probability, weight * calm)
    found: Array = np.stack([area[0], average_precision(label, probability, weight), skill, area[1]], 1)
    return found


def episodes(alarm: Flags) -> list[tuple[int, int]]:
    """Return the rows ``(first alarm, last alarm)`` of each episode.

    Alarms with fewer than ``QUIET`` rows between them belong to the same episode.
    """
    found: list[tuple[int, int]] = []
    for row in np.flatnonzero(alarm):
        if found and row - found[-1][1] <= QUIET:
            found[-1] = (found[-1][0], int(row))
        else:
            found.append((int(row), int(row)))
    return found


def false_alarms(alarm: Flags, label: Flags) -> list[tuple[int, int]]:
    """Return the episodes in which no row was followed by the event within its horizon."""
    return [(first, last) for first, last in episodes(alarm) if not label[first : last + 1].any()]


def threshold(probability: Array, reached: Steps, steps: int, years: float, budget: float) -> float:
    """Return the highest threshold that caught the most past events within a budget of false alarms a year.

    A lower threshold would catch no further event and only make the alarms longer. The threshold is infinite
    if no threshold within the budget caught an event.
    """
    best, most = np.inf, 0
    for level in np.quantile(probability, 1 - np.geomspace(1 / len(probability), 0.5, 200)):
        alarm = probability >= level
        if len(false_alarms(alarm, reached > 0)) > budget * years:
            break
        found = len(caught(alarm, reached, steps)[0])
        if found > most:
            best, most = float(level), found
    return best


def events(reached: Steps, steps: int) -> list[int]:
    """Return the row on which each event began.

    ``reached`` is the number of rows from each row until the threshold is crossed, 0 if it is not crossed
    within ``steps`` rows. Crossings that are at most ``steps`` rows apart belong to the same event, which
    begins with the first of them.
    """
    rows = np.flatnonzero(reached)
    crossings = np.unique(rows + reached[rows])
    return [int(row) for row in crossings[np.diff(crossings, prepend=-steps - 1) > steps]]


def caught(alarm: Flags, reached: Steps, steps: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Split the events into those with an alarm beforehand and those without.

    An alarm catches an event if it was raised before the event began, on a row from which the threshold was
    crossed within ``steps`` rows. The first list has the row of the first such alarm and that of the event,
    the second the rows of the events without one.
    """
    hit, missed = [], []
    right = alarm & (reached > 0)
    for row in events(reached, steps):
        earliest = max(0, row - steps)
        days = np.flatnonzero(right[earliest:row])
        if len(days):
            hit.append((earliest + int(days[0]), row))
        else:
            missed.append(row)
    return hit, missed
