"""Options of Prefect tasks, their progress in the Prefect UI, and one-line messages of failures."""

import time
from contextlib import suppress
from typing import Any

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.runtime.errors import BasinError
from tasks.runtime.workspace import Workspace


def transient(_task: Any, _run: TaskRun, state: State) -> bool:
    """Return whether a retry may help: yes after a lost connection or worker, no after bad input or a bug."""
    failure = state.data
    # Classes are compared by name, because importing Ray would slow down a run in which all is cached.
    of_ray = any(kind.__module__.startswith("ray.") for kind in type(failure).__mro__)
    task_error = any(kind.__name__ == "RayTaskError" for kind in type(failure).__mro__)
    return isinstance(failure, ConnectionError | TimeoutError) or (of_ray and not task_error)


def one_line(failure: BaseException, stage: str, workspace: Workspace) -> str:
    """Describe a failure in one line: domain, stage, message and, for a bug, the file with the traceback."""
    where = f"{workspace.domain} {stage}"
    if isinstance(failure, BasinError):
        return f"{where}: {failure}"
    text = " ".join(str(failure).split())
    return (
        f"{where}: {type(failure).__name__}: {text[:300]} (a bug; the traceback is in {workspace.run_record})"
    )


STAGE_TASK: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [2, 10],
    "retry_condition_fn": transient,
    "persist_result": False,
    "result_serializer": "json",
    "cache_policy": NO_CACHE,
}
"""Options of every Prefect task that runs a stage. Prefect caches nothing, because DVC does."""


class UiProgress:
    """Progress artifact of one stage, created at its first step and updated at most once per second."""

    def __init__(self, stage: str, domain: str) -> None:
        self.key = f"progress-{domain}-{stage}"
        self.artifact: Any = None
        self.shown = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if total < 1 or (done < total and now - self.shown < 1):
            return
        self.shown = now
        percent = 100 * done / total
        with suppress(httpx.HTTPError):
            if self.artifact is None:
                self.artifact = create_progress_artifact(percent, key=self.key, description=label)
            else:
                update_progress_artifact(self.artifact, percent, description=label)
