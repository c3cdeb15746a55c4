"""Backtest and forecast of joint sample paths of a user's file."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from tasks.runtime.errors import BasinError
from tasks.runtime.files import without_nan, write_json
from tasks.userdata.backtest_result import Backtest
from tasks.userdata.joint_paths import (
    domain_of,
    evaluate_paths,
    forecast_paths,
    load_tilt,
    save_tilt,
    together,
    windows,
)
from tasks.userdata.joint_paths_page import write_report
from tasks.userdata.progress import Stages, expected_paths_seconds
from tasks.userdata.reading import Reading, compounded
from tasks.userdata.request import Request
from tasks.userdata.result_files import write_backtest


def for_paths(reading: Reading, request: Request) -> Reading:
    """Return the data for sample paths, which use the values of the series alone."""
    if request.exog:
        raise BasinError(
            f"--exog {quote(request.exog[0])}: forecasts of a {reading.kind} more than one step ahead use "
            "the series alone; omit --exog, or omit --horizon and --leads to forecast one step"
        )
    taken = sorted({"sample", "step"} & set(reading.table["series"].astype(str)))
    if taken:
        raise BasinError(
            f"the series {taken[0]} has the name of a column of paths.parquet; rename it, or omit --horizon"
        )
    reading = compounded(reading)
    if not reading.ohlc:
        return reading
    note = "open, high and low are not used for several steps ahead"
    kept = [
        sentence for sentence in reading.notes if not sentence.startswith("the columns open, high and low")
    ]
    return replace(reading, notes=(*kept, note))


def backtest_paths(
    reading: Reading, request: Request, name: str, out: Path, work: Path, stages: Stages
) -> Backtest:
    domain, notes = domain_of(reading, request, name), list(reading.notes)
    history = together(reading, notes)
    starts = windows(history.times, request, notes)
    stages.expect(expected_paths_seconds(starts[0], len(history.names), len(request.leads), len(starts)))
    found: list[Any] = []
    stages(
        "evaluate",
        lambda progress: found.extend(evaluate_paths(reading, history, starts, domain, notes, progress)),
    )
    forecasts, scores, tilt = found
    scores = without_nan(scores) | {"reference": domain.reference, "notes": notes}
    write_json(work / "scores.json", scores)
    forecasts.to_parquet(work / "forecasts.parquet", index=False)
    write_backtest(work, forecasts)
    save_tilt(work / "model", tilt)
    stages("report", lambda _: write_report(work / "report.html", domain, scores, forecasts, notes))
    return Backtest(out, scores, forecasts, tuple(notes), domain.reference)


def paths_ahead(
    reading: Reading, request: Request, work: Path, model: Path | None, stages: Stages
) -> tuple[dict[str, Any], tuple[str, ...]]:
    notes, found = list(reading.notes), {}
    tilt = None if model is None else load_tilt(model, reading.kind)
    if tilt is not None:
        notes.append("the tilt is that of the stored model and was not fitted again")
    history = together(reading, notes)
    rows = len(history.times) if tilt is None else 0
    stages.expect(expected_paths_seconds(rows, len(history.names), len(request.leads)))
    stages(
        "forecast",
        lambda progress: found.update(forecast_paths(reading, history, request, tilt, work, notes, progress)),
    )
    return found, tuple(notes)
