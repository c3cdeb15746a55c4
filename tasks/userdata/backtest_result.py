"""Results of a backtest, as tables, a picture and data frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.reporting import notebook
from tasks.reporting.tables import score_tables
from tasks.runtime.stored import Stored

if TYPE_CHECKING:
    from tasks.reporting.figures import Picture


SCORES = ("crps", "mae", "log_score", "rmse", "acc", "rpss")
"""Scores of a model that are single numbers."""


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
    >>> result.to_frame().query("lead == 1").set_index("model")["crps"]  # doctest: +SKIP
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

    def _repr_html_(self) -> str:
        tables = [notebook.table(t.title, t.columns, t.rows) for t in score_tables(self.scores)]
        return notebook.page(tables, self.notes)

    def to_frame(self) -> pd.DataFrame:
        """Return the scores, a row for each series, lead and model.

        The columns are ``series``, ``lead``, ``model``, the number of forecasts ``n``, the scores ``crps``,
        ``mae`` and ``log_score``, coverage such as ``coverage_0.9`` and, of levels, ``rmse``, ``acc`` and
        ``rpss``. The gains of ``ebm`` over the model are ``crps_gain`` and ``log_score_gain``, with their *t*
        statistics, and missing in the rows of ``ebm``. Several series also have rows of all together, whose
        series is ``pooled``. The forecasts are in ``forecasts``.
        """
        if "leads" in self.scores:
            blocks = [(self.forecasts["series"].iloc[0], self.scores)]
        else:
            blocks = [("pooled", self.scores["pooled"]), *self.scores["series"].items()]
        rows = []
        for series, block in blocks:
            for lead, part in block["leads"].items():
                for model, score in part["models"].items():
                    row = {"series": series, "lead": int(lead), "model": model, "n": part["n"]}
                    row |= {name: score[name] for name in SCORES if name in score}
                    row |= {f"coverage_{level}": share for level, share in score["coverage"].items()}
                    if gain := part["paired"].get(model):
                        row |= {"crps_gain": gain["crps"]["gain"], "crps_t": gain["crps"]["t"]}
                        row |= {"log_score_gain": gain["log_score_gain"], "log_score_t": gain["t"]}
                    rows.append(row)
        return pd.DataFrame(rows)

    def plot(self) -> "Picture":
        """Draw the forecasts of the latest dates, and the cumulative gain in log score.

        The upper axes show the latest outcomes and the intervals that were forecast for them. The lower axes
        show the gain in log score over the reference and over the base, in nats, summed over time, so that a
        gain from a single episode is visible.

        Returns
        -------
        Picture
            Figure of matplotlib, which notebooks show.
        """
        from tasks.reporting.figures import backtest_picture

        return backtest_picture(self.forecasts, self.scores["unit"], self.reference)
