"""Prefect flow of an application: one task per stage. DVC decides whether the application is stale."""

import base64
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from prefect import flow, task
from prefect.artifacts import create_image_artifact, create_link_artifact, create_table_artifact
from prefect.states import Completed, Failed

from flows.listener import listener
from flows.prefect_ui import STAGE_TASK, UiProgress, one_line
from flows.run_record import RunRecord
from flows.stage import StageRecord
from tasks.applications.harness.project import FOLDER, project_run
from tasks.runtime.errors import counted
from tasks.runtime.files import read_json
from tasks.runtime.freshness import Verdict, bring_up_to_date, one_run_at_a_time
from tasks.runtime.parallel import Progress
from tasks.runtime.workspace import Workspace


@task(task_run_name="{stage} {name}", **STAGE_TASK)
def stage_task(stage: str, name: str, act: Callable[[Progress], None] | None, out: Path, verdict: str) -> Any:
    """Run one stage by calling ``act``; with ``act=None`` the task ends in the state *Cached*.

    ``verdict`` is the decision of DVC, recorded as the outcome of the stage.
    """
    record, began, hear = StageRecord(stage, name), time.monotonic(), listener.get()
    show = UiProgress(stage, name)

    def progress(label: str, done: int, total: int) -> None:
        hear.progressed(stage, name, label, done, total)
        show(label, done, total)

    hear.began(stage, name)
    try:
        if act:
            act(progress)
        record.outcome = verdict
    finally:
        record.seconds = round(time.monotonic() - began, 3)
        hear.ended(stage, name, record.outcome, record.seconds)
    with suppress(httpx.HTTPError):  # results must not be lost because the UI cannot be reached
        show_artifacts(stage, name, out)
    if act is None:
        return Completed(name="Cached", message=f"DVC: {verdict}", data=record.as_dict())
    return record.as_dict()


@flow(name="basin-application", flow_run_name="{name}", persist_result=False, result_serializer="json")
def application(name: str, root: str = ".") -> Any:
    """Bring the application ``name`` of the project ``root`` up to date.

    The stages of an application pass fitted models on in memory. For DVC the application is therefore a
    single stage, which runs completely or not at all. If a stage fails, the flow ends in the state Failed
    with a one-line message.
    """
    folder = Path(root).resolve()
    run, workspace = project_run(name, folder), Workspace(folder, name)
    records: list[dict[str, Any]] = []

    def walk(verdict: Verdict) -> None:
        for stage, act in run.stages.items():
            records.append(StageRecord(stage, name).as_dict())
            todo = None if verdict.cached else act
            of = stage_task.with_options(name=stage)
            state = of(stage, name, todo, run.out, str(verdict), return_state=True)
            records[-1] = state.result()

    failure = None
    with one_run_at_a_time(folder / FOLDER, listener.get().waiting):
        kept = RunRecord(workspace)
        try:
            verdict = bring_up_to_date(name, folder / FOLDER, lambda: walk(Verdict.RAN))
            if verdict.cached:
                walk(verdict)
        except Exception as error:
            failure = error
        kept.end(records, failure)
    if failure:
        at = records[-1]["stage"] if records else "ingest"
        return Failed(message=one_line(failure, at, workspace))
    return {name: str((run.out / "report.html").relative_to(folder))}


def show_artifacts(stage: str, name: str, out: Path) -> None:
    """Publish the results of a stage in the Prefect UI: scores, landscape image or link to the report."""
    if stage == "evaluate":
        scores = read_json(out / "scores.json")
        rows = [
            {"model": model} | {m: round(value, 4) for m, value in found.items()}
            for model, found in scores["models"].items()
        ]
        words = f"{name}: the energy model (ebm) and its peers, means over {counted(scores['seeds'], 'seed')}"
        create_table_artifact(rows, key=f"scores-{name}", description=words)
    elif stage == "landscape":
        found = read_json(out / "landscape" / "landscape.json")
        image = base64.b64encode((out / "landscape" / found["file"]).read_bytes()).decode("ascii")
        create_image_artifact(
            f"data:image/png;base64,{image}", key=f"landscape-{name}", description=found["caption"]
        )
    elif stage == "report":
        page = (out / "report.html").as_uri()
        create_link_artifact(page, link_text=f"{name} report", key=f"report-{name}")
