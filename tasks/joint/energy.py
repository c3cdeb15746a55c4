"""Joint energy of each day, which is high on days that the model finds improbable, and who drives it."""

import numpy as np
import pandas as pd

from ebm_core.tilts.copula import log_spherical
from tasks.joint.panel import Panel
from tasks.joint.walk_forward import WEIGHTS, Year


def energies(years: list[Year], chosen: list[float], panel: Panel) -> pd.DataFrame:
    """Return the joint energy of each row that was forecast, with the error of its log Z, by date.

    The energy is minus the log density of the whitened returns, −log q(w) + E(w, x) + log Z(x), in nats,
    with q the density of the base. Days on which returns are large for their forecast scales, or do not
    move together as they use to, have a high energy.
    """
    parts = []
    for year, weight in zip(years, chosen, strict=True):
        if not len(year.ahead):
            continue
        k, base = WEIGHTS.index(weight), year.tilted.base
        energy = -log_spherical(base.whitened(), base.dynamics.nu).numpy() - year.gain[:, k]
        parts.append(
            pd.DataFrame(
                {"energy": energy, "log_z_error": year.log_z_error[:, k]}, index=panel.times[year.ahead]
            )
        )
    return pd.concat(parts)


def contributions(year: Year, weight: float, position: int, panel: Panel) -> pd.Series:
    """Return what each series adds to the energy of one of the rows ahead of a year, highest first, in nats.

    It is the change in energy if the whitened coordinate of the series were zero.
    """
    base = year.tilted.base
    w = base.whitened()[position]
    without = w.repeat(len(w) + 1, 1)
    without[range(1, len(w) + 1), range(len(w))] = 0
    known = year.tilted.conditions[position : position + 1]
    energy = year.tilted.weighted(weight).tilt.energy(without, known)[0]
    energy = energy - log_spherical(without, base.dynamics.nu)
    names = [panel.names[i] for i in year.members]
    return pd.Series((energy[0] - energy[1:]).numpy(), index=names).sort_values(ascending=False)


BAND = (0.05, 0.95)
"""Quantiles of the energies of normal days."""


def band(found: pd.DataFrame) -> tuple[float, float]:
    """Return the band of the energies of normal days."""
    low, high = np.quantile(found["energy"], BAND)
    return float(low), float(high)
