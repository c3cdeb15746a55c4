"""Progress callbacks of a run, passed to its threads through a ``ContextVar``."""

from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Told from any thread; must not raise."""

    def began(self, stage: str, domain: str) -> None:
        """The stage was asked about, and runs if it is stale."""

    def progressed(self, stage: str, domain: str, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of the stage's present work are finished."""

    def ended(self, stage: str, domain: str, outcome: str, seconds: float) -> None:
        """``outcome`` is ``fresh``, ``restored``, ``ran`` or ``failed``."""

    def waiting(self) -> None:
        """Another run has the project; this one queues."""


class Deaf:
    """The listener of a run that nobody watches."""

    def began(self, stage: str, domain: str) -> None: ...

    def progressed(self, stage: str, domain: str, label: str, done: int, total: int) -> None: ...

    def ended(self, stage: str, domain: str, outcome: str, seconds: float) -> None: ...

    def waiting(self) -> None: ...


listener: ContextVar[Listener] = ContextVar("listener", default=Deaf())  # noqa: B039  (it has no state)
