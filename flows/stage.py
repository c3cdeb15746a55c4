"""Run and time one stage if it is stale; called by the tasks of the flow and by ``basin stage``."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.listener import Listener
from tasks.runtime.freshness import bring_up_to_date
from tasks.runtime.parallel import Progress
from tasks.stages import run_stage


@dataclass
class StageRecord:
    """Outcome of one stage, as stored in ``run.json``."""

    stage: str
    domain: str
    outcome: str = "failed"
    seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def bring_stage_up_to_date(
    stage: str, domain: str, root: Path, hear: Listener, progress: Progress | None = None
) -> StageRecord:
    """Run the stage if DVC finds it stale, report to the listener ``hear`` and return the outcome.

    ``progress``, if given, is called together with ``hear.progressed``. Exceptions of the stage are passed
    on.
    """
    record = StageRecord(stage, domain)
    began = time.monotonic()

    def report(label: str, done: int, total: int) -> None:
        hear.progressed(stage, domain, label, done, total)
        if progress:
            progress(label, done, total)

    def run() -> None:
        record.result = run_stage(stage, domain, root, report)

    hear.began(stage, domain)
    try:
        record.outcome = str(bring_up_to_date(f"{stage}@{domain}", root, run))
    finally:
        record.seconds = round(time.monotonic() - began, 3)
        hear.ended(stage, domain, record.outcome, record.seconds)
    return record
