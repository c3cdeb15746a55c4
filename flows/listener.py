"""Progress callbacks of a run, passed to its threads through a ``ContextVar``."""

from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Callbacks of a run. They are called from several threads and must not raise."""

    def began(self, stage: str, domain: str) -> None:
        """Receive the start of a stage, before DVC checks whether the stage is stale."""

    def progressed(self, stage: str, domain: str, label: str, done: int, total: int) -> None:
        """Receive progress: ``done`` of the ``total`` units of the current step of a stage are finished."""

    def ended(self, stage: str, domain: str, outcome: str, seconds: float) -> None:
        """Receive the end of a stage, with ``outcome`` ``fresh``, ``restored``, ``ran`` or ``failed``."""

    def waiting(self) -> None:
        """Receive the notice that this run waits because another run is using the project."""


class Deaf:
    """Listener that ignores every call, used when progress is not shown."""

    def began(self, stage: str, domain: str) -> None: ...

    def progressed(self, stage: str, domain: str, label: str, done: int, total: int) -> None: ...

    def ended(self, stage: str, domain: str, outcome: str, seconds: float) -> None: ...

    def waiting(self) -> None: ...


listener: ContextVar[Listener] = ContextVar("listener", default=Deaf())  # noqa: B039  (a Deaf has no state)
