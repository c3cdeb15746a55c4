"""One stage, brought up to date and timed: what the flow's tasks and ``basin stage`` both call."""

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
    """What became of one stage, as ``run.json`` tells it."""

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
    """Ask DVC about the stage, run it if it is stale, tell ``hear``; what the stage raises passes through.

    ``progress`` is called beside the listener, from the same places.
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
