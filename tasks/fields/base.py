"""Classical base forecast of fields: climatology, a linear inverse model and Gaussian errors with patterns.

The linear inverse model (LIM) forecasts the amplitudes of the leading EOFs. The remainder of the field is
forecast by damped persistence. A ridge regression on seasonal and earlier states corrects the errors of the
LIM, which is a stationary Markov process.

References: Penland and Sardeshmukh (1995), The optimal growth of tropical sea surface temperature anomalies,
J. Climate 8 (LIM); von Storch and Zwiers (1999), Statistical Analysis in Climate Research, ch. 13 (EOFs).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tasks.fields.coverage import MOST_MISSING
from tasks.fields.reading import Fields, Grid
from tasks.runtime.errors import BasinError

LEADS = (0, 3, 6)
"""Months ahead. Lead 0 is the distribution of a month's field without knowledge of earlier months."""

EOFS = 30
"""Largest number of EOFs in the linear inverse model."""

ERROR_PATTERNS = 80
"""Largest number of patterns in the error distribution of each lead."""

BEFORE = 3
"""The ridge and the energy use the field at the origin and the field this many months before."""

MENDED = 10
"""Number of leading EOFs that the ridge uses as inputs."""

RIDGE = 1000.0
"""Penalty of the ridge for inputs of unit variance. Chosen on 1930–94, where 300 to 3,000 do equally well."""

FEWEST = 120
"""Smallest number of months without a gap for a fit."""


@dataclass(frozen=True)
class Base:
    """Fitted base, in which the field at month t + lead is N(mean, D + V Vᵀ), in the units of the data.

    For d cells, k EOFs, p error patterns and L leads the attributes are:

    - ``root`` (d,), the square root of the area of each cell;
    - ``normals`` (12, d), the climatology of each calendar month;
    - ``eofs`` (d, k) of the anomalies times ``root``, and ``deviations`` (k,) of their amplitudes;
    - ``propagators`` (L, k, k) of the EOF amplitudes and ``damping`` (L, d) of the remainder;
    - ``ridge`` (L, 4 · MENDED, k), the coefficients of the ridge regression;
    - ``patterns`` V (L, d, p) and ``local`` variances D (L, d) of the errors.
    """

    root: np.ndarray
    normals: np.ndarray
    eofs: np.ndarray
    deviations: np.ndarray
    propagators: np.ndarray
    damping: np.ndarray
    ridge: np.ndarray
    patterns: np.ndarray
    local: np.ndarray

    @cached_property
    def spread(self) -> np.ndarray:
        """Standard deviation of the error of each cell, (L, d)."""
        return np.sqrt(self.local + np.square(self.patterns).sum(axis=-1))

    def mean(self, now: np.ndarray, before: np.ndarray, season: np.ndarray, lead: int) -> np.ndarray:
        """Return the mean forecasts ``(n, d)`` for ``LEADS[lead]`` months after the fields ``now``.

        ``before`` ``(n, d)`` are the fields ``BEFORE`` months before ``now``. ``season`` ``(n,)`` is the
        calendar month of the forecast, 0 to 11. Fields are in the units of the data.
        """
        if LEADS[lead] == 0:
            return self.normals[season]
        origin = (season - LEADS[lead]) % 12
        weighted = (now - self.normals[origin]) * self.root
        state = weighted @ self.eofs
        ahead = state @ self.propagators[lead].T + self._terms(state, before, origin) @ self.ridge[lead]
        left = (weighted - state @ self.eofs.T) * self.damping[lead]
        return self.normals[season] + (ahead @ self.eofs.T + left) / self.root

    def _terms(self, state: np.ndarray, before: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Return the inputs of the ridge regression.

        They are the amplitudes at the origin, the amplitudes ``BEFORE`` months earlier, and the former times
        the sine and the cosine of the season.
        """
        earlier = (before - self.normals[(origin - BEFORE) % 12]) * self.root @ self.eofs
        now, earlier = (amplitudes[:, :MENDED] / self.deviations[:MENDED] for amplitudes in (state, earlier))
        angle = (2 * np.pi * origin / 12)[:, None]
        return np.hstack([now, earlier, now * np.sin(angle), now * np.cos(angle)])


def seasons(months: np.ndarray) -> np.ndarray:
    """Return the calendar month, 0 to 11, of ``datetime64[M]`` values."""
    return months.astype(int) % 12


def gapless(fields: Fields, grid: Grid, normals: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield for each block ``(first, values, fresh)``: its first row, its values ``(n, d)`` and the new rows.

    Gaps in a month with at most :data:`MOST_MISSING` of its cells missing are filled with ``normals``, the
    mean of the calendar month ``(12, d)``. Each block repeats the last rows of the block before, so that
    every pair of origin and target lies within one block. ``fresh`` is false for these repeated rows.
    """
    before = BEFORE + max(LEADS)
    for first, values in fields.blocks(before):
        fresh = np.arange(len(values)) >= (0 if first == 0 else before)
        cells = values[:, grid.mask]
        missing = ~np.isfinite(cells)
        filled = missing & (missing.mean(axis=1) <= MOST_MISSING)[:, None]
        season = seasons(fields.months[first : first + len(cells)])
        yield first, np.where(filled, normals[season], cells), fresh


def pairs(first: int, values: np.ndarray, fresh: np.ndarray, lead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices ``(origin, target)`` of pairs of rows of a block that are ``lead`` months apart.

    The fields of the target, of the origin and of the month ``BEFORE`` months before the origin have no
    missing value. Blocks overlap, so only targets marked in ``fresh`` count, and each pair is returned once.
    ``first`` is the row of the file at which the block begins.
    """
    whole = np.isfinite(values).all(axis=1)
    aim = np.flatnonzero(whole & fresh)
    aim = aim[aim >= lead + BEFORE]
    origin = aim - lead
    kept = whole[origin] & whole[origin - BEFORE]
    return origin[kept], aim[kept]


def forecasts(
    fields: Fields, grid: Grid, normals: np.ndarray, start: int = 0
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield ``(lead, now, before, targets, season)``, for one block of months and one lead at a time.

    ``now``, ``before`` and ``targets`` are fields ``(n, d)`` of :func:`gapless`, and ``lead`` is an index of
    :data:`LEADS`. A month from row ``start`` on is a target once for each lead if the fields of the pair
    have no missing value (see :func:`pairs`).
    """
    for first, values, fresh in gapless(fields, grid, normals):
        season = seasons(fields.months[first : first + len(values)])
        for lead, ahead in enumerate(LEADS):
            origin, aim = pairs(first, values, fresh, ahead)
            kept = first + aim >= start
            origin, aim = origin[kept], aim[kept]
            if len(aim):
                yield lead, values[origin], values[origin - BEFORE], values[aim], season[aim]


def fit_base(fields: Fields, grid: Grid) -> Base:
    """Fit the base in four passes over the file: climatology, inverse model, ridge and error distribution.

    Raises ``BasinError`` if fewer than :data:`FEWEST` pairs of months at the longest lead have no gap.
    """
    base = _ridge(_inverse_model(fields, grid, _normals(fields, grid)), fields, grid)
    patterns, local = _laws_of_errors(base, fields, grid)
    return replace(base, patterns=patterns, local=local)


def _inverse_model(fields: Fields, grid: Grid, normals: np.ndarray) -> Base:
    """Fit the EOFs, the powers of their one-month propagator, and the damped persistence of the remainder."""
    cells, root = int(grid.mask.sum()), np.sqrt(grid.area)
    moments = {lag: np.zeros((cells, cells)) for lag in sorted({0, 1, *LEADS})}
    counts = dict.fromkeys(moments, 0)
    for first, values, fresh in gapless(fields, grid, normals):
        anomalies = (values - normals[seasons(fields.months[first : first + len(values)])]) * root
        for lag in moments:
            origin, aim = pairs(first, values, fresh, lag)
            moments[lag] += anomalies[aim].T @ anomalies[origin]
            counts[lag] += len(aim)
    if counts[max(LEADS)] < FEWEST:
        raise BasinError(
            f"{fields.label}: {counts[max(LEADS)]} pairs of months {max(LEADS)} months apart have no gaps in "
            f"{fields.name}, expected {FEWEST} or more; give a longer record, or leave out cells with many "
            "gaps"
        )
    covariance = {lag: moments[lag] / counts[lag] for lag in moments}
    count = min(EOFS, cells // 2, counts[0] // 20)
    eofs = np.linalg.eigh(covariance[0])[1][:, ::-1][:, :count]
    eofs = eofs * np.where(eofs.sum(axis=0) < 0, -1.0, 1.0)  # signs are arbitrary
    projected = {lag: eofs.T @ covariance[lag] @ eofs for lag in (0, 1)}
    step = projected[1] @ np.linalg.inv(projected[0])
    left = np.eye(cells) - eofs @ eofs.T
    persisted = {lag: np.einsum("ij,jk,ik->i", left, covariance[lag], left) for lag in (0, *LEADS)}
    return Base(
        root=root,
        normals=normals,
        eofs=eofs,
        deviations=np.sqrt(np.diag(projected[0])),
        propagators=np.stack([np.linalg.matrix_power(step, lead) for lead in LEADS]),
        damping=np.stack(
            [
                np.clip(
                    persisted[lead] / np.maximum(persisted[0], 1e-6 * covariance[0].trace() / cells), 0, 1
                )
                for lead in LEADS
            ]
        ),
        ridge=np.zeros((len(LEADS), 4 * min(MENDED, count), count)),
        patterns=np.zeros((len(LEADS), cells, 0)),
        local=np.ones((len(LEADS), cells)),
    )


def _ridge(base: Base, fields: Fields, grid: Grid) -> Base:
    """Fit the ridge regression of the errors of the inverse model on seasonal and earlier states."""
    terms, count = base.ridge.shape[1:]
    gram, cross = np.zeros((len(LEADS), terms, terms)), np.zeros((len(LEADS), terms, count))
    for lead, now, before, aims, season in forecasts(fields, grid, base.normals):
        if LEADS[lead]:
            origin = (season - LEADS[lead]) % 12
            state = (now - base.normals[origin]) * base.root @ base.eofs
            seen = base._terms(state, before, origin)
            missed = (aims - base.mean(now, before, season, lead)) * base.root @ base.eofs
            gram[lead] += seen.T @ seen
            cross[lead] += seen.T @ missed
    return replace(base, ridge=np.linalg.solve(gram + RIDGE * np.eye(terms), cross))


def _normals(fields: Fields, grid: Grid) -> np.ndarray:
    """Compute the mean of each calendar month, (12, d)."""
    total, seen = np.zeros((12, int(grid.mask.sum()))), np.zeros((12, int(grid.mask.sum())))
    for first, values in fields.blocks():
        values = values[:, grid.mask]
        season = seasons(fields.months[first : first + len(values)])
        finite = np.isfinite(values)
        np.add.at(total, season, np.where(finite, values, 0))
        np.add.at(seen, season, finite)
    if (seen < 2).any():
        raise BasinError(
            f"{fields.label}: a cell of {fields.name} has fewer than 2 values in a calendar month, expected "
            "2 or more; give more years"
        )
    return total / seen


def _laws_of_errors(base: Base, fields: Fields, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Compute patterns V and local variances D of each lead from the leading EOFs of standardised errors."""
    cells = base.normals.shape[1]
    moments, counts = np.zeros((len(LEADS), cells, cells)), np.zeros(len(LEADS))
    for lead, now, before, aims, season in forecasts(fields, grid, base.normals):
        error = aims - base.mean(now, before, season, lead)
        moments[lead] += error.T @ error
        counts[lead] += len(error)
    patterns, local = [], []
    for moment, count in zip(moments, counts, strict=True):
        covariance = moment / count
        variance = np.maximum(np.diag(covariance), 1e-6 * np.diag(covariance).mean())
        spread = np.sqrt(variance)
        strengths, vectors = np.linalg.eigh(covariance / np.outer(spread, spread))
        kept = slice(None, -1 - min(ERROR_PATTERNS, cells // 2), -1)
        leading = vectors[:, kept] * np.sqrt(np.maximum(strengths[kept], 0))
        patterns.append(spread[:, None] * leading)
        local.append(variance * np.maximum(1 - np.square(leading).sum(axis=1), 1e-3))
    return np.stack(patterns), np.stack(local)
