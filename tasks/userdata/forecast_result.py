"""Result of a forecast, as tables, a picture and data frames."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import floor, log10
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from tasks.reporting import notebook
from tasks.reporting.labels import text
from tasks.reporting.tables import forecast_lines
from tasks.runtime.errors import BasinError
from tasks.runtime.frequencies import stamp
from tasks.runtime.keywords import in_python
from tasks.runtime.stored import Stored
from tasks.scoring import quantiles
from tasks.userdata.forecast_record import moved_by

if TYPE_CHECKING:
    from tasks.reporting.figures import Picture

LEVELS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)
"""Levels of the quantiles in tables."""

TAILS = (0.01, 0.025, 0.05)
"""Levels of value at risk and expected shortfall in tables."""

ROWS = 60
"""Most rows of a forecast in the table of a notebook."""

INDEX = ["series", "time", "lead"]

Levels = float | Sequence[float]


@dataclass(frozen=True, repr=False)
class Forecast(Stored):
    r"""Result of :func:`basin.forecast`, the forecast distributions of the steps after the last row.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    steps : dict
        Content of ``forecast.json``: for each series and step the mean, standard deviation, quantiles and
        density, in ``steps["unit"]``, and the probabilities of events. Returns also have the value at risk
        and the expected shortfall. Levels also have the anomaly and the normal, and their events are of the
        anomaly.
    notes : tuple of str
        A sentence for each choice that was inferred from the data.

    Examples
    --------
    A forecast of one day, with the content of ``forecast.json``:

    >>> from pathlib import Path
    >>> from basin import Forecast
    >>> day = {
    ...     "time": "2024-01-03",
    ...     "lead": 1,
    ...     "mean": 0.04,
    ...     "interval_90": [-1.7, 1.6],
    ...     "quantiles": {"0.05": -1.7, "0.5": 0.06, "0.95": 1.6},
    ...     "events": {"y <= -2": 0.035},
    ...     "tilt_weight": 1.0,
    ... }
    >>> steps = {"unit": "%", "series": {"close": {"origin": "2024-01-02", "steps": [day]}}}
    >>> result = Forecast(Path("out"), steps, notes=())
    >>> print(result.summary().replace(": ", ":\n", 1))
    close:
    data to 2024-01-02, forecast for 2024-01-03: mean +0.04, 90 % within [-1.70, +1.60] %; P(y <= -2) = 3.5 %
    >>> float(result.quantiles.loc[("close", "2024-01-03", 1), "0.95"])
    1.6
    >>> result.quantile([0.05, 0.5]).to_numpy().tolist()
    [[-1.7, 0.06]]

    Tables of a forecast, and its picture:

    >>> result.to_frame()  # doctest: +SKIP
    >>> result.es(0.01)  # doctest: +SKIP
    >>> result.prices(0.05)  # doctest: +SKIP
    >>> result.plot()  # doctest: +SKIP
    """

    command = "forecast"

    folder: Path
    steps: dict[str, Any]
    notes: tuple[str, ...]
    again: Callable[..., "Forecast"] | None = field(default=None, compare=False)
    """Makes the forecast again from its data and new rows, as :meth:`refresh` does."""

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return a line for each step, with mean, 90 % interval and event probabilities, and the notes."""
        return "\n".join([*forecast_lines(self.steps), *(f"- {sentence}" for sentence in self.notes)])

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        several = frame["series"].nunique() > 1
        names = {"mean": "mean", "sd": "sd", "q0.05": "5 %", "q0.50": "median", "q0.95": "95 %"}
        names |= {"var_0.01": "VaR 1 %", "es_0.01": "ES 1 %", "value_q0.05": "5 %", "value_q0.95": "95 %"}
        names |= {column: column for column in map(str, frame) if column.startswith("P(")}
        kind = self.steps.get("kind")
        names = {c: f"{kind} {n}" if c.startswith("value_") else n for c, n in names.items() if c in frame}
        rows, frequency = [], self.steps.get("frequency", "D")
        for step in frame.head(ROWS).to_dict("records"):
            digits = {"": _digits(step["q0.95"] - step["q0.05"])}
            if "value_q0.05" in step:
                digits["value_"] = _digits(step["value_q0.95"] - step["value_q0.05"])
            values = [
                f"{text(100 * step[c], 1)} %".replace("– %", "–")
                if c.startswith("P(")
                else text(step[c], digits["value_" if c.startswith("value_") else ""])
                for c in names
            ]
            rows.append([*([step["series"]] if several else []), stamp(step["time"], frequency), *values])
        columns = [*(["series"] if several else []), "for", *names.values()]
        of = "Forecast" if several else f"{frame['series'].iloc[0]}, forecast"
        caption = ", ".join(
            filter(None, (f"{of} from {stamp(frame['origin'].max(), frequency)}", self.steps["unit"]))
        )
        more = len(frame) - len(rows)
        lines = [f"{more} more rows are in to_frame()"] if more else []
        return notebook.page([notebook.table(caption, columns, rows)], self.notes, lines)

    @in_python()
    def refresh(
        self, rows: Any, out: str | PathLike[str] | None = None, overwrite: bool = False
    ) -> "Forecast":
        """Return the forecast after new rows, with the model as it is.

        A level has no model that is kept, so its forecast is fitted again.

        Parameters
        ----------
        rows : DataFrame, Series, DataArray, Dataset, str or Path
            The rows after the last one, with the columns of the data of this forecast, or an array or dataset
            if the data are one. Dates may have another form than in the data. Rows that the data have already
            are left out. If the data are a file, give the path of the file to which the rows were added.
        out : str or Path, optional
            Folder for the results, as in :func:`basin.forecast`.
        overwrite : bool, default False
            Replace files in ``out`` that an earlier call did not write. Other files stay.

        Returns
        -------
        Forecast
            Distribution of each step after the new rows.

        Raises
        ------
        BasinError
            If the rows do not suit the data or the model, or revise rows of the data, or if the forecast was
            read from a folder.

        Examples
        --------
        >>> import basin
        >>> from arch.data import sp500
        >>> close = sp500.load()["Adj Close"]
        >>> result = basin.forecast(close[:-2])  # doctest: +SKIP
        >>> result = result.refresh(close[-2:-1])  # doctest: +SKIP
        >>> result = result.refresh(close[-1:])  # doctest: +SKIP
        """
        if self.again is None:
            raise BasinError(
                "this forecast was read from its folder, without its data; call "
                f'basin.forecast(data, model="{self.folder / "model"}") with all rows'
            )
        return self.again(self, rows, out, overwrite)

    @property
    def quantiles(self) -> pd.DataFrame:
        """Quantiles in ``steps["unit"]``, indexed by ``series, time, lead``, with a column for each level."""
        rows = {key: step["quantiles"] for key, step in self._steps()}
        return pd.DataFrame(rows).T.rename_axis(INDEX)

    @overload
    def quantile(self, level: float) -> "pd.Series[float]": ...

    @overload
    def quantile(self, level: Sequence[float]) -> pd.DataFrame: ...

    def quantile(self, level: Levels) -> "pd.Series[float] | pd.DataFrame":
        """Return the quantiles of the forecasts at any level.

        Levels of ``forecast.json`` (0.01 to 0.99 and further ones in the tails) are exact. Between them, the
        quantile is interpolated by a monotone cubic of the normal score of the level.

        Parameters
        ----------
        level : float or sequence of float
            Probabilities from 0.001 to 0.999.

        Returns
        -------
        Series or DataFrame
            Quantiles in ``steps["unit"]``, indexed by ``series, time, lead``. For several levels there is a
            column for each.

        Raises
        ------
        tasks.runtime.errors.BasinError
            For a level outside of 0.001 to 0.999.
        """
        return self._table(quantiles.quantile, level)

    @overload
    def var(self, level: float) -> "pd.Series[float]": ...

    @overload
    def var(self, level: Sequence[float]) -> pd.DataFrame: ...

    def var(self, level: Levels) -> "pd.Series[float] | pd.DataFrame":
        """Return the value at risk: the quantile of the return, which is negative for a loss.

        Parameters
        ----------
        level : float or sequence of float
            Probability of the tail, from 0.001 to 0.5. The value at risk at a confidence of 99 % has the
            level 0.01.

        Returns
        -------
        Series or DataFrame
            Values at risk in ``steps["unit"]``, as those of :meth:`quantile`.

        Raises
        ------
        tasks.runtime.errors.BasinError
            If the forecast is of levels, or for a level outside of 0.001 to 0.5.
        """
        return self._table(quantiles.value_at_risk, level)

    @overload
    def es(self, level: float) -> "pd.Series[float]": ...

    @overload
    def es(self, level: Sequence[float]) -> pd.DataFrame: ...

    def es(self, level: Levels) -> "pd.Series[float] | pd.DataFrame":
        """Return the expected shortfall: the mean of the returns below :meth:`var`, negative for a loss.

        Levels of ``forecast.json`` are exact. Between them, the quantiles from the next lower one are
        integrated.

        Parameters
        ----------
        level : float or sequence of float
            Probability of the tail, from 0.001 to 0.5.

        Returns
        -------
        Series or DataFrame
            Expected shortfalls in ``steps["unit"]``, as the quantiles of :meth:`quantile`.

        Raises
        ------
        tasks.runtime.errors.BasinError
            If the forecast is of levels, or for a level outside of 0.001 to 0.5.
        """
        return self._table(quantiles.shortfall, level)

    def prices(self, level: Levels = (0.05, 0.25, 0.5, 0.75, 0.95)) -> "pd.Series[float] | pd.DataFrame":
        """Return quantiles of the price itself, or of the rate if the forecast is of its change.

        The quantile of a price is the last price times exp(q / 100), with q the quantile of the return.

        Parameters
        ----------
        level : float or sequence of float, default (0.05, 0.25, 0.5, 0.75, 0.95)
            Probabilities from 0.001 to 0.999.

        Returns
        -------
        Series or DataFrame
            Quantiles in the unit of the file, as those of :meth:`quantile`.

        Raises
        ------
        tasks.runtime.errors.BasinError
            If the data are returns or levels, or for a level outside of 0.001 to 0.999.
        """
        kind = self.steps.get("kind")
        if kind not in ("price", "rate"):
            raise BasinError(
                "prices() is for forecasts of prices and rates, and this one is of kind "
                f"{kind or 'unknown'}; use quantile()"
            )
        table = self._table(quantiles.quantile, level)
        last = {name: part["history"]["value"][-1] for name, part in self.steps["series"].items()}
        origins = np.array([last[name] for name in table.index.get_level_values("series")])
        values = table.to_numpy()
        moved = moved_by(kind, origins if values.ndim == 1 else origins[:, None], values)
        if isinstance(table, pd.Series):
            return pd.Series(moved, table.index, name=table.name)
        return pd.DataFrame(moved, table.index, table.columns)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each series and step, which is also the content of ``forecast.csv``.

        The columns are ``series``, ``origin``, ``time``, ``lead``, ``mean``, ``sd``, quantiles such as
        ``q0.05``, and probabilities of events such as ``P(y <= -2)``. Returns also have ``var_0.01`` and
        ``es_0.01``, prices and rates quantiles of the value itself such as ``value_q0.05``, and levels the
        mean ``anomaly`` and the ``normal``.
        """
        rows = []
        for (name, _, _), step in self._steps():
            row = {"series": name, "origin": pd.Timestamp(self.steps["series"][name]["origin"])}
            row |= {"time": pd.Timestamp(step["time"])}
            row |= {entry: step[entry] for entry in ("lead", "mean", "sd") if entry in step}
            if "anomaly" in step:
                row |= {"anomaly": step["anomaly"]["mean"], "normal": step["normal"]}
            row |= chosen("q", step["quantiles"], LEVELS)
            for entry in ("var", "es"):
                row |= chosen(f"{entry}_", step.get(entry, {}), TAILS)
            row |= chosen("value_q", step.get("value", {}).get("quantiles", {}), LEVELS)
            of = "anomaly" if "anomaly" in step else "y"
            row |= {f"P({of} {event})": chance for event, chance in step["events"].items()}
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def params(self) -> pd.DataFrame:
        """Parameters of the classical fits of returns: ``value``, ``std_error`` and ``converged``.

        The index is ``series, model, parameter``. Parameters of volatility models have the names of the
        package ``arch``, with robust standard errors. ``converged`` is missing where the optimiser does not
        say.

        Raises
        ------
        tasks.runtime.errors.BasinError
            If the forecast is of levels or of several steps, which have no such fits.
        """
        if not any("fits" in part for part in self.steps["series"].values()):
            raise BasinError(
                "params has the classical fits of a price, return or rate one step ahead; forecasts of "
                "levels and of several steps have none"
            )
        rows = {
            (name, model, parameter): {
                "value": value,
                "std_error": (fit.get("std_errors") or {}).get(parameter),
                "converged": fit.get("converged"),
            }
            for name, part in self.steps["series"].items()
            for model, fit in part.get("fits", {}).items()
            for parameter, value in fit["params"].items()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["series", "model", "parameter"])
        frame = pd.DataFrame(list(rows.values()), index, ["value", "std_error", "converged"])
        return frame.astype({"value": float, "std_error": float, "converged": "boolean"})

    def plot(self) -> "Picture":
        """Draw the latest values with the intervals forecast after them, and the density of a single step.

        Returns
        -------
        Picture
            Figure of matplotlib, which notebooks show.
        """
        from tasks.reporting.figures import forecast_picture

        return forecast_picture(self.steps)

    def _steps(self) -> "Iterator[tuple[tuple[str, str, int], dict[str, Any]]]":
        """Yield the series, time and lead of each step, and the step."""
        for name, part in self.steps["series"].items():
            for step in part["steps"]:
                yield (name, step["time"], step["lead"]), step

    def _table(
        self, of: Callable[[dict[str, Any], Sequence[float]], np.ndarray], level: Levels
    ) -> "pd.Series[float] | pd.DataFrame":
        try:
            levels = [float(each) for each in np.atleast_1d(level)]
        except (TypeError, ValueError):
            levels = []
        if not levels:
            raise BasinError(f"level {level!r}: expected numbers from 0.001 to 0.999")
        rows = {key: of(step, levels) for key, step in self._steps()}
        index = pd.MultiIndex.from_tuples(rows, names=INDEX)
        frame = pd.DataFrame(list(rows.values()), index, levels)
        return frame[levels[0]] if np.ndim(level) == 0 else frame


def _digits(width: float) -> int:
    """Return the decimals that show an interval of a width to three significant digits, 2 or more."""
    return 2 if width <= 0 else max(2, 2 - floor(log10(width)))


def chosen(prefix: str, values: dict[str, float], levels: Sequence[float]) -> dict[str, float]:
    """Return the values of some of the levels, with a column name for each."""
    keys = [quantiles.key(level) for level in levels]
    return {f"{prefix}{key}": values[key] for key in keys if key in values}
