"""Backtest, forecast and alarm of a user's file, by the stages of the pipeline, in one output folder."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd

from tasks.events.event import parse
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json, scratch, sha256, write_json
from tasks.runtime.frequencies import stamp
from tasks.runtime.outputs import claim
from tasks.runtime.parallel import Progress
from tasks.runtime.params import DomainParams
from tasks.runtime.stored import in_folder
from tasks.sources.quarantine import valid
from tasks.stages import STAGES, stage_function
from tasks.userdata.alarm import RESULTS, Alarm
from tasks.userdata.alarm import alarm as raise_alarms
from tasks.userdata.alarm import expected_seconds as expected_seconds_of_alarm
from tasks.userdata.alarm_rows import require_one_price
from tasks.userdata.backtest_result import Backtest
from tasks.userdata.forecast_record import fits_of, not_converged, with_file
from tasks.userdata.forecast_result import Forecast
from tasks.userdata.model_inputs import REFIT, mismatch
from tasks.userdata.new_rows import extended
from tasks.userdata.plan import planned
from tasks.userdata.progress import Stages, expected_seconds, without_progress
from tasks.userdata.reading import Reading, compounded
from tasks.userdata.request import Request
from tasks.userdata.result_files import (
    BACKTEST_FILES,
    FORECAST_FILES,
    write_backtest,
    write_forecast,
    write_levels,
)
from tasks.userdata.series import OwnLevels, suite
from tasks.userdata.sources import Data, label_of, naming, read, with_levels
from tasks.userdata.workspace import DATA, EVALUATED, FITTED, OwnWorkspace, names_of

BACKTEST = STAGES[STAGES.index("validate") :]
"""Stages of a backtest. Reading the file takes the place of the stage ``ingest``."""

FIT = STAGES[STAGES.index("features") : STAGES.index("train") + 1]
"""Stages of a forecast that fits its own model."""

MODEL = "give the folder model/ of an earlier backtest or forecast"
"""Remedy for a folder that has no model to forecast with."""


@contextmanager
def _results(out: Path, command: str, names: list[str], overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder, and move ``names`` from there into ``out``, all together, at the end."""
    with claim(out, command, names, overwrite), scratch(out.absolute()) as work:
        yield work
        written = [name for name in names if (work / name).exists()]
        with atomic_write(*(out / name for name in written)) as targets:
            for name, target in zip(written, targets, strict=True):
                (work / name).rename(target)


def backtest(
    data: Data,
    request: Request,
    out: Path,
    stages: Stages = without_progress,
    overwrite: bool = False,
) -> Backtest:
    """Run a backtest on the user's data.

    Writes ``scores.json``, ``forecasts.parquet``, ``forecasts.csv``, ``report.html`` and ``model/`` in the
    folder ``out``, and ``forecasts.nc`` for levels. Raises ``BasinError`` for bad data or options, or if
    files in ``out`` would be lost.
    """
    names = [*names_of(*DATA, *FITTED, *EVALUATED, "forecast"), *BACKTEST_FILES]
    with _results(out, "backtest", names, overwrite) as work, naming(data):
        return _backtest(data, request, out, work, stages)


def _backtest(data: Data, request: Request, out: Path, work: Path, stages: Stages) -> Backtest:
    reading, name = read(data, request)
    if request.jointly:
        from tasks.userdata.jointly_backtest import backtest_panel  # imports PyTorch

        return backtest_panel(reading, request, name, out, work, stages)
    if max(request.leads) > 1 and reading.kind != "level":
        from tasks.userdata.joint_paths_run import backtest_paths, for_paths

        return backtest_paths(for_paths(reading, request), request, name, out, work, stages)
    workspace, params, notes = prepare(data, reading, name, request, work, out, tested=True)
    stages.expect(_expected_seconds(workspace, params, reading))
    run_stages(BACKTEST, workspace, params, stages)
    _save_frozen(workspace, params)
    forecasts, domain = pd.read_parquet(workspace.forecasts), workspace.own
    write_json(workspace.forecast, _completed(workspace, reading, request))
    write_backtest(work, forecasts)
    if reading.kind == "level":
        inputs = pd.read_parquet(workspace.inputs)
        write_levels(work, forecasts, inputs, domain.lowest, reading.freq, reading.unit)
    notes = (*notes, *not_converged(fits_of(workspace.model)))
    scores = read_json(workspace.scores) | {"reference": domain.reference, "notes": list(notes)}
    write_json(workspace.scores, scores)
    return Backtest(out, scores, forecasts, notes, domain.reference)


def _completed(workspace: OwnWorkspace, reading: Reading, request: Request) -> dict[str, Any]:
    """Return the content of ``forecast.json`` with what is known from the file and the fits.

    Each step keeps the events that are meant at its lead.
    """
    raw = valid(workspace.raw, workspace.quarantine)
    found = read_json(workspace.forecast)
    for step in (step for part in found["series"].values() for step in part["steps"]):
        if request.events:
            step["events"] = {event: step["events"][event] for event in request.thresholds(step["lead"])}
    return with_file(found, reading.kind, reading.freq, raw, fits_of(workspace.model))


def forecast(
    data: Data,
    request: Request,
    out: Path,
    model: Path | None = None,
    stages: Stages = without_progress,
    overwrite: bool = False,
    owner: object = None,
) -> Forecast:
    """Forecast the dates after the last row.

    Writes ``forecast.json``, ``forecast.csv`` and ``forecast.png`` in the folder ``out``, ``forecast.nc`` for
    levels, ``paths.parquet`` for sample paths, ``scenarios.parquet`` for joint densities, and ``model/``
    unless ``model`` is given. With ``model``, the folder of a model from an earlier backtest or forecast,
    nothing is refitted. ``owner`` is the result in whose folder that is, which must live as long as the
    forecast. Raises ``BasinError`` for bad data or options, or if files in ``out`` would be lost.
    """
    if model is not None:
        if request.jointly:
            raise BasinError("--model is not for --jointly, which fits its model again; omit --model")
        _require_model(model)
    fitted = FITTED if model is None else ()
    names = [*names_of(*DATA, *fitted), *FORECAST_FILES, "paths.parquet", "scenarios.parquet"]
    with _results(out, "forecast", names, overwrite) as work, naming(data):
        result = _forecast(data, request, out, work, model, stages)
    fitted_again = result.steps["kind"] == "level" or request.jointly
    kept = None if fitted_again else model or out / "model"
    return replace(result, again=partial(_again, data, request, kept, owner))


def _again(
    data: Data,
    request: Request,
    model: Path | None,
    owner: object,
    before: Forecast,
    rows: Any,
    out: str | PathLike[str] | None,
    overwrite: bool,
) -> Forecast:
    """Forecast after the new ``rows`` with the model of the forecast ``before``, if there is one.

    ``owner`` is the result in whose folder the model is. It must live as long as the forecasts made with it.
    """
    last = max(part["origin"] for part in before.steps["series"].values())
    call = f'basin.forecast with model="{model}"' if model else "basin.forecast"
    remedy = f"pass only the rows after {last}, or call {call} with the revised data and the same options"
    request = with_levels(data, request)
    together = extended(data, rows, request, remedy)
    owner = before if model == before.folder / "model" else owner
    return in_folder(
        out,
        lambda folder: forecast(together, request, folder, model, overwrite=overwrite, owner=owner),
    )


def _require_model(model: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        if not (model / name).is_file():
            raise BasinError(f"--model {quote(str(model))}: no {name} there; {MODEL}")


def _forecast(
    data: Data, request: Request, out: Path, work: Path, model: Path | None, stages: Stages
) -> Forecast:
    reading, name = read(data, request)
    if request.jointly:
        from tasks.userdata.jointly_run import forecast_panel  # imports PyTorch

        return forecast_panel(reading, request, out, work, stages)
    if max(request.leads) > 1 and reading.kind != "level":
        from tasks.userdata.joint_paths_run import for_paths, paths_ahead  # imports PyTorch

        found, notes = paths_ahead(for_paths(reading, request), request, work, model, stages)
        found = with_file(found, reading.kind, reading.freq, reading.table, {})
    else:
        found, notes = _forecast_steps(data, reading, name, request, out, work, model, stages)
    result = Forecast(out, found | {"notes": list(notes)}, notes)
    write_forecast(work, result, reading.unit)
    return result


def _forecast_steps(
    data: Data,
    reading: Reading,
    name: str,
    request: Request,
    out: Path,
    work: Path,
    model: Path | None,
    stages: Stages,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the content of ``forecast.json`` and the notes of a forecast by the stages of the pipeline."""
    fitted = replace(request, peers=())  # a forecast needs no model to compare with
    workspace, params, notes = prepare(data, reading, name, fitted, work, out, model)
    _accept(workspace)
    if model is None:
        from tasks.tilts.fits import load_fold  # imports PyTorch, as the next
        from tasks.tilts.model import save_model

        stages.expect(_expected_seconds(workspace, params, reading))
        run_stages(FIT, workspace, params, stages)
        with atomic_write(workspace.model) as (folder,):
            save_model(folder, load_fold(workspace.fits, "final"), {"unit": workspace.own.unit})
        _save_frozen(workspace, params)
    else:
        notes = (*notes, _forecast_frozen(workspace, model))
    run_stages(("forecast",), workspace, params, stages)
    return _completed(workspace, reading, request), (*notes, *not_converged(fits_of(workspace.model)))


def _expected_seconds(workspace: OwnWorkspace, params: DomainParams, reading: Reading) -> float:
    rows = len(reading.table) * len(workspace.own.leads)
    return expected_seconds(
        rows, len(workspace.own.peers) - 1, params.train.seeds * len(params.train.capacities)
    )


def _accept(workspace: OwnWorkspace) -> None:
    """Record that all rows are accepted, as the stage validate does for a backtest.

    The reader of the file has checked them in the same way, and Great Expectations takes seconds to start.
    """
    raw = pd.read_parquet(workspace.raw)
    with atomic_write(workspace.validation, workspace.quarantine) as (record, aside):
        write_json(record, {"raw_sha256": sha256(workspace.raw), "rows": len(raw), "quarantined": 0})
        raw.head(0).assign(reason="", row=pd.Series(dtype="int64")).to_parquet(aside, index=False)


def _save_frozen(workspace: OwnWorkspace, params: DomainParams) -> None:
    domain = workspace.own
    if not domain.returns:
        return
    with atomic_write(workspace.model / "classical.json") as (path,):
        raw, classical = valid(workspace.raw, workspace.quarantine), pd.read_parquet(workspace.classical)
        write_json(path, domain.frozen_parameters(raw, classical, params.features))


def _forecast_frozen(workspace: OwnWorkspace, model: Path) -> str:
    """Write inputs and classical forecasts by the stored model, and return a note on it."""
    if not workspace.own.returns:
        raise BasinError("--model is for prices and rates; omit it for levels, which are fitted in seconds")
    _require_one_step(model)
    kept = read_json(model / "classical.json", f"{MODEL} of one step ahead, or omit --model")
    differences = mismatch(kept["inputs"], workspace.own.frozen_inputs())
    if differences:
        raise BasinError(f"--model {quote(str(model))} was fitted to other inputs: {differences}")
    raw = valid(workspace.raw, workspace.quarantine)
    inputs, classical = workspace.own.forecast_frozen(raw, kept)
    with atomic_write(workspace.inputs, workspace.classical) as (inputs_path, classical_path):
        inputs.to_parquet(inputs_path, index=False)
        classical.to_parquet(classical_path, index=False)
    fitted = max(pd.Timestamp(past["times"][-1]) for past in kept["past"].values())
    return (
        f"the model is stored, of data to {stamp(fitted, workspace.own.frequency)}; nothing was fitted again"
    )


def _require_one_step(model: Path) -> None:
    """Raise ``BasinError`` for a model of levels or of joint paths, which have no classical fits."""
    config = read_json(model / "config.json", MODEL)
    of_levels = OwnLevels.state in config.get("tilt", {}).get("columns", ())
    if of_levels or config.get("joint"):
        raise BasinError(
            f"--model {quote(str(model))} is not a model of one step of a price, rate or return, but of "
            f"{'levels' if of_levels else 'joint paths'}; {REFIT}"
        )


def alarm(
    data: Data,
    request: Request,
    event: str,
    budget: float,
    out: Path,
    stages: Stages = without_progress,
    overwrite: bool = False,
) -> Alarm:
    """Forecast the probability of an event on the path of one price, and raise alarms.

    Writes ``alarm.json``, ``alarm.parquet``, ``alarm.png`` and ``report.html`` in the folder ``out``. Raises
    ``BasinError`` for bad data or options, or if files in ``out`` would be lost.
    """
    wanted = parse(event)
    if not budget >= 0:
        raise BasinError(f"--max-false-alarms-per-year {budget:g}: expected 0 or more")
    found: list[Alarm] = []
    with claim(out, "alarm", RESULTS, overwrite), naming(data):
        reading, name = read(data, request)
        reading = compounded(reading)
        require_one_price(reading, request, data)
        stages.expect(expected_seconds_of_alarm(reading, request, wanted))

        def run(progress: Progress) -> None:
            found.append(raise_alarms(reading, request, name, wanted, event, budget, out, progress))

        stages("alarm", run)
    return found[0]


def prepare(
    data: Data,
    reading: Reading,
    name: str,
    request: Request,
    work: Path,
    out: Path | None = None,
    model: Path | None = None,
    tested: bool = False,
) -> tuple[OwnWorkspace, DomainParams, tuple[str, ...]]:
    """Plan a run in the folder ``work``; write the raw table with its provenance and expectation suite there.

    Returns the workspace, the parameters, and a sentence for each choice that was inferred.
    """
    of_the_file = reading.notes
    domain, params, reading = planned(reading, request, name, tested)
    if model is not None:  # the other notes are on training
        reading = replace(reading, notes=of_the_file)
    # Workers of Ray have a working directory of their own, so the paths must not depend on ours.
    given = None if model is None else model.absolute()
    workspace = OwnWorkspace(work, "own", domain, request.strict, given, out and out.absolute())
    source = {
        "name": name,
        "kind": "file",
        "origin": label_of(data),
        "sha256": sha256(data) if isinstance(data, Path) else _hash(reading.table),
        "rows": len(reading.table),
        "licence": "the user's own",
        "unit": reading.unit,
        "frequency": reading.freq,
        "publication_lag": 0,
        "accepted": dict(request.accept),
    }
    _write(workspace, params, reading, source, suite(domain))
    return workspace, params, reading.notes


def _hash(frame: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(frame).to_numpy().tobytes()).hexdigest()


def _write(
    workspace: OwnWorkspace,
    params: DomainParams,
    reading: Reading,
    source: dict[str, Any],
    expectations: dict[str, Any],
) -> None:
    with atomic_write(workspace.raw, workspace.provenance, workspace.expectations) as (
        table,
        record,
        suite_path,
    ):
        reading.table.to_parquet(table, index=False)
        write_json(
            record,
            {
                "as_of": params.ingest.as_of.isoformat(),
                "rows": len(reading.table),
                "sha256": sha256(table),
                "sources": [source],
                "said": list(reading.notes),
            },
        )
        write_json(suite_path, expectations)


def run_stages(names: tuple[str, ...], workspace: OwnWorkspace, params: DomainParams, stages: Stages) -> None:
    """Run the stages ``names`` in order on a workspace."""
    for name in names:
        function = stage_function(name)

        def run(progress: Progress, function: Any = function, name: str = name) -> Any:
            try:
                return function(workspace, params, progress)
            except FloatingPointError as error:
                raise BasinError(f"{name}: {error}") from error

        stages(name, run)
