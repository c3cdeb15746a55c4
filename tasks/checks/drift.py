"""Drift of recent inputs from those used in training, by PSI and Kolmogorov–Smirnov statistics."""

import numpy as np
import pandas as pd
from scipy import stats

BINS = 10
FLOOR = 1e-4
"""Least share of a bin in PSI, which would be infinite for an empty bin."""

TINY = 1e-12
"""Least spread of a statistic, which is 0 in all windows if a column did not move before."""


def drift(reference: pd.DataFrame, recent: pd.DataFrame) -> pd.DataFrame:
    """Compare each column of ``recent`` with that of ``reference``.

    PSI = Σ (r − e) ln(r / e) over decile bins of the reference and one bin beyond either end, with recent
    shares r and expected shares e. KS is the largest distance between the two distribution functions.

    Inputs are autocorrelated, so p-values for independent rows would be too small. Each p-value here is the
    share of all windows of W consecutive reference rows that differ as much from the other reference rows.
    The value ``q`` of a column is the share of windows in which *any* column is as far out, measured by log
    PSI or log KS in standard deviations over the windows. This controls the probability of any false alarm,
    however the columns are correlated. Where a statistic is beyond those of all windows, its p-value is a
    tail probability of Student's t, for one more draw beside N / W independent windows of N reference rows.

    Parameters
    ----------
    reference : DataFrame
        Numbers in order of time, shape (N, columns).
    recent : DataFrame
        Later numbers, shape (W, columns).

    Returns
    -------
    DataFrame
        ``psi``, ``psi_p``, ``ks``, ``ks_p`` and ``q``, with a row for each column.

    References
    ----------
    Westfall and Young (1993), Resampling-based multiple testing (single-step maxT).
    """
    rows, furthest, nulls = {}, {}, []
    for name in reference:
        past, later = reference[name].to_numpy(float), recent[name].to_numpy(float)
        if np.ptp(past) == 0 and (later == past[0]).all():  # a column that never moves does not drift
            rows[name] = {"psi": 0.0, "psi_p": 1.0, "ks": 0.0, "ks_p": 1.0}
            continue
        windows = _left_out(_ranks(past, past), len(recent))
        now = np.sort(_ranks(past, later))[None]
        beyond = 1 / (len(past) + 1)
        null = np.log([_psi(windows, beyond), _ks(windows)])
        found = np.log([_psi(now, beyond), _ks(now)])
        shares = [_chance(n, f, len(recent)) for n, f in zip(null, found[:, 0], strict=True)]
        center, spread = null.mean(1, keepdims=True), null.std(1, keepdims=True).clip(TINY)
        furthest[name] = ((found - center) / spread).max()
        nulls.append(((null - center) / spread).max(0))
        psi, ks = np.exp(found[:, 0])
        rows[name] = {"psi": psi, "psi_p": shares[0], "ks": ks, "ks_p": shares[1]}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table["q"] = 1.0
    for name, far in furthest.items():
        table.loc[name, "q"] = _chance(np.max(nulls, axis=0), far, len(recent))
    return table


def _chance(windows: np.ndarray, found: float, width: int) -> float:
    """Return the p-value of the statistic ``found``, given the statistics of overlapping reference windows.

    The recent window is counted among them, with the weight of ``width`` overlapping windows.
    """
    as_far = int((windows >= found - 1e-12).sum())
    share = (width + as_far) / (width + len(windows))
    if as_far:
        return share
    independent = max(len(windows) / width, 2.0)
    far = (found - windows.mean()) / (windows.std().clip(TINY) * np.sqrt(1 + 1 / independent))
    return min(share, float(stats.t.sf(far, independent - 1)))


def _ranks(past: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the distribution function of the reference at ``values``, with midpoints at its jumps."""
    known = np.sort(past)
    both = np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")
    return np.asarray(both / (2 * len(known)))


def _left_out(ranks: np.ndarray, width: int) -> np.ndarray:
    """Return the sorted ranks of each window of ``width`` consecutive rows among the rows outside it."""
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(ranks, width), 1)
    outside = len(ranks) * windows - (np.arange(width) + 0.5)
    return np.asarray((outside / (len(ranks) - width)).clip(0, 1))


def _psi(windows: np.ndarray, beyond: float) -> np.ndarray:
    """Return the PSI of sorted ranks; ``beyond`` is the expected share beyond either end of the reference."""
    inner = np.minimum((windows * BINS).astype(int), BINS - 1) + 1
    bins = np.where(windows <= 0, 0, np.where(windows >= 1, BINS + 1, inner))
    shares = np.stack([(bins == k).mean(1) for k in range(BINS + 2)], 1).clip(FLOOR)
    expected = np.array([beyond, *[(1 - 2 * beyond) / BINS] * BINS, beyond])
    return np.asarray(((shares - expected) * np.log(shares / expected)).sum(1))


def _ks(windows: np.ndarray) -> np.ndarray:
    steps = np.arange(1, windows.shape[1] + 1) / windows.shape[1]
    width = 1 / windows.shape[1]
    return np.asarray(np.maximum(np.abs(windows - steps), np.abs(windows - steps + width)).max(1))
