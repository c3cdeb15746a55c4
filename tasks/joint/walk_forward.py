"""Walk-forward of joint models: yearly refits of copulas and the tilt, scored on the year that follows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tasks.joint.correlation import fit_constant, fit_dcc, fit_ewma, fit_pool
from tasks.joint.marginals import Marginals
from tasks.joint.models import CopulaPath, TiltedPath, fit_tilted
from tasks.joint.panel import Panel, Refit
from tasks.joint.vine import VinePath
from tasks.runtime.parallel import Progress, run_units, silent

Path = CopulaPath | VinePath
"""A joint model along the scores of a panel."""

PEERS = ("base", "dcc-t", "dcc-gaussian", "ewma-gaussian", "t-copula")
"""Copulas that are compared with the tilt. ``base`` is the one that it tilts."""

VINES = ("vine", "dcc-vine")
"""Regular vines of the scores and of what DCC leaves of them. They take half a minute a year to fit."""

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights of the energy, of which the one with the highest past log score is used."""

WARM_UP = 250
"""First rows of a history, which form the averages of correlations and do not count in fits."""

COVERED = 2 / 3
"""Share of a refit's rows in which a series must have scores to take part."""


@dataclass(frozen=True)
class Year:
    """Models fitted at a refit, and their copulas along the rows that follow.

    ``rows`` are the rows of the panel at which all ``members`` have returns, of which the models learned from
    the first ``learned``. The paths begin after those. ``gain`` ``(rows, weights)`` is the log density of the
    tilt less that of its base for each of ``WEIGHTS``, with the standard error of log Z and the effective
    sample size.
    """

    refit: Refit
    members: np.ndarray
    rows: np.ndarray
    learned: int
    paths: dict[str, Path]
    tilted: TiltedPath
    gain: np.ndarray
    log_z_error: np.ndarray
    effective_size: np.ndarray

    @property
    def ahead(self) -> np.ndarray:
        """Rows of the panel that were forecast."""
        return self.rows[self.learned :]


def history(scores: np.ndarray, forecast: np.ndarray, refit: Refit) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the series and rows of a refit, and how many of the rows lie before it.

    A series takes part if it has scores at ``COVERED`` of the rows before the refit, and if its marginals
    were fitted by then: ``forecast`` tells the rows at which they were forecast, and its other scores are
    those of its first fit, which may come later. Rows at which a member has no score are left out.
    """
    there = np.isfinite(scores)
    before = slice(refit.start, refit.first)
    filled = there[before].any(axis=1)
    fitted = forecast[refit.first : refit.end].any(axis=0)
    members = np.flatnonzero(fitted & (there[before][filled].mean(axis=0) >= COVERED))
    rows = np.arange(refit.start, min(refit.end, len(scores)))
    rows = rows[there[refit.start : refit.end][:, members].all(axis=1)]
    return members, rows, int((rows < refit.first).sum())


def fit_year(
    scores: np.ndarray, marginals: Marginals, refit: Refit, peers: tuple[str, ...], seed: int
) -> Year:
    """Fit the models of one refit and compute their log densities of the rows that follow."""
    generator = torch.Generator().manual_seed(1000 * seed + refit.first)
    members, rows, learned = history(scores, marginals.known, refit)
    known = scores[rows][:, members]
    past = known[:learned]
    after = min(WARM_UP, learned // 4)
    fits: dict[str, Callable[[], Path]] = {
        "dcc-t": lambda: CopulaPath.along(known, fit_dcc(past)),
        "dcc-gaussian": lambda: CopulaPath.along(known, fit_dcc(past, gaussian=True)),
        "ewma-gaussian": lambda: CopulaPath.along(known, fit_ewma(past)),
        "t-copula": lambda: CopulaPath.along(known, fit_constant(past)),
        "vine": lambda: VinePath.along(known, learned, filtered=False),
        "dcc-vine": lambda: VinePath.along(known, learned, filtered=True),
    }
    base = CopulaPath.along(known, fit_pool(past, after))
    paths = {name: base if name == "base" else fits[name]() for name in peers}
    coming = [*rows, refit.end - 1]  # the row after the data, of a refit that is open
    scale, market = marginals.scale[coming][:, members], marginals.market[coming]
    tilted = fit_tilted(base, scale, market, slice(after, learned), generator).after(learned)
    found = gains(tilted, slice(0, len(known) - learned), generator)
    paths = {name: path.after(learned) for name, path in paths.items()}
    return Year(refit, members, rows, learned, paths, tilted, *found)


def gains(
    tilted: TiltedPath, rows: slice, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the log density of the tilt less that of its base, for each of ``WEIGHTS``.

    With it come the standard error of log Z and the effective sample size, ``(rows, weights)`` each.
    """
    if rows.start == rows.stop:
        return (np.empty((0, len(WEIGHTS))),) * 3
    found = []
    for weight in WEIGHTS:
        weighted = tilted.weighted(weight)
        normaliser = weighted.normaliser(rows, generator)
        gain = -weighted.energy(rows) - normaliser.log_z.numpy()
        found.append((gain, normaliser.error.numpy(), normaliser.effective_size.numpy()))
    gain, error, effective = (np.stack(part, axis=1) for part in zip(*found, strict=True))
    return gain, error, effective


def walk_forward(
    panel: Panel,
    marginals: Marginals,
    walk: list[Refit],
    peers: tuple[str, ...] = PEERS,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Year]:
    """Fit and score all refits, on Ray if that saves time."""
    scores = marginals.scores(panel.returns)
    units = [(scores, marginals, refit, peers, seed) for refit in walk]
    return run_units(fit_year, units, "joint models", progress)


def weights_of(years: list[Year]) -> list[float]:
    """Return the weight of the energy for each year: the best in the years before, 1/4 in the first.

    The energy of the first year has no past by which it could be weighted.
    """
    total, found = np.zeros(len(WEIGHTS)), []
    for year in years:
        found.append(WEIGHTS[int(total.argmax())] if total.any() else WEIGHTS[1])
        total += year.gain.sum(axis=0)
    return found
