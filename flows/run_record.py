"""Record of a run on disk (``run.json``), independent of Prefect's database."""

import os
import platform
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from prefect import runtime

from tasks.runtime.files import atomic_write, write_json
from tasks.runtime.workspace import Workspace


class RunRecord:
    """``run.json`` of a workspace.

    Its status is ``running`` until :meth:`end` is called, even if the run is killed.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.began, self.clock = datetime.now(UTC), time.monotonic()
        self._write(status="running")

    def end(self, stages: list[dict[str, Any]], failure: BaseException | None) -> None:
        self._write(
            status="failed" if failure else "completed",
            seconds=round(time.monotonic() - self.clock, 3),
            failure=traceback.format_exception(failure) if failure else None,
            stages=stages,
        )

    def _write(self, **more: Any) -> None:
        content = {
            "flow_run": str(runtime.flow_run.id),
            "started": self.began.isoformat(timespec="seconds"),
            "host": platform.node(),
            "process": os.getpid(),
            **more,
        }
        with atomic_write(self.workspace.run_record) as (path,):
            write_json(path, content)
