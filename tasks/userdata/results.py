"""Results of a backtest or a forecast, as tables, figures and data frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.reporting.tables import forecast_lines, score_tables
from tasks.userdata.stored import Stored

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 250
"""Number of latest dates in the figure."""


@dataclass(frozen=True, repr=False)
class Backtest(Stored):
    """Result of :func:`basin.backtest`.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    scores : dict
        Content of ``scores.json``: scores of every model and paired differences. Log scores are in nats, and
        higher is better. CRPS and MAE are in ``scores["unit"]``, and lower is better.
    forecasts : DataFrame
        Content of ``forecasts.parquet``: a row for each model, series, lead and date of the test block.
    notes : tuple of str
        A sentence for each choice that was inferred from the data.
    reference : str
        Peer with which the figure compares the model.

    Examples
    --------
    >>> import basin
    >>> result = basin.backtest("prices.csv", time="date", target="close", out="out")  # doctest: +SKIP
    >>> print(result.summary())  # doctest: +SKIP
    >>> result.plot().savefig("gains.png")  # doctest: +SKIP
    """

    command = "backtest"

    folder: Path
    scores: dict[str, Any]
    forecasts: pd.DataFrame
    notes: tuple[str, ...]
    reference: str

    @property
    def report(self) -> Path:
        """Path of ``report.html``."""
        return self.folder / "report.html"

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return tables with the scores of the model and its peers, followed by the notes."""
        parts = []
        for content in score_tables(self.scores):
            table = pd.DataFrame(content.rows, columns=list(content.columns)).set_index(content.columns[0])
            parts.append(f"{content.title}\n{table.to_string()}")
        return "\n\n".join([*parts, "\n".join(f"- {sentence}" for sentence in self.notes)])

    def plot(self) -> "Figure":
        """Draw the forecasts of the latest dates, and the cumulative gain in log score.

        The upper axes show the latest outcomes and the intervals that were forecast for them. The lower axes
        show the gain in log score over the reference and over the base, in nats, summed over time, so that a
        gain from a single episode is visible.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 6), layout="constrained")
        above, below = figure.subplots(2, 1)
        ours = self.forecasts[self.forecasts["model"] == "ebm"].sort_values(["series", "lead", "time"])
        first = ours[(ours["series"] == ours["series"].iloc[0]) & (ours["lead"] == ours["lead"].min())]
        latest = first.tail(SHOWN)
        wide, narrow = "90 % interval", "50 % interval"
        above.fill_between(latest["time"], latest["q0.05"], latest["q0.95"], color="0.85", label=wide)
        above.fill_between(latest["time"], latest["q0.25"], latest["q0.75"], color="0.7", label=narrow)
        above.plot(latest["time"], latest["observed"], ".", color="black", markersize=3, label="outcome")
        above.set_ylabel(self.scores["unit"])
        above.set_title(f"{first['series'].iloc[0]}: outcomes and the intervals forecast for them")
        for peer in (self.reference, "base"):
            theirs = self.forecasts[self.forecasts["model"] == peer]
            keys = ["series", "lead", "time"]
            both = ours.merge(theirs, on=keys, suffixes=("", "_peer"))
            gain = (both["log_density"] - both["log_density_peer"]).groupby(both["time"]).mean().cumsum()
            below.plot(gain.index, gain, label=f"over {peer}")
        below.axhline(0, color="0.6", linewidth=0.8)
        below.set_ylabel("cumulative gain, nats")
        below.set_title("Gain in log score of the energy model")
        for axes in (above, below):
            axes.legend(frameon=False, loc="best")
        return figure


@dataclass(frozen=True, repr=False)
class Forecast(Stored):
    r"""Result of :func:`basin.forecast`, the forecast distributions of the steps after the last row.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    steps : dict
        Content of ``forecast.json``: for each series and step the mean, interval, quantiles and density, in
        ``steps["unit"]``, and the probabilities of events. Levels also have the anomaly and the normal, and
        their events are of the anomaly.
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
    """

    command = "forecast"

    folder: Path
    steps: dict[str, Any]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return a line for each step, with mean, 90 % interval and event probabilities, and the notes."""
        return "\n".join([*forecast_lines(self.steps), *(f"- {sentence}" for sentence in self.notes)])

    @property
    def quantiles(self) -> pd.DataFrame:
        """Quantiles in ``steps["unit"]``, indexed by ``series, time, lead``, with a column for each level."""
        rows = {
            (name, step["time"], step["lead"]): step["quantiles"]
            for name, part in self.steps["series"].items()
            for step in part["steps"]
        }
        return pd.DataFrame(rows).T.rename_axis(["series", "time", "lead"])

    def plot(self) -> "Figure":
        """Draw the density of the nearest step of each series."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        for name, part in self.steps["series"].items():
            step = part["steps"][0]
            axes.plot(step["density"]["y"], step["density"]["p"], label=f"{name}, {step['time']}")
        axes.set_xlabel(self.steps["unit"])
        axes.set_ylabel("density")
        axes.legend(frameon=False)
        return figure
