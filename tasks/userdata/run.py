"""Backtest, forecast and alarm of a user's file, by the stages of the pipeline, in one output folder."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.events.event import parse
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json, scratch, sha256, write_json
from tasks.runtime.outputs import claim
from tasks.runtime.parallel import Progress
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.sources.quarantine import valid
from tasks.stages import STAGES, stage_function
from tasks.tilts.fits import load_fold
from tasks.tilts.model import save_model
from tasks.userdata.alarm import RESULTS, Alarm
from tasks.userdata.alarm import alarm as raise_alarms
from tasks.userdata.files.table import from_frame, load
from tasks.userdata.first_audit import first_audit
from tasks.userdata.joint_paths import domain_of, evaluate_paths, forecast_paths, load_tilt, save_tilt
from tasks.userdata.joint_paths_page import write_report
from tasks.userdata.model_inputs import mismatch
from tasks.userdata.plan import planned
from tasks.userdata.progress import Stages, expected_seconds, without_progress
from tasks.userdata.reading import Reading, compounded, understand
from tasks.userdata.request import Request
from tasks.userdata.results import Backtest, Forecast
from tasks.userdata.series import suite

BACKTEST = STAGES[STAGES.index("validate") :]
"""Stages of a backtest. Reading the file takes the place of the stage ``ingest``."""

FIT = STAGES[STAGES.index("features") : STAGES.index("train") + 1]
"""Stages of a forecast that fits its own model."""


DATA = (
    "raw", "provenance", "expectations", "quarantine", "validation", "data_docs", "inputs", "classical",
)  # fmt: skip
"""Files of the workspace that every backtest and forecast writes."""

FITTED = ("audit", "fits", "model")
"""Files of the workspace that are written if a model is fitted."""

EVALUATED = (
    "scores", "forecasts", "metrics", "plots", "landscape", "tensorboard", "forecast_audit", "model_card",
    "report",
)  # fmt: skip
"""Files of the workspace that only a backtest writes."""


@dataclass(frozen=True)
class OwnWorkspace(Workspace):
    """Workspace with results in the root folder, and intermediate tables below its folder ``data``.

    The root is a temporary folder, whose files are moved into the folder of the results at the end.
    """

    given: Path | None = None
    """Folder of a model to forecast with. By default a model is fitted."""
    out: Path | None = None
    """Folder of the results, which gets the Data Docs at once, because they show why a run was stopped."""

    @property
    def artifacts(self) -> Path:
        return self.root

    @property
    def data_docs(self) -> Path:
        return (self.out or self.root) / "runs" / self.domain / "data_docs"

    @property
    def model(self) -> Path:
        return self.given or self.root / "model"


MODEL = "give the folder model/ of an earlier backtest or forecast"
"""Remedy for a folder that has no model to forecast with."""


def _names(*files: str) -> list[str]:
    """Return the paths of files of a workspace, relative to its root."""
    workspace = OwnWorkspace(Path(), "own")
    return [getattr(workspace, name).as_posix() for name in files]


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
    data: Path | pd.DataFrame,
    request: Request,
    out: Path,
    stages: Stages = without_progress,
    overwrite: bool = False,
) -> Backtest:
    """Run a backtest on the user's data.

    Writes ``scores.json``, ``forecasts.parquet``, ``report.html`` and ``model/`` in the folder ``out``.
    Raises ``BasinError`` for bad data or options, or if files in ``out`` would be lost.
    """
    names = _names(*DATA, *FITTED, *EVALUATED, "forecast")
    with _results(out, "backtest", names, overwrite) as work, naming(data):
        return _backtest(data, request, out, work, stages)


def _backtest(data: Path | pd.DataFrame, request: Request, out: Path, work: Path, stages: Stages) -> Backtest:
    reading, name = read(data, request)
    if max(request.leads) > 1 and reading.kind != "level":
        return _backtest_paths(_for_paths(reading, request), request, name, out, work, stages)
    workspace, params, notes = prepare(data, reading, name, request, work, out, has_test_from=True)
    stages.expect(_expected_seconds(workspace, params, reading))
    run_stages(BACKTEST, workspace, params, stages)
    _save_frozen(workspace, params)
    forecasts = pd.read_parquet(workspace.forecasts)
    return Backtest(out, read_json(workspace.scores), forecasts, notes, workspace.own.reference)


def forecast(
    data: Path | pd.DataFrame,
    request: Request,
    out: Path,
    model: Path | None = None,
    stages: Stages = without_progress,
    overwrite: bool = False,
) -> Forecast:
    """Forecast the dates after the last row.

    Writes ``forecast.json`` in the folder ``out``, and ``model/`` unless ``model`` is given. With ``model``,
    the folder of a model from an earlier backtest or forecast, nothing is refitted. Raises ``BasinError`` for
    bad data or options, or if files in ``out`` would be lost.
    """
    if model is not None:
        _require_model(model)
    fitted = FITTED if model is None else ()
    names = [*_names(*DATA, *fitted, "forecast"), "paths.parquet"]
    with _results(out, "forecast", names, overwrite) as work, naming(data):
        return _forecast(data, request, out, work, model, stages)


def _require_model(model: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        if not (model / name).is_file():
            raise BasinError(f"--model {model}: no {name} there; {MODEL}")


def _forecast(
    data: Path | pd.DataFrame, request: Request, out: Path, work: Path, model: Path | None, stages: Stages
) -> Forecast:
    reading, name = read(data, request)
    if max(request.leads) > 1 and reading.kind != "level":
        return _forecast_paths(_for_paths(reading, request), request, out, work, model, stages)
    fitted = replace(request, peers=())  # a forecast needs no model to compare with
    workspace, params, notes = prepare(data, reading, name, fitted, work, out, model)
    _accept(workspace)
    if model is None:
        stages.expect(_expected_seconds(workspace, params, reading))
        run_stages(FIT, workspace, params, stages)
        with atomic_write(workspace.model) as (folder,):
            save_model(folder, load_fold(workspace.fits, "final"), {"unit": workspace.own.unit})
        _save_frozen(workspace, params)
    else:
        _forecast_frozen(workspace, model)
    run_stages(("forecast",), workspace, params, stages)
    return Forecast(out, read_json(workspace.forecast), notes)


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


def _forecast_frozen(workspace: OwnWorkspace, model: Path) -> None:
    if not workspace.own.returns:
        raise BasinError("--model is for prices and rates; omit it for levels, which are fitted in seconds")
    kept = read_json(model / "classical.json", f"{MODEL} of one step ahead, or omit --model")
    differences = mismatch(kept["inputs"], workspace.own.frozen_inputs())
    if differences:
        raise BasinError(f"--model {model} was fitted to other inputs: {differences}")
    raw = valid(workspace.raw, workspace.quarantine)
    inputs, classical = workspace.own.forecast_frozen(raw, kept["series"])
    with atomic_write(workspace.inputs, workspace.classical) as (inputs_path, classical_path):
        inputs.to_parquet(inputs_path, index=False)
        classical.to_parquet(classical_path, index=False)


def alarm(
    data: Path | pd.DataFrame,
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
    if budget < 0:
        raise BasinError(f"--max-false-alarms-per-year {budget:g}: expected 0 or more")
    found: list[Alarm] = []
    with claim(out, "alarm", RESULTS, overwrite), naming(data):
        reading, name = read(data, request)

        def run(progress: Progress) -> None:
            alarms = raise_alarms(compounded(reading), request, name, wanted, event, budget, out, progress)
            found.append(alarms)

        stages("alarm", run)
    return found[0]


@contextmanager
def naming(data: Path | pd.DataFrame) -> Iterator[None]:
    """Begin the message of a ``BasinError`` of the block with the name of the data, if it has none.

    Errors that the operating system caused, such as a full disk, are about other files and stay unchanged.
    """
    try:
        yield
    except BasinError as error:
        label = label_of(data)
        if f"{label}: " not in str(error) and not isinstance(error.__cause__, OSError):
            error.args = (f"{label}: {error}",)
        raise


def label_of(data: Path | pd.DataFrame) -> str:
    """Return the name of the data in messages: the path as given, or ``the frame``."""
    return str(data) if isinstance(data, Path) else "the frame"


def read(data: Path | pd.DataFrame, request: Request) -> tuple[Reading, str]:
    """Return the data as a ``Reading`` with the warnings of its audit, and a short name for them.

    The notes begin with the warnings.
    """
    reading, name = read_unaudited(data, request)
    warnings = first_audit(reading, request)
    notes = (*(f"warning: {sentence}" for sentence in warnings), *reading.notes)
    return replace(reading, warnings=warnings, notes=notes), name


def read_unaudited(data: Path | pd.DataFrame, request: Request) -> tuple[Reading, str]:
    """Return the data as a ``Reading``, and a short name for them."""
    if isinstance(data, Path):
        table = load(data, request.targets, request.time, request.series)
        return understand(table, request), short_name(data)
    return understand(from_frame(data, label_of(data)), request), label_of(data)


def _for_paths(reading: Reading, request: Request) -> Reading:
    """Return the data for sample paths, which use the values of the series alone."""
    if request.exog:
        raise BasinError(
            f"--exog {request.exog[0]}: forecasts of a {reading.kind} more than one step ahead use the "
            "series alone; omit --exog, or omit --horizon and --leads to forecast one step"
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


def short_name(data: Path) -> str:
    """Return the name of a file without folders and suffixes."""
    return data.name.lstrip(".").split(".")[0]


def _backtest_paths(
    reading: Reading, request: Request, name: str, out: Path, work: Path, stages: Stages
) -> Backtest:
    domain, notes = domain_of(reading, request, name), list(reading.notes)
    found: list[Any] = []
    stages(
        "evaluate", lambda progress: found.extend(evaluate_paths(reading, request, domain, notes, progress))
    )
    forecasts, scores, tilt = found
    write_json(work / "scores.json", scores)
    forecasts.to_parquet(work / "forecasts.parquet", index=False)
    save_tilt(work / "model", tilt)
    stages("report", lambda _: write_report(work / "report.html", domain, scores, forecasts, notes))
    return Backtest(out, scores, forecasts, tuple(notes), domain.reference)


def _forecast_paths(
    reading: Reading, request: Request, out: Path, work: Path, model: Path | None, stages: Stages
) -> Forecast:
    notes, found = list(reading.notes), {}
    tilt = None if model is None else load_tilt(model, reading.kind)
    stages("forecast", lambda _: found.update(forecast_paths(reading, request, tilt, work, notes)))
    return Forecast(out, found, tuple(notes))


def prepare(
    data: Path | pd.DataFrame,
    reading: Reading,
    name: str,
    request: Request,
    work: Path,
    out: Path | None = None,
    model: Path | None = None,
    has_test_from: bool = False,
) -> tuple[OwnWorkspace, DomainParams, tuple[str, ...]]:
    """Plan a run in the folder ``work``; write the raw table with its provenance and expectation suite there.

    Returns the workspace, the parameters, and a sentence for each choice that was inferred.
    """
    domain, params, reading = planned(reading, request, name, has_test_from)
    # Workers of Ray have a working directory of their own, so the paths must not depend on ours.
    given = None if model is None else model.absolute()
    workspace = OwnWorkspace(work, "own", domain, request.strict, given, out and out.absolute())
    source = {
        "name": name,
        "kind": "file",
        "origin": str(data) if isinstance(data, Path) else "a frame",
        "sha256": sha256(data) if isinstance(data, Path) else _hash(data),
        "rows": len(reading.table),
        "licence": "the user's own",
        "unit": reading.unit or reading.targets[0],
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
