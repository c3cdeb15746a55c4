"""Result of a joint forecast of many series."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.runtime.errors import BasinError
from tasks.runtime.keywords import in_python
from tasks.userdata.forecast_result import LEVELS, TAILS, Forecast, chosen

if TYPE_CHECKING:
    from tasks.joint.ahead import Ahead


@dataclass(frozen=True, repr=False)
class JointForecast(Forecast):
    """Result of ``basin.forecast(..., jointly=True)``, the joint distribution of the next step of all series.

    It has all that a :class:`basin.Forecast` has, for each of the series. ``steps["joint"]`` has the
    portfolios, the probabilities that many series fall at once, tail dependence, the energy of the latest
    days, and the stress table.

    Examples
    --------
    >>> import basin
    >>> result = basin.forecast("stocks.csv", jointly=True)  # doctest: +SKIP
    >>> result.scenarios(10_000)  # doctest: +SKIP
    >>> result.portfolio({"AAPL": 0.5, "IBM": 0.5})["var_0.01"]  # doctest: +SKIP
    >>> result.stress({"AAPL": -5})  # doctest: +SKIP
    """

    @in_python()
    def scenarios(self, n: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """Return draws of the next returns of all series, which have the same weight.

        Parameters
        ----------
        n : int, default 10,000
            Number of draws, 2 or more. With the default, they are those of ``scenarios.parquet``.
        seed : int, default 0
            Seed of the draws.

        Returns
        -------
        DataFrame
            Returns ``(n, series)`` in ``steps["unit"]``. For prices these are 100·Δlog, so that simple
            returns are ``np.expm1(draws / 100)``.
        """
        if not n >= 2:
            raise BasinError(f"n={n!r}: expected 2 draws or more")
        model = self._model()
        return pd.DataFrame(model.draws(int(n), seed), columns=list(model.names))

    @in_python()
    def portfolio(self, weights: Any = "equal") -> pd.DataFrame:
        """Return the distribution of the next return of portfolios.

        Parameters
        ----------
        weights : "equal", str, Path, dict, Series or DataFrame
            Weights of the series, which sum to one: a dictionary or Series by the names of the series, a
            DataFrame with a column for each portfolio, or the path of such a table.

        Returns
        -------
        DataFrame
            A row for each portfolio, with ``mean``, ``sd``, quantiles such as ``q0.05``, value at risk such
            as ``var_0.01``, expected shortfall such as ``es_0.01``, probabilities of events such as
            ``P(y <= -2)``, and the probability of a loss ``P(y < 0)``, all in ``steps["unit"]``.

        Raises
        ------
        BasinError
            If the weights do not match the series, or do not sum to one.
        """
        from tasks.joint.portfolios import portfolio_returns
        from tasks.userdata.joint_paths import EVENTS, described
        from tasks.userdata.weights import matrix_of, portfolios_of

        model = self._model()
        matrix = matrix_of(portfolios_of(weights), model.names)
        draws = portfolio_returns(self.scenarios().to_numpy(), matrix.to_numpy(), model.log)
        rows = []
        for column in draws.T:
            step = described(column, EVENTS[self.steps["kind"]])
            row = {"mean": step["mean"], "sd": step["sd"], **chosen("q", step["quantiles"], LEVELS)}
            row |= chosen("var_", step["var"], TAILS) | chosen("es_", step["es"], TAILS)
            row |= {f"P(y {event})": share for event, share in step["events"].items()}
            rows.append(row | {"P(y < 0)": float((column < 0).mean())})
        return pd.DataFrame(rows, matrix.columns)

    @in_python()
    def stress(self, returns: Mapping[str, float], weights: Any = "equal") -> pd.DataFrame:
        """Return what is expected of all series and of portfolios if some series have given returns.

        Draws of the base given these returns are weighted by the energy. The effective sample size of the
        weighted draws is in ``attrs["effective_size"]``. If it is small, the numbers are rough.

        Parameters
        ----------
        returns : dict of str to float
            Returns of some of the series in ``steps["unit"]``, such as ``{"SP500": -5}``.
        weights : "equal", str, Path, dict, Series or DataFrame
            Weights of portfolios, as in :meth:`portfolio`.

        Returns
        -------
        DataFrame
            Conditional ``mean`` and quantiles ``q0.05`` and ``q0.95`` of each series and portfolio.

        Raises
        ------
        BasinError
            If a series is unknown, or all are given.
        """
        from tasks.userdata.jointly_forecast import stressed
        from tasks.userdata.weights import matrix_of, portfolios_of

        model = self._model()
        if not isinstance(returns, Mapping) or not returns:
            raise BasinError('stress: expected returns of some of the series, such as {"SP500": -5}')
        unknown = [str(name) for name in returns if name not in model.names]
        if unknown:
            raise BasinError(
                f"stress: no series {', '.join(unknown)}; expected some of {', '.join(model.names)}"
            )
        if len(returns) == len(model.names):
            raise BasinError("stress: the returns of all series are given; leave out at least one")
        wrong = [name for name, value in returns.items() if not np.isfinite(float(value))]
        if wrong:
            raise BasinError(f"stress: the return of {wrong[0]} is {returns[wrong[0]]}; expected a number")
        matrix = matrix_of(portfolios_of(weights), model.names)
        given = {name: float(value) for name, value in returns.items()}
        table, effective = stressed(model, given, matrix)
        table.attrs["effective_size"] = effective
        return table

    def _model(self) -> "Ahead":
        from tasks.joint.ahead import Ahead

        return Ahead.load(self.folder / "model")
