"""Prefect flow of the pipeline: the stages of a domain run in order, the domains in parallel."""

import base64
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from prefect import flow, task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.states import Completed, Failed

from flows.listener import listener
from flows.prefect_ui import STAGE_TASK, UiProgress, one_line
from flows.run_record import RunRecord
from flows.stage import StageRecord, bring_stage_up_to_date
from tasks.reporting.tables import forecast_lines, score_tables
from tasks.runtime.files import read_json
from tasks.runtime.freshness import Verdict, one_run_at_a_time
from tasks.runtime.params import load_domains, load_params
from tasks.runtime.workspace import Workspace
from tasks.stages import STAGES


@task(task_run_name="{stage} {domain}", **STAGE_TASK)
def stage_task(stage: str, domain: str, root: str) -> Any:
    """Run one stage if it is stale; otherwise the task ends in the state *Cached*."""
    record = bring_stage_up_to_date(stage, domain, Path(root), listener.get(), UiProgress(stage, domain))
    with suppress(httpx.HTTPError):  # results must not be lost because the UI cannot be reached
        show_artifacts(stage, Workspace(Path(root), domain))
    if Verdict(record.outcome).cached:
        return Completed(name="Cached", message=f"DVC: {record.outcome}", data=record.as_dict())
    return record.as_dict()


@flow(name="basin", persist_result=False, result_serializer="json")
def pipeline(root: str = ".", domains: list[str] | None = None) -> Any:
    """Bring every stage of ``domains`` in the project ``root`` up to date.

    By default all domains of ``params.yaml`` are run. A domain stops at its first failing stage, while the
    other domains continue. The flow then ends in the state Failed with one line per failed domain.
    """
    folder = Path(root).resolve()
    chosen = domains or list(load_domains(folder))
    for domain in chosen:
        load_params(folder, domain)
    with one_run_at_a_time(folder, listener.get().waiting):
        kept = {domain: RunRecord(Workspace(folder, domain)) for domain in chosen}
        chains: dict[str, list[Any]] = {domain: [] for domain in chosen}
        for stage in STAGES:
            for domain, chain in chains.items():
                chain.append(
                    stage_task.with_options(name=stage).submit(
                        stage, domain, str(folder), wait_for=chain[-1:], return_state=False
                    )
                )
        failures = []
        for domain, chain in chains.items():
            records, failure = _collect(domain, chain)
            kept[domain].end(records, failure)
            if failure:
                failures.append(one_line(failure, records[-1]["stage"], kept[domain].workspace))
    if failures:
        return Failed(message="\n".join(failures))
    return {domain: str(Workspace(folder, domain).report.relative_to(folder)) for domain in chosen}


def _collect(domain: str, chain: list[Any]) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Return the records of a domain's stages up to the first that failed, and its exception, if any."""
    records: list[dict[str, Any]] = []
    for stage, future in zip(STAGES, chain, strict=True):
        future.wait()
        if not future.state.is_completed():
            records.append(StageRecord(stage, domain).as_dict())
            return records, future.result(raise_on_failure=False)
        records.append(future.result())
    return records, None


def show_artifacts(stage: str, workspace: Workspace) -> None:
    """Publish the results of a stage in the Prefect UI: scores, images, forecast or link to the report."""
    domain = workspace.domain
    if stage == "evaluate":
        for table in score_tables(read_json(workspace.scores)):
            rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            create_table_artifact(rows, key=f"scores-{domain}", description=f"{domain}: {table.title}")
    elif stage == "landscape":
        for figure in read_json(workspace.landscape / "landscape.json")["figures"]:
            image = base64.b64encode((workspace.landscape / figure["file"]).read_bytes()).decode("ascii")
            create_image_artifact(
                f"data:image/png;base64,{image}", key=f"landscape-{domain}", description=figure["title"]
            )
    elif stage == "forecast":
        lines = forecast_lines(read_json(workspace.forecast))
        create_markdown_artifact("\n".join(f"- {line}" for line in lines), key=f"forecast-{domain}")
    elif stage == "report":
        create_link_artifact(workspace.report.as_uri(), link_text=f"{domain} report", key=f"report-{domain}")
