"""Interface of a forecasting domain. Each domain is one module."""

from typing import TYPE_CHECKING, Any, Protocol

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from tasks.runtime.parallel import Progress
    from tasks.runtime.params import FeatureParams


class Domain(Protocol):
    """One module ``tasks/domains/NAME.py`` with a module-level instance ``DOMAIN``.

    Tables are long: ``time`` (naive ``datetime64[ns]``) and ``series`` (str), sorted by series and time.
    A *row* of the prepared tables is one forecast: ``series, origin, lead, time`` (of the target).
    """

    name: str
    title: str
    question: str
    """What is asked, in a few plain sentences for the report."""
    unit: str
    """Unit of the target, e.g. ``% (100·Δlog close)``."""
    frequency: str
    """``B`` (trading days) or ``MS`` (months); a user's own file may have ``D``, ``W`` or ``h``."""
    calendar: str | None
    """The exchange whose sessions are expected, by its name in exchange_calendars."""
    sources: tuple[str, ...]
    """Entries of ``data/catalog.yaml``."""
    columns: tuple[str, ...]
    """Value columns of the raw table."""
    leads: tuple[int, ...]
    peers: tuple[str, ...]
    """Names of the peers, strongest expected first; ``base`` is added to them."""
    base: str
    """The classical forecast that is tilted, in words."""
    pool: tuple[str, ...]
    """The classical models whose linear pool it is."""
    prior: "Path | None"
    """Fits of a tilt learned on other series, which the energy corrects (``tasks.tilts.global_prior``)."""
    returns: bool
    """Whether the target is a return (value at risk is scored) or a seasonal anomaly (correlation is)."""
    state: str
    """Input column shown as "yesterday's state" in the landscape."""
    state_title: str
    """The same in words, for the axis of the map."""
    reference: str
    """The peer that the headline compares with."""

    def parse(self, tables: "dict[str, pd.DataFrame]") -> "pd.DataFrame":
        """The raw table from the catalog's tables: ``time, series`` and ``columns``."""
        ...

    def features(
        self,
        raw: "pd.DataFrame",
        params: "FeatureParams",
        start: "pd.Timestamp | None" = None,
        progress: "Progress" = ...,
    ) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Point-in-time tables ``(inputs, classical)`` for origins from ``start`` (default: all).

        ``inputs``: ``series, origin, lead, time, target`` (NaN where not yet known) and inputs ``x_*``;
        the last origin of each series is there, so the forecast uses the same code. ``classical``:
        ``series, origin, lead, model, loc, scale, eta, lam``: each classical model (those of
        ``pool`` among them) as a Hansen skew-t, fitted only on what was known at the last refit date before
        the origin.
        """
        ...

    def regimes(self, raw: "pd.DataFrame") -> "pd.DataFrame":
        """``time, series, regime`` (str): the regimes whose balance and skill are audited."""
        ...

    def empirical(
        self, inputs: "pd.DataFrame", raw: "pd.DataFrame", past: "pd.DataFrame", model: str
    ) -> "np.ndarray":
        """Sample of a peer that has no parameters, known at each origin: shape ``(len(inputs), sample)``.

        ``past`` is the table ``classical`` of all origins.
        """
        ...

    def frozen_parameters(
        self, raw: "pd.DataFrame", classical: "pd.DataFrame", params: "FeatureParams"
    ) -> "dict[str, Any]":
        """The classical models at their last refit, stored with a model; only where ``returns``."""
        ...

    def forecast_frozen(
        self, raw: "pd.DataFrame", parameters: "dict[str, Any]", since: "pd.Timestamp | None" = None
    ) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """``(inputs, classical)`` as of :meth:`features`, by stored parameters; only where ``returns``."""
        ...

    def frozen_inputs(self) -> "dict[str, Any]":
        """What a file must bring so that stored parameters apply to it; only where ``returns``."""
        ...


def require_columns(source: str, table: "pd.DataFrame", columns: tuple[str, ...]) -> None:
    """Raise ``BasinError`` naming the columns that a source lacks."""
    missing = [name for name in columns if name not in table]
    if missing:
        raise BasinError(
            f"source {source}: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}; "
            "rename the file's columns or mend the catalog entry"
        )
