"""Prefect automations: mark dead runs as crashed, report failed runs, retrain after a breach."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import EventTrigger, Posture

BREACH = "basin.monitor.breach"
"""Name of the event of a new breach. Its payload has ``domains``, ``as_of`` and ``reasons``."""

RUN = {"prefect.resource.id": "prefect.flow-run.*"}
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
UNHAPPY = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}

PAYLOAD = """{"event": "{{ event.event }}", "flow_run": "{{ flow_run.name }}", "flow": "{{ flow.name }}",
"state": "{{ flow_run.state.name }}", "message": {{ (flow_run.state.message or "") | tojson }}}"""


def mark_dead_runs(silence: timedelta) -> Automation:
    """Return an automation that marks a run as Crashed if it sends no heartbeat for ``silence``."""
    heartbeat = "prefect.flow-run.heartbeat"
    return Automation(
        name="basin: mark dead runs",
        description="Marks a run as Crashed when its heartbeat stops; otherwise it would stay Running.",
        trigger=EventTrigger(
            after={heartbeat},
            expect={heartbeat, *ENDED},
            match=RUN,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"no heartbeat for {silence}")],
    )


def tell(url: str) -> Automation:
    """Return an automation that posts every failed or crashed run to ``url`` as JSON.

    The fields are event, flow, flow_run, state and message.
    """
    block = Webhook(method="POST", url=url, headers={"Content-Type": "application/json"})
    document = block.save("basin-notify", overwrite=True)
    return Automation(
        name="basin: tell of failures",
        description="Posts failed and crashed runs to the webhook block basin-notify.",
        trigger=EventTrigger(
            expect=UNHAPPY, match=RUN, posture=Posture.Reactive, threshold=1, within=timedelta(0)
        ),
        actions=[CallWebhook(block_document_id=document, payload=PAYLOAD)],
    )


def retrain_on_breach(deployment: UUID) -> Automation:
    """Return an automation that retrains a domain, on the data of that day, after a new breach."""
    asked = {name: _from_event(name) for name in ("domains", "as_of")}
    return Automation(
        name="basin: retrain on breach",
        description="Runs the deployment weekly-retrain when the monitor emits a new breach.",
        trigger=EventTrigger(expect={BREACH}, posture=Posture.Reactive, threshold=1, within=timedelta(0)),
        actions=[RunDeployment(source="selected", deployment_id=deployment, parameters=asked)],
    )


def _from_event(name: str) -> dict[str, Any]:
    """Return a Prefect template that takes a parameter, with its type, from the payload of the event."""
    template = f"{{{{ event.payload.{name} | tojson }}}}"
    return {
        "__prefect_kind": "json",
        "value": {"__prefect_kind": "jinja", "template": template},
    }


def install(silence: timedelta, notify: str | None) -> None:
    """Create the automations on the server of ``PREFECT_API_URL``, replacing those of the same name."""
    with get_client(sync_client=True) as client:
        retrain = client.read_deployment_by_name("weekly-retrain/weekly-retrain")
    wanted = [mark_dead_runs(silence), retrain_on_breach(retrain.id), *([tell(notify)] if notify else [])]
    for automation in wanted:
        with_same_name(automation)
        automation.create()


def with_same_name(automation: Automation) -> None:
    """Delete the automation of the server with the same name, if there is one."""
    try:
        # The type says coroutine, but outside an event loop Prefect returns the automation itself.
        existing: Any = Automation.read(name=automation.name)
        existing.delete()
    except ValueError:
        return
