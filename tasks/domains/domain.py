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
    """Interface of a domain, which is the instance ``DOMAIN`` of a module ``tasks/domains/NAME.py``.

    Raw tables are in long format, with columns ``time`` (``datetime64[ns]`` without time zone) and ``series``
    (str), and are sorted by series and time. Each row of the prepared tables is one forecast, with columns
    ``series``, ``origin``, ``lead`` and ``time``, which is the time of the target.
    """

    name: str
    title: str
    question: str
    """Question that the forecast answers, in a few sentences for the report."""
    unit: str
    """Unit of the target, such as ``% (100·Δlog close)``."""
    frequency: str
    """Frequency: ``B`` (trading days) or ``MS`` (months). A user's file may have ``D``, ``W`` or ``h``."""
    calendar: str | None
    """Exchange whose sessions are expected as dates, by its name in ``exchange_calendars``."""
    sources: tuple[str, ...]
    """Entries of ``data/catalog.yaml``."""
    columns: tuple[str, ...]
    """Value columns of the raw table."""
    leads: tuple[int, ...]
    peers: tuple[str, ...]
    """Names of the peers, those expected to be strongest first. ``base`` is added to them."""
    base: str
    """Description of the classical forecast that is tilted."""
    pool: tuple[str, ...]
    """Names of the classical models whose linear pool is the base."""
    prior: "Path | None"
    """Folder of fits of a tilt learned on other series, which is combined with the tilt of this domain.

    See :mod:`tasks.tilts.global_prior`.
    """
    returns: bool
    """Whether the target is a return or change, scored by value at risk. Otherwise it is a seasonal anomaly,
    scored by correlation."""
    state: str
    """Input column on the horizontal axis of the energy landscape."""
    state_title: str
    """Label of that axis."""
    reference: str
    """Name of the peer with which the headline of the report compares."""

    def parse(self, tables: "dict[str, pd.DataFrame]") -> "pd.DataFrame":
        """Return the raw table with columns ``time``, ``series`` and ``columns``, made from ``tables``."""
        ...

    def features(
        self,
        raw: "pd.DataFrame",
        params: "FeatureParams",
        start: "pd.Timestamp | None" = None,
        progress: "Progress" = ...,
    ) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return the tables ``(inputs, classical)`` for all origins, or for those from ``start`` on.

        ``inputs`` has the columns ``series``, ``origin``, ``lead``, ``time``, ``target`` and inputs ``x_*``,
        which use only values known at the origin. The target is NaN where it is not known yet. The last
        origin of each series is included, because the forecast is made from it. ``classical`` has the columns
        ``series``, ``origin``, ``lead``, ``model``, ``loc``, ``scale``, ``eta`` and ``lam``. Each row is the
        forecast of one classical model as a Hansen skewed t, fitted on data known at the last refit before
        the origin. The models of ``pool`` are among them.

        If the target is the anomaly of a level, ``inputs`` may have the columns ``normal``, which is the
        level less the target, ``normal_from`` and ``normal_to``. Forecasts are then shown as levels, and the
        domain has ``level_unit`` and ``lowest``, the least value of the level or None.
        """
        ...

    def regimes(self, raw: "pd.DataFrame") -> "pd.DataFrame":
        """Return a table ``time, series, regime`` of named regimes, by which data and scores are split."""
        ...

    def empirical(
        self, inputs: "pd.DataFrame", raw: "pd.DataFrame", past: "pd.DataFrame", model: str
    ) -> "np.ndarray":
        """Return a sample ``(len(inputs), size)`` of the forecast of a peer without parameters.

        ``past`` is the table ``classical`` of all origins.
        """
        ...

    def frozen_parameters(
        self, raw: "pd.DataFrame", classical: "pd.DataFrame", params: "FeatureParams"
    ) -> "dict[str, Any]":
        """Return the parameters of the classical models at their last refit, to be stored with a model.

        Only domains with ``returns`` define this method.
        """
        ...

    def forecast_frozen(
        self, raw: "pd.DataFrame", stored: "dict[str, Any]", since: "pd.Timestamp | None" = None
    ) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Return ``(inputs, classical)`` as :meth:`features` does, from the content of ``classical.json``.

        Only domains with ``returns`` define this method.
        """
        ...

    def frozen_inputs(self) -> "dict[str, Any]":
        """Return the properties that a file must share with the one for which the parameters were stored.

        Only domains with ``returns`` define this method.
        """
        ...


def require_columns(source: str, table: "pd.DataFrame", columns: tuple[str, ...]) -> None:
    """Raise ``BasinError`` if a source lacks a column, with the names of the missing columns."""
    missing = [name for name in columns if name not in table]
    if missing:
        raise BasinError(
            f"source {source}: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}; "
            "rename the file's columns or correct the source in data/catalog.yaml"
        )
