"""Flows of the deployments in ``prefect.yaml``. Each runs in the working directory of its Prefect worker."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.events import emit_event

from flows.listener import listener
from flows.pipeline import pipeline
from flows.server.automations import BREACH
from flows.stage import bring_stage_up_to_date
from tasks.reporting.tables import forecast_lines
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.runtime.freshness import one_run_at_a_time
from tasks.runtime.params import load_domains, set_as_of
from tasks.runtime.workspace import Workspace

DATA_STAGES = ("ingest", "validate", "features", "audit")


@flow(name="daily-forecast", persist_result=False, result_serializer="json")
def daily_forecast(root: str = ".", domains: list[str] | None = None, as_of: date | None = None) -> Any:
    """Forecast with the current models, without refitting, from the data of ``as_of`` (default: today)."""
    return _of_each(daily_task, root, domains, as_of)


@task(name="forecast", task_run_name="forecast {domain}", persist_result=False, cache_policy=NO_CACHE)
def daily_task(root: str, domain: str, as_of: date) -> dict[str, Any]:
    from tasks.operations.daily_forecast import daily_forecast

    found = daily_forecast(Path(root), domain, as_of)
    alarms = [name for name, part in found["series"].items() if part.get("alarm")]
    lines = [*forecast_lines(found), *(f"**Alarm**: {name}: unusually low 5 % quantile" for name in alarms)]
    create_markdown_artifact("\n".join(f"- {line}" for line in lines), key=f"daily-{domain}")
    return {"as_of": found["as_of"], "alarms": alarms}


@flow(name="daily-monitor", persist_result=False, result_serializer="json")
def daily_monitor(root: str = ".", domains: list[str] | None = None, as_of: date | None = None) -> Any:
    """Monitor data and current models on ``as_of`` (default: today).

    A new breach emits the event ``BREACH``. It is evidence that outcomes no longer agree with the forecasts
    of a model as they did when it was scored.
    """
    return _of_each(monitor_task, root, domains, as_of)


@task(name="monitor", task_run_name="monitor {domain}", persist_result=False, cache_policy=NO_CACHE)
def monitor_task(root: str, domain: str, as_of: date) -> dict[str, Any]:
    from tasks.operations.monitor import monitor

    found = monitor(Path(root), domain, as_of)
    page = Workspace(Path(root), domain).runs / "monitor" / "monitor.html"
    words = found["schema"] or (
        "breach: the model should be refitted" if found["breach"] else "no evidence of change"
    )
    create_markdown_artifact(f"**{domain}**: {words}\n\nPage: `{page}`", key=f"monitor-{domain}")
    if found["schema"]:
        raise BasinError(found["schema"])
    if found["new"]:
        payload = {"domains": [domain], "as_of": as_of.isoformat(), "reasons": found["reasons"]}
        emit_event(BREACH, {"prefect.resource.id": f"basin.domain.{domain}"}, payload=payload)
    return {"breach": found["breach"], "reasons": found["reasons"]}


@flow(name="weekly-retrain", persist_result=False, result_serializer="json")
def weekly_retrain(root: str = ".", domains: list[str] | None = None, as_of: date | None = None) -> State:
    """Run the pipeline on the data known on ``as_of`` (default: today), then the promotion gate.

    Each domain whose stages all completed yields a candidate. The candidate replaces the current model
    unless it is worse. The flow ends in the state Failed if a stage or a comparison fails.
    """
    from tasks.operations.promotion import commit_retrained

    folder, chosen, day = _asked(root, domains, as_of)
    set_as_of(folder, chosen, day)
    ended = cast("State[Any]", pipeline(root=str(folder), domains=chosen, return_state=True))
    done = [d for d in chosen if read_json(Workspace(folder, d).run_record)["status"] == "completed"]
    if done:
        commit_retrained(folder, done, day.isoformat())
    decided = [gate_task(str(folder), domain, return_state=True) for domain in done]
    return next((state for state in [ended, *decided] if not state.is_completed()), ended)


@task(name="gate", task_run_name="gate {domain}", persist_result=False, cache_policy=NO_CACHE)
def gate_task(root: str, domain: str) -> dict[str, Any]:
    from tasks.operations.promotion import decide

    verdict = decide(Path(root), domain)
    became = "promoted" if verdict.promoted else "refused" if verdict.version else "nothing to promote"
    create_markdown_artifact(
        f"**{domain} {verdict.version or ''}: {became}**\n\n{verdict.why}", key=f"promotion-{domain}"
    )
    return asdict(verdict)


@flow(name="weekly-audit", persist_result=False, result_serializer="json")
def weekly_audit(root: str = ".", domains: list[str] | None = None, as_of: date | None = None) -> Any:
    """Validate and audit the data known on ``as_of`` (default: today); fails if a check fails."""
    folder, chosen, day = _asked(root, domains, as_of)
    set_as_of(folder, chosen, day)
    with one_run_at_a_time(folder, listener.get().waiting):
        for domain in chosen:
            audit_task(str(folder), domain)
    return {"as_of": day.isoformat(), "domains": chosen}


@task(name="audit", task_run_name="audit {domain}", persist_result=False, cache_policy=NO_CACHE)
def audit_task(root: str, domain: str) -> None:
    from tasks.checks.check import require_pass

    for stage in DATA_STAGES:
        bring_stage_up_to_date(stage, domain, Path(root), listener.get())
    path = Workspace(Path(root), domain).audit
    checks = read_json(path)["checks"]
    rows = [{key: check[key] for key in ("title", "status", "why")} for check in checks]
    create_table_artifact(rows, key=f"audit-{domain}", description=f"{domain}: audit of the data")
    require_pass(path)


def _of_each(task: Any, root: str, domains: list[str] | None, as_of: date | None) -> dict[str, Any]:
    """Run ``task`` for all domains in parallel and return the result of each."""
    folder, chosen, day = _asked(root, domains, as_of)
    futures = [task.submit(str(folder), domain, day) for domain in chosen]
    return {domain: future.result() for domain, future in zip(chosen, futures, strict=True)}


def _asked(root: str, domains: list[str] | None, as_of: date | None) -> tuple[Path, list[str], date]:
    folder = Path(root).resolve()
    return folder, domains or load_domains(folder), as_of or datetime.now(UTC).date()
