"""Forecasts of several steps of one or many prices or rates, as joint sample paths."""

from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from safetensors.torch import load_file, save_file
from scipy import stats

from tasks.forecasters import sample_paths
from tasks.reporting.labels import listed, periods
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json, write_json
from tasks.runtime.frequencies import stamp
from tasks.runtime.parallel import Progress, silent
from tasks.scoring.predictive import from_sample, monte_carlo_error
from tasks.scoring.quantiles import LEVELS, RISK_LEVELS, entries, risks
from tasks.scoring.summary import summarise
from tasks.tilts.sample_paths import PARAMS, PathTilt, fit_path_tilt, untrained
from tasks.userdata.reading import Reading
from tasks.userdata.request import Request
from tasks.userdata.time_of_day import bars

SAMPLES = 2000
"""Paths drawn for each window and model."""

SUPPORT = 10
"""Paths below a quantile, with fewer of which a note says that it is rough."""

FEWEST = 800
"""Least number of rows before the first window, on which the tilt is trained."""

EVENTS = {
    "price": ("<= -10", "<= -5", "<= -2"),
    "return": ("<= -10", "<= -5", "<= -2"),
    "rate": ("<= 0",),
}
"""Moves from the origin whose probability a forecast states if no events are given, in its unit, by kind."""


@dataclass(frozen=True)
class OwnPaths:
    """Fields of a ``tasks.domains.domain.Domain`` that scores and reports use."""

    name: str
    title: str
    question: str
    unit: str
    frequency: str
    leads: tuple[int, ...]
    kind: str
    peers: tuple[str, ...] = tuple(sample_paths.PEERS)
    reference: str = "random-walk-bootstrap"
    base: str = (
        "filtered joint bootstrap: past moves divided by their volatility, each also with its sign reversed"
    )
    returns: bool = True
    sources: tuple[str, ...] = ()


def domain_of(reading: Reading, request: Request, name: str) -> OwnPaths:
    unit = "% from the origin (100·Δlog)" if reading.kind == "price" else "change from the origin"
    ahead = periods(reading.freq, max(request.leads))
    return OwnPaths(
        name,
        f"{name}: the next {ahead}",
        f"How will the series move together over the next {ahead}? The forecast is a set of joint sample "
        "paths. They also give the probabilities of sums, extremes and drawdowns.",
        unit,
        reading.freq,
        request.leads,
        reading.kind,
    )


class History(NamedTuple):
    """Dates on which every series has a value, the names of the series, and values ``(dates, series)``."""

    times: pd.DatetimeIndex
    names: list[str]
    values: np.ndarray


def together(reading: Reading, notes: list[str]) -> History:
    """Return the rows on which every series has a value, with a note on the dates that are left out."""
    wide = reading.table.pivot(index="time", columns="series", values="close")
    wide = wide[list(reading.table["series"].unique())]
    whole_rows = wide.dropna()
    if len(whole_rows) < len(wide):
        notes.append(f"{len(wide) - len(whole_rows)} dates are left out because a series has no value there")
    names = list(map(str, whole_rows.columns))
    return History(pd.DatetimeIndex(whole_rows.index), names, whole_rows.to_numpy(float))


def windows(times: pd.DatetimeIndex, request: Request, notes: list[str]) -> list[int]:
    """Return the first row of each test window.

    The windows do not overlap. Choices are added to ``notes``. Raises ``BasinError`` if there are too few
    dates for one window or for training.
    """
    horizon, end = max(request.leads), len(times)
    if request.test_to:
        end = int(times.searchsorted(pd.Timestamp(request.test_to) + pd.Timedelta(days=1)))
    start = int(0.8 * end)
    if request.test_from:
        start = int(times.searchsorted(pd.Timestamp(request.test_from)))
    else:
        notes.append("test block: the last 20 % of the dates")
    if request.dev and start < end:
        length = min(end - start, int(0.4 * start))
        notes.append(
            f"dev: rows from {stamp(times[start])} on are not read; the test block ends before that date"
        )
        start, end = start - length, start
    starts = list(range(start, end - horizon + 1, horizon))
    if not starts:
        raise BasinError(
            f"the test block has {end - start} dates, fewer than the horizon of {horizon} steps; give an "
            "earlier --test-from or a shorter --horizon"
        )
    needed = FEWEST + 2 * horizon
    if start < needed:
        later = "a later --test-from, " if end - horizon >= needed else ""
        raise BasinError(
            f"the data have {start} dates before the test block, but sample paths of {horizon} steps need "
            f"{needed}; give {later}a longer history or a shorter --horizon"
        )
    notes.append(
        f"the test block has {len(starts)} windows of {horizon} steps that do not overlap, from "
        f"{stamp(times[starts[0]])} to {stamp(times[starts[-1] + horizon - 1])}; the tilt is trained on "
        "the dates before the first window"
    )
    return starts


def moved(reading: Reading, path: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the change of each path since its origin: 100·Δlog of prices, differences of other kinds."""
    if reading.kind == "price":
        move: np.ndarray = 100 * np.log(path / origin)
        return move
    return path - origin


def evaluate_paths(
    reading: Reading,
    history: History,
    starts: list[int],
    domain: OwnPaths,
    notes: list[str],
    progress: Progress,
) -> tuple[pd.DataFrame, dict[str, Any], PathTilt]:
    """Return ``(forecasts, scores, tilt)``, with every model on the windows that begin at ``starts``."""
    times, names, values = history
    horizon = max(domain.leads)
    kind: sample_paths.Kind = "price" if reading.kind == "price" else "level"
    table = bars(times, values, kind, reading.freq, reading.calendar)
    tilt, evidence = fit_path_tilt(table.even[: starts[0]], horizon, seed=0, kind=kind)
    notes.append(_about_tilt(tilt.weight, evidence))
    drawn: dict[str, list[np.ndarray]] = {}
    losses: dict[str, list[sample_paths.PathLoss]] = {}
    halves = []
    normaliser = 0.0
    for done, start in enumerate(starts):
        progress("windows", done, len(starts))
        known, truth = table.even[:start], values[start : start + horizon]
        sample, plain, tilted, half = tilt.sample(known, horizon, SAMPLES, seed=start)
        halves.append(half)
        normaliser = max(normaliser, float(tilted.log_z_error))
        samples = {"ebm": sample, "base": plain}
        for model, peer in sample_paths.PEERS.items():
            rng = np.random.default_rng([start, 1])
            samples[model] = peer(known, horizon, SAMPLES, rng, kind=kind)
        for model, path in samples.items():
            wide = table.widened(path, start - 1)
            drawn.setdefault(model, []).append(moved(reading, wide, values[start - 1]).astype(np.float32))
            losses.setdefault(model, []).append(sample_paths.path_loss(wide, truth))
    progress("windows", len(starts), len(starts))
    observed = np.stack([moved(reading, values[s : s + horizon], values[s - 1]) for s in starts])
    parts = []
    for done, (model, found) in enumerate(drawn.items()):
        progress("quantiles and scores", done, len(drawn))
        pairs = np.stack(halves) if model == "ebm" else None
        parts.append(_rows(model, np.stack(found), pairs, observed, names, times, starts, domain))
    forecasts = pd.concat(parts, ignore_index=True)
    scores = summarise(domain, forecasts)
    scores["normaliser_error"] = normaliser
    scores["chosen"] = {
        "base": domain.base,
        "capacity": {"final": PARAMS.hidden},
        "weights": {"final": {str(lead): tilt.weight for lead in domain.leads}},
    }
    scores["joint"] = _joint(losses)
    return forecasts.drop(columns="monte_carlo"), scores, tilt


def _about_tilt(weight: float, evidence: dict[str, Any]) -> str:
    gain, error = evidence["gain"], evidence["se"]
    if not np.isfinite(error):
        return "there are too few dates to evaluate the joint tilt, so the forecast is the base's paths"
    verdict = "so it is used" if weight else "which is too little, so the forecast is the base's paths"
    return (
        f"the joint tilt gained {gain:+.3f} ± {error:.3f} nats a path on later dates than it was trained on, "
        f"{verdict}"
    )


def _rows(
    model: str,
    drawn: np.ndarray,
    halves: np.ndarray | None,
    observed: np.ndarray,
    names: list[str],
    times: pd.DatetimeIndex,
    starts: list[int],
    domain: OwnPaths,
) -> pd.DataFrame:
    """Return rows of ``forecasts.parquet`` from samples ``(windows, samples, horizon, series)``.

    ``halves`` ``(windows, samples)`` are the independent halves of the samples, by default every other draw.
    The column ``monte_carlo`` holds the Monte Carlo error of each log density, and is not stored.
    """
    parts = []
    for i, name in enumerate(names):
        for lead in domain.leads:
            truth = observed[:, lead - 1, i]
            keys = pd.DataFrame(
                {
                    "series": name,
                    "origin": [times[s - 1] for s in starts],
                    "lead": lead,
                    "time": [times[s + lead - 1] for s in starts],
                    "target": truth,
                }
            )
            sample = drawn[:, :, lead - 1, i].astype(float)
            error = monte_carlo_error(sample, truth, halves)
            parts.append(from_sample(sample, truth).table(keys, model).assign(monte_carlo=error))
    return pd.concat(parts, ignore_index=True)


def _joint(losses: dict[str, list[sample_paths.PathLoss]]) -> dict[str, Any]:
    """Return CRPS and CRPS_sum as GluonTS defines them, and gains with a block bootstrap over windows."""
    paired = {}
    for model in losses:
        if model == "ebm":
            continue
        rng = np.random.default_rng(0)
        paired[model] = {
            name: sample_paths.paired_bootstrap(
                np.array([getattr(w, field) for w in losses["ebm"]]),
                np.array([getattr(w, field) for w in losses[model]]),
                rng,
            )
            for name, field in (("crps", "loss"), ("crps_sum", "sum_loss"))
        }
    return {"models": {m: sample_paths.pooled_scores(found) for m, found in losses.items()}, "paired": paired}


def save_tilt(folder: Path, tilt: PathTilt) -> None:
    """Write ``model.safetensors`` and ``config.json`` of a joint tilt."""
    folder.mkdir(parents=True)
    state = {name: p.detach().float().contiguous() for name, p in tilt.energy.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    write_json(
        folder / "config.json",
        {"kind": tilt.kind, "weight": tilt.weight, "volatility": asdict(tilt.volatility), "joint": True},
    )


def load_tilt(folder: Path, kind: str) -> PathTilt:
    """Return the tilt that :func:`save_tilt` wrote.

    Raises ``BasinError`` for a folder of another model, or of one for series of another ``kind``.
    """
    config = read_json(folder / "config.json")
    if not config.get("joint"):
        raise BasinError(
            f"--model {quote(str(folder))} is not a model of joint paths; omit --model or --horizon"
        )
    if (config["kind"] == "price") != (kind == "price"):
        of = "prices" if config["kind"] == "price" else "rates"
        raise BasinError(
            f"--model {quote(str(folder))} was fitted to {of}, and the kind of the values is {kind}; omit "
            "--model to fit a new one"
        )
    energy = untrained(seed=0)
    energy.load_state_dict(load_file(folder / "model.safetensors"))
    return PathTilt(
        energy.double(), config["kind"], sample_paths.Volatility(**config["volatility"]), config["weight"]
    )


def forecast_paths(
    reading: Reading,
    history: History,
    request: Request,
    tilt: PathTilt | None,
    out: Path,
    notes: list[str],
    progress: Progress = silent,
) -> dict[str, Any]:
    """Forecast the steps after the last row, return the content of ``forecast.json``, and write the paths.

    ``paths.parquet`` has the columns ``sample`` and ``step``, and a column for each series.
    """
    times, names, values = history
    horizon = max(request.leads)
    kind: sample_paths.Kind = "price" if reading.kind == "price" else "level"
    needed = FEWEST + 2 * horizon
    if len(values) < needed:
        raise BasinError(
            f"the data have {len(values)} dates on which all series have values, but sample paths of "
            f"{horizon} steps need {needed}; give a longer history or a shorter --horizon"
        )
    table = bars(times, values, kind, reading.freq, reading.calendar)
    fitted = tilt or fit_path_tilt(table.even, horizon, seed=0, kind=kind)[0]
    path, _, _, _ = fitted.sample(table.even, horizon, SAMPLES, seed=len(values))
    path = table.widened(path, len(values) - 1)
    domain = domain_of(reading, request, "forecast")
    moves = moved(reading, path, values[-1])
    ahead = reading.calendar.following(times[-1], horizon)
    series = {}
    events = {n: request.thresholds(n) if request.events else EVENTS[reading.kind] for n in request.leads}
    for i, name in enumerate(names):
        progress("quantiles and densities", i, len(names))
        steps = [
            {
                "time": stamp(ahead[lead - 1], reading.freq),
                "lead": lead,
                "tilt_weight": fitted.weight,
                **described(moves[:, lead - 1, i], events[lead]),
            }
            for lead in request.leads
        ]
        series[name] = {
            "origin": stamp(times[-1], reading.freq),
            "steps": steps,
            "variance": _variance(moves[:, :, i]),
        }
    notes += about_paths()
    found = {"unit": domain.unit, "series": series}
    long = pd.DataFrame(
        path.reshape(len(path) * horizon, len(names)),
        columns=names,
        index=pd.MultiIndex.from_product([range(len(path)), range(1, horizon + 1)], names=["sample", "step"]),
    )
    long.reset_index().to_parquet(out / "paths.parquet", index=False)
    if tilt is None:
        save_tilt(out / "model", fitted)
    return found


def about_paths() -> list[str]:
    """Return sentences on how exact sample paths are, and how they differ from a forecast of one step."""
    rare = [level for level in RISK_LEVELS if level * SAMPLES < SUPPORT]
    return [
        f"{SAMPLES:,} sample paths, drawn in mirrored pairs by the filtered joint bootstrap; a forecast of "
        "one step has another base and differs from the first step of these paths",
        f"var and es at {listed(f'{100 * level:g}' for level in rare)} % rest on fewer than {SUPPORT} of the "
        "paths and are rough",
    ]


def _variance(moves: np.ndarray) -> dict[str, list[float]]:
    """Return the variances of the move of each step alone and of the sum of the moves up to it.

    ``moves`` ``(samples, horizon)`` are the moves from the origin.
    """
    alone = np.diff(moves, axis=1, prepend=0.0)
    return {"step": alone.var(axis=0, ddof=1).tolist(), "sum": moves.var(axis=0, ddof=1).tolist()}


def described(sample: np.ndarray, events: tuple[str, ...]) -> dict[str, Any]:
    """Return the entries of ``forecast.json`` of a sample of one step."""
    values = np.quantile(sample, LEVELS)
    mean, sd = float(sample.mean()), float(sample.std(ddof=1))
    # Mean and median of mirrored paths are 0 up to rounding.
    values[np.abs(values) < 1e-12 * sd] = 0
    mean = 0.0 if abs(mean) < 1e-12 * sd else mean
    table = entries(values)
    at = np.quantile(sample, RISK_LEVELS)
    # Rockafellar and Uryasev (2000): the mean of the values below q is q − E[max(q − Y, 0)] / level.
    shortfalls = at - np.maximum(at[:, None] - sample, 0).mean(axis=1) / RISK_LEVELS
    grid = np.linspace(values[0], values[-1], 161)
    density = stats.gaussian_kde(sample)(grid) if np.ptp(sample) else np.zeros_like(grid)
    return {
        "mean": mean,
        "sd": sd,
        **table,
        **risks(table["quantiles"], shortfalls),
        "events": {event: _share(sample, event) for event in events},
        "density": {"y": grid.tolist(), "p": density.tolist()},
    }


def _share(sample: np.ndarray, event: str) -> float:
    """Return the share of a sample on which an event, such as ``<= -2``, occurs."""
    sign, edge = event.split()
    return float((sample <= float(edge)).mean() if sign == "<=" else (sample >= float(edge)).mean())
