"""``basin alarm``: the probability of an event at each date, and alarms within a budget of false alarms."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from tasks.events import scores, simulation, tilt
from tasks.events.event import Event
from tasks.reporting import notebook
from tasks.reporting.labels import count_of
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, write_json
from tasks.runtime.frequencies import stamp
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.stored import Stored
from tasks.userdata.alarm_page import alarm_kinds, alarm_page
from tasks.userdata.alarm_rows import rows_used
from tasks.userdata.progress import expected_alarm_seconds
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request

if TYPE_CHECKING:
    from tasks.reporting.figures import Picture

RESULTS = ("alarm.json", "alarm.parquet", "alarm.png", "report.html")
"""Files that :func:`alarm` writes."""

TEST_SHARE = 0.5
"""Share of the rows with a probability that are tested, the latest ones, if no test block is given."""

FEWEST_PAST = 250
"""Dates with a known outcome before a year that are needed for its threshold."""

OWN_MODELS = 4
"""Models of an alarm. Each input is a further one."""

SCORES = ("auroc", "ap", "brier_skill", "calm_auroc")
"""Scores in the table of a result."""

NO_EVENT = "no event in the test block"
"""Statement in place of the scores, which then mean nothing."""

SEED = 0


@dataclass(frozen=True, repr=False)
class Alarm(Stored):
    """Result of :func:`basin.alarm`.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    found : dict
        Content of ``alarm.json``: scores of the probabilities, events caught and missed, false alarms, and
        the probability and alarm at the last date.
    history : DataFrame
        Content of ``alarm.parquet``, a row for each date from the first tested one on, with the columns
        ``time``, ``probability``, ``threshold``, ``alarm`` and ``label``. The label is true if the event
        followed, and missing on the last dates, where that is not yet known.
    notes : tuple of str
        A sentence for each choice that was inferred from the data.

    Examples
    --------
    >>> import basin
    >>> result = basin.alarm(
    ...     "prices.csv", time="date", target="close", event="min<=-0.08@21", out="out"
    ... )  # doctest: +SKIP
    >>> result.found["today"]["probability"]  # doctest: +SKIP
    >>> result.to_frame().query("alarm")  # doctest: +SKIP
    >>> result.plot().savefig("alarms.png")  # doctest: +SKIP
    """

    command = "alarm"

    folder: Path
    found: dict[str, Any]
    history: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return the scores of all models, the numbers of events caught and missed, and the latest alarm."""
        rows = self._rows()
        table = [pd.DataFrame(rows, index=list(SCORES)).T.to_string()] if rows else []
        notes = (f"- {sentence}" for sentence in self.notes)
        return "\n".join([self._tested(), *table, *self._alarms(), *notes])

    def _repr_html_(self) -> str:
        rows = [[model, *cells] for model, cells in self._rows().items()]
        if not rows:
            return notebook.page([], self.notes, (self._tested(), *self._alarms()))
        table = notebook.table(self._tested(), ["model", *SCORES], rows)
        return notebook.page([table], self.notes, self._alarms())

    def _rows(self) -> dict[str, list[str]]:
        """Return the scores of each model with their intervals, as text, or nothing without an event."""
        if not self.found["episodes"]:
            return {}
        return {
            model: [
                f"{scores[n]:.3f} [{scores[f'{n}_interval'][0]:.3f}, {scores[f'{n}_interval'][1]:.3f}]"
                if scores[n] is not None
                else "-"
                for n in SCORES
            ]
            for model, scores in self.found["models"].items()
        }

    def _tested(self) -> str:
        found = self.found
        block = f"{found['event']}: tested from {found['test'][0]} to {found['test'][1]}, "
        if not found["episodes"]:
            return block + NO_EVENT
        return block + f"{count_of(found['episodes'], 'event')}, base rate {found['base_rate']:.3f}"

    def _alarms(self) -> tuple[str, str]:
        """Return a sentence on the alarms of the test block and one on the last date."""
        found, today = self.found, self.found["today"]
        return (
            f"alarms: {count_of(len(found['caught']), 'event')} caught, {len(found['missed'])} missed, "
            f"{found['false_alarms_per_year']:.2f} false alarms a year, alarms on "
            f"{100 * found['alarm_days']:.0f} % of the dates",
            f"{today['date']}: probability {today['probability']:.3f}: "
            + ("ALARM" if today["alarm"] else "no alarm")
            + (f", threshold {today['threshold']:.3f}" if today["threshold"] is not None else ""),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each date from the first tested one on, a copy of ``history``."""
        return self.history.copy()

    def plot(self) -> "Picture":
        """Draw probability and threshold by date, alarms as red dots and dates before an event shaded."""
        from tasks.reporting.figures import alarm_picture

        kinds = alarm_kinds(self.history, self.found["false_alarms"])
        return alarm_picture(self.history, self.found["event"], kinds)


def alarm(
    reading: Reading,
    request: Request,
    name: str,
    event: Event,
    text: str,
    budget: float,
    out: Path,
    progress: Progress = silent,
) -> Alarm:
    """Write ``alarm.json``, ``alarm.parquet``, ``alarm.png`` and ``report.html`` in the folder ``out``.

    No probability uses later data. Models and thresholds are refitted on the first row of each year, on
    outcomes that were known by then.

    Raises
    ------
    BasinError
        If there are too few rows.
    """
    notes = list(reading.notes)
    table = rows_used(reading, request, event)
    if request.dev:
        notes.append(f"dev: rows from {request.test_from} on are not read")
    times, close = table["time"], table["close"].to_numpy(float)
    dated = partial(stamp, step=reading.freq)
    years = times.dt.year.to_numpy()
    exog = {name: table[name].to_numpy(float) for name in reading.exog}
    found = simulation.origins(close, event, years, exog, SEED, progress)
    start = int(np.flatnonzero(np.isfinite(found.probability))[0])
    ours, used = tilt.tilted(found, event.steps, years)
    models = {"ebm": ours, "base": found.probability}
    models["gjr-filtered-simulation"] = special.expit(found.plain[:, simulation.EXACT])
    for column, values in exog.items():
        level = np.log(values) if (values > 0).all() else values
        models[column] = simulation.logit(found, pd.DataFrame({column: level}), years, start)
    models["logit"] = simulation.logit(found, found.inputs, years, start)
    first = _first_tested(times, request, start, dated, notes)
    running = simulation.running_rate(found, event.steps)
    tested = np.arange(first, len(close) - event.steps)
    if len(tested) < 2 * event.steps:
        given = request.test_from and not request.dev
        raise BasinError(
            f"{len(tested)} rows to test on from {dated(times[first])}, expected at least {2 * event.steps}; "
            + ("give an earlier --test-from" if given else "give a longer history")
            + ", or an event over fewer steps"
        )
    calm = _calm(close)
    label, reached = found.label, event.reached(close)
    models = {model: np.where(np.isfinite(p), p, running) for model, p in models.items()}
    part = {model: p[tested] for model, p in models.items()}
    scored, gains = _scored(part, label[tested], running[tested], calm[tested], progress)
    if not label[tested].any():
        notes.append(f"{NO_EVENT}, so the probabilities have no scores")
    outcome = {}
    for done, (model, p) in enumerate(models.items()):
        progress("thresholds", done, len(models))
        outcome[model] = _alarms(p, reached, times, start, event.steps, budget, tested, dated)
    history = {model: part.pop("history") for model, part in outcome.items()}["ebm"]
    history["label"] = pd.array(reached > 0, dtype="boolean")
    history.loc[(history.index > tested[-1]) & (reached == 0), "label"] = pd.NA
    today = history.iloc[-1]
    if history.loc[tested, "threshold"].eq(np.inf).all():
        notes.append(
            "there are no alarms, because no year of the test block has a threshold: it needs "
            f"{FEWEST_PAST} dates with a known outcome in earlier years, and among them an event that an "
            "alarm within the budget would have preceded"
        )
    result = {
        "event": text,
        "test": [dated(times[first]), dated(times[tested[-1]])],
        "models": scored,
        "paired": gains,
        "budget": budget,
        **outcome["ebm"],
        "peers": {model: part for model, part in outcome.items() if model != "ebm"},
        "base_rate": float(label[tested].mean()),
        "episodes": len(scores.events(reached[tested], event.steps)),
        "tilt": {str(year): coefficients for year, coefficients in used.items()},
        "today": {
            "date": dated(today["time"]),
            "probability": float(today["probability"]),
            "threshold": _number(float(today["threshold"])),
            "alarm": bool(today["alarm"]),
        },
        "notes": notes,
    }
    answer = Alarm(out, result, history[history["time"] >= times[first]].reset_index(drop=True), tuple(notes))
    with atomic_write(*(out / name for name in RESULTS)) as (first_path, second, picture, page):
        write_json(first_path, result)
        page.write_text(alarm_page(name, result, answer.history, notes), encoding="utf-8")
        answer.history.to_parquet(second, index=False)
        picture.write_bytes(answer.plot().png())
    return answer


def expected_seconds(reading: Reading, request: Request, event: Event) -> float:
    """Return about how long :func:`alarm` takes on this machine, or raise ``BasinError`` as it does."""
    years = rows_used(reading, request, event)["time"].dt.year.to_numpy()
    simulated, models = simulation.simulated_years(years), OWN_MODELS + len(reading.exog)
    return expected_alarm_seconds(len(simulated), event.steps, models)


def _scored(
    models: dict[str, np.ndarray],
    label: np.ndarray,
    running: np.ndarray,
    calm: np.ndarray,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores of each model with their intervals, and the intervals of the gains over the others.

    All are None without an event, where a probability of 0 would be perfect.
    """
    number = _number if label.any() else lambda value: None
    inside, gains = scores.intervals(models, label, running, calm, SEED, progress)
    scored = {}
    for model, probability in models.items():
        measured = scores.scores(probability, label, running, calm)
        scored[model] = {
            **{key: number(value) for key, value in measured.items()},
            **{f"{key}_interval": [number(v) for v in ends] for key, ends in inside[model].items()},
        }
    paired = {
        model: {key: [number(v) for v in ends] for key, ends in gain.items()} for model, gain in gains.items()
    }
    return scored, paired


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _first_tested(
    times: pd.Series, request: Request, start: int, dated: Callable[[pd.Timestamp], str], notes: list[str]
) -> int:
    if request.test_from and not request.dev:
        first = int(np.searchsorted(times.to_numpy(), np.datetime64(request.test_from)))
        if first < start:
            raise BasinError(
                f"--test-from {request.test_from} is before {dated(times[start])}, the first date with a "
                "simulation; give a later date or a longer history"
            )
        return min(first, len(times) - 1)
    first = start + int((1 - TEST_SHARE) * (len(times) - start))
    notes.append(f"test block: from {dated(times[first])}, the later half of the dates with a probability")
    return first


def _calm(close: np.ndarray) -> np.ndarray:
    """Return which rows have a volatility over the last 22 returns below its median up to that row."""
    returns = pd.Series(np.append(np.nan, np.diff(np.log(close))))
    volatility = (returns**2).rolling(22).mean()
    calm: np.ndarray = (volatility < volatility.expanding().median()).to_numpy()
    return calm


def _alarms(
    probability: np.ndarray,
    reached: np.ndarray,
    times: pd.Series,
    start: int,
    steps: int,
    budget: float,
    tested: np.ndarray,
    dated: Callable[[pd.Timestamp], str],
) -> dict[str, Any]:
    """Set the threshold of each year from the years before it, and count the alarms of the test block."""
    years = times.dt.year.to_numpy()
    level = np.full(len(years), np.inf)
    for year in np.unique(years[start:]):
        now = np.flatnonzero(years == year)
        past = np.arange(start, max(start, now[0] - steps))
        if len(past) > FEWEST_PAST:
            length = len(past) / (len(years) / max(1e-9, (times.iloc[-1] - times.iloc[0]).days / scores.YEAR))
            level[now] = scores.threshold(probability[past], reached[past], steps, length, budget)
    alarm = probability >= level
    hit, missed = scores.caught(alarm[tested], reached[tested], steps)
    span = (times[tested[-1]] - times[tested[0]]).days / scores.YEAR
    wrong = scores.false_alarms(alarm[tested], reached[tested] > 0)

    def day(row: int) -> str:
        """Return the date that is ``row`` rows after the first tested one."""
        return dated(times.iloc[int(tested[0]) + row])

    return {
        "false_alarms_per_year": len(wrong) / span,
        "false_alarms": [{"from": day(first), "to": day(last)} for first, last in wrong],
        "alarm_days": float(alarm[tested].mean()),
        "caught": [{"event": day(row), "date": day(first), "lead": row - first} for first, row in hit],
        "missed": [{"event": day(row)} for row in missed],
        "history": pd.DataFrame(
            {"time": times, "probability": probability, "threshold": level, "alarm": alarm}
        ),
    }
