"""Has a forecast stopped being what it was when scored? A sequential test that allows a look every day."""

import numpy as np
import pandas as pd
from scipy import stats

ALTERNATIVES = (
    (-0.5, 1.0),
    (0.5, 1.0),
    *((mean, spread) for mean in (-0.5, 0.0, 0.5) for spread in (1.5, 2.5)),
)
"""What is bet on: mean and standard deviation of Φ⁻¹(u), which is standard normal while nothing changes.
Outcomes that lie closer to the forecasts than before are no danger and are not bet on."""

BOUND = 2.5
"""No day counts as more surprising than this |Φ⁻¹(u)|: one crash alone is no breach, a month of them is."""

MONTH = 21
"""Consecutive days that stay together when scored days are drawn: the memory that is kept."""

YEARS = 400
"""Years drawn for a threshold."""


def conformal(scored: np.ndarray, new: np.ndarray) -> np.ndarray:
    """u ∈ (0, 1): the mid-rank of each new P(Y ≤ y) among the n ``scored`` ones,
    (#{s < p} + #{s = p}/2 + ½) / (n + 1).

    Uniform while new days are like the scored ones, whatever the calibration of the model was there.
    Reference: Vovk, Gammerman and Shafer (2022), Algorithmic Learning in a Random World, ch. 8.
    """
    known = np.sort(scored)
    below, upto = np.searchsorted(known, new, "left"), np.searchsorted(known, new, "right")
    return np.asarray(((below + upto) / 2 + 0.5) / (len(known) + 1))


def e_detector(u: np.ndarray) -> np.ndarray:
    """The mean over ``ALTERNATIVES`` (μ, σ) of M_t = (1 + M_{t−1}) · φ((z − μ)/σ) / (σ φ(z)), z = Φ⁻¹(u_t).

    ``u`` has shape ``(..., t)``, and so has the result; z is kept within ±``BOUND``. While the u are
    independent and uniform, the expected time until it first reaches A is at least A; a change at any time
    makes it grow exponentially. Evidence is not lost in a long calm, as M never falls much below 1.

    Reference: Shin, Ramdas and Rinaldo (2024), E-detectors: a nonparametric framework for sequential change
    detection, New England J. Statistics in Data Science 2(2).
    """
    z = stats.norm.ppf(np.asarray(u, float)).clip(-BOUND, BOUND)[..., None]
    means, spreads = (np.array(side) for side in zip(*ALTERNATIVES, strict=True))
    ratio = np.exp(stats.norm.logpdf(z, means, spreads) - stats.norm.logpdf(z))
    total, path = np.zeros(np.delete(ratio.shape, -2)), np.empty(z.shape[:-1])
    for t in range(z.shape[-2]):
        # Bounded, so that a lasting break cannot overflow; far beyond any threshold.
        total = np.minimum((1 + total) * ratio[..., t, :], 1e15)
        path[..., t] = total.mean(-1)
    return path


def threshold(scored: np.ndarray, days: int, calm: int, seed: int = 0) -> float:
    """The height that a model as good as on its ``scored`` days (P(Y ≤ y), in time order) reaches in one of
    ``calm`` years of ``days`` daily looks, and not less than ``calm * days``.

    Real days are not independent: surprises come in clusters. ``YEARS`` years are drawn, month by month with
    replacement, from a third of the scored months, ranked among the other two thirds, and the 1 − 1/calm
    quantile of their highest :func:`e_detector` is taken. With fewer than three years of scored days it is
    ``calm * days``.
    """
    least = float(calm * days)
    months = scored[: len(scored) // MONTH * MONTH].reshape(-1, MONTH)
    if len(scored) < 3 * days:
        return least
    rng, third = np.random.default_rng(seed), len(months) // 3
    drawn = np.empty((YEARS, -(-days // MONTH) * MONTH))
    for year in drawn:
        order = rng.permutation(len(months))
        chosen = rng.choice(order[:third], len(year) // MONTH)
        year[:] = conformal(months[order[third:]].ravel(), months[chosen].ravel())
    highest = e_detector(drawn[:, :days]).max(-1)
    return max(least, float(np.quantile(highest, 1 - 1 / calm)))


def detector_path(days: pd.DataFrame) -> pd.Series:
    """The detector by date, averaged over the series, which keeps its guarantee."""
    paths = {
        name: pd.Series(e_detector(part["u"].to_numpy()), index=part["time"])
        for name, part in days.sort_values("time").groupby("series")
    }
    return pd.DataFrame(paths).ffill().fillna(0.0).mean(axis=1) if paths else pd.Series(dtype=float)
