"""Sequential test for a change in the calibration of a forecast, valid when evaluated every day."""

import numpy as np
import pandas as pd
from scipy import stats

ALTERNATIVES = (
    (-0.5, 1.0),
    (0.5, 1.0),
    *((mean, spread) for mean in (-0.5, 0.0, 0.5) for spread in (1.5, 2.5)),
)
"""Alternatives of the test: mean and standard deviation of Φ⁻¹(u), which is standard normal without a change.
Outcomes closer to the forecasts than before are harmless, so no alternative has a spread below one."""

BOUND = 2.5
"""Largest |Φ⁻¹(u)| that is counted, so that a single crash is not a breach but a month of crashes is."""

MONTH = 21
"""Block length in days of the bootstrap for the threshold. Dependence within a block is kept."""

YEARS = 400
"""Number of bootstrap years for a threshold."""


def conformal(scored: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the conformal rank u ∈ (0, 1) of each new PIT among the n PITs of the scored days.

    u = (#{s < p} + #{s = p}/2 + ½) / (n + 1) for a new PIT p and scored PITs s. It is uniform as long as new
    days are distributed like the scored ones, even if the model was not calibrated on those.

    Reference: Vovk, Gammerman and Shafer (2022), Algorithmic Learning in a Random World, ch. 8.
    """
    known = np.sort(scored)
    below, upto = np.searchsorted(known, new, "left"), np.searchsorted(known, new, "right")
    return np.asarray(((below + upto) / 2 + 0.5) / (len(known) + 1))


def e_detector(u: np.ndarray) -> np.ndarray:
    """Return the e-detector of conformal ranks ``u`` of shape ``(..., t)``, with the same shape.

    It is the mean over ``ALTERNATIVES`` (μ, σ) of M_t = (1 + M_{t−1}) · φ((z − μ)/σ) / (σ φ(z)), where
    z = Φ⁻¹(u_t) is clipped to ±``BOUND``. While the u are independent and uniform, the expected time until
    the detector first reaches a height A is at least A. After a change it grows exponentially, however late
    the change comes, because the term 1 keeps M from vanishing in a long period without change.

    Reference: Shin, Ramdas and Rinaldo (2024), E-detectors: a nonparametric framework for sequential change
    detection, New England J. Statistics in Data Science 2(2).
    """
    z = stats.norm.ppf(np.asarray(u, float)).clip(-BOUND, BOUND)[..., None]
    means, spreads = (np.array(side) for side in zip(*ALTERNATIVES, strict=True))
    ratio = np.exp(stats.norm.logpdf(z, means, spreads) - stats.norm.logpdf(z))
    total, path = np.zeros(np.delete(ratio.shape, -2)), np.empty(z.shape[:-1])
    for t in range(z.shape[-2]):
        # The bound lies far above any threshold and prevents an overflow after a lasting change.
        total = np.minimum((1 + total) * ratio[..., t, :], 1e15)
        path[..., t] = total.mean(-1)
    return path


def threshold(scored: np.ndarray, days: int, calm: int, seed: int = 0) -> float:
    """Return the detector height that an unchanged model reaches in one of ``calm`` years.

    ``scored`` are the PITs of the scored days in time order, and a year has ``days`` days. Real days are not
    independent, because surprises come in clusters. Therefore ``YEARS`` years are bootstrapped in blocks of
    a month from one third of the scored months and ranked among the other two thirds. The threshold is the
    1 − 1/calm quantile of the maxima of :func:`e_detector` over these years. It is at least ``calm * days``,
    which is also used for fewer than three years of scored days.
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
    """Return the detector by date, averaged over series. The bound on false alarms holds for the mean too."""
    paths = {
        name: pd.Series(e_detector(part["u"].to_numpy()), index=part["time"])
        for name, part in days.sort_values("time").groupby("series")
    }
    return pd.DataFrame(paths).ffill().fillna(0.0).mean(axis=1) if paths else pd.Series(dtype=float)
