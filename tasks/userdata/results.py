"""What a backtest or a forecast gives back: tables to read, a picture, and the frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.reporting.tables import forecast_lines, score_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 250
"""Latest dates in the picture."""


@dataclass(frozen=True)
class Backtest:
    """``scores`` and ``forecasts`` as in its folder; ``notes`` is a sentence for each choice made."""

    folder: Path
    scores: dict[str, Any]
    forecasts: pd.DataFrame
    notes: tuple[str, ...]
    reference: str
    """The peer that pictures compare with."""

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    def summary(self) -> str:
        """The model beside its peers, one table a block of scores, and what was decided from the data."""
        parts = []
        for content in score_tables(self.scores):
            table = pd.DataFrame(content.rows, columns=list(content.columns)).set_index(content.columns[0])
            parts.append(f"{content.title}\n{table.to_string()}")
        return "\n\n".join([*parts, "\n".join(f"- {sentence}" for sentence in self.notes)])

    def plot(self) -> "Figure":
        """Above, the latest outcomes in the intervals given beforehand; below, the log score gained over the
        reference and over the base, summed over time: one crash cannot carry it unseen."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 6), layout="constrained")
        above, below = figure.subplots(2, 1)
        ours = self.forecasts[self.forecasts["model"] == "ebm"].sort_values(["series", "lead", "time"])
        first = ours[(ours["series"] == ours["series"].iloc[0]) & (ours["lead"] == ours["lead"].min())]
        latest = first.tail(SHOWN)
        above.fill_between(latest["time"], latest["q0.05"], latest["q0.95"], color="0.85", label="90 %")
        above.fill_between(latest["time"], latest["q0.25"], latest["q0.75"], color="0.7", label="50 %")
        above.plot(latest["time"], latest["observed"], ".", color="black", markersize=3, label="observed")
        above.set_ylabel(self.scores["unit"])
        above.set_title(f"{first['series'].iloc[0]}: outcomes and the intervals given before")
        for peer in (self.reference, "base"):
            theirs = self.forecasts[self.forecasts["model"] == peer]
            keys = ["series", "lead", "time"]
            both = ours.merge(theirs, on=keys, suffixes=("", "_peer"))
            gain = (both["log_density"] - both["log_density_peer"]).groupby(both["time"]).mean().cumsum()
            below.plot(gain.index, gain, label=f"over {peer}")
        below.axhline(0, color="0.6", linewidth=0.8)
        below.set_ylabel("nats, summed")
        below.set_title("Log score gained")
        for axes in (above, below):
            axes.legend(frameon=False, loc="best")
        return figure


@dataclass(frozen=True)
class Forecast:
    """The distribution of the steps after the last row, as in ``forecast.json``."""

    folder: Path
    steps: dict[str, Any]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """A line a step: both dates, mean, 90 % interval and the chances of events."""
        return "\n".join([*forecast_lines(self.steps), *(f"- {sentence}" for sentence in self.notes)])

    @property
    def quantiles(self) -> pd.DataFrame:
        """Rows ``series, time, lead``; columns the quantile levels."""
        rows = {
            (name, step["time"], step["lead"]): step["quantiles"]
            for name, part in self.steps["series"].items()
            for step in part["steps"]
        }
        return pd.DataFrame(rows).T.rename_axis(["series", "time", "lead"])

    def plot(self) -> "Figure":
        """The density of the nearest step of each series."""
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
