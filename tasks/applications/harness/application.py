"""Interface of an application, which learns an energy from examples. Each application is one folder.

A forecasting domain is a :class:`tasks.domains.domain.Domain`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from tasks.applications.harness.stored_model import Scored, Stored
    from tasks.applications.harness.trials import Trial
    from tasks.checks.table.evidence import Spec
    from tasks.runtime.parallel import Progress

STAGES = ("ingest", "validate", "audit", "train", "evaluate", "landscape", "report")
"""Of an application, in order."""


@dataclass(frozen=True)
class Given:
    """What the command was given: files of the user's own, or none of them for those of the catalog."""

    data: Path | None = None
    train: Path | None = None
    test: Path | None = None
    label: str | None = None
    seeds: int = 5

    @property
    def own(self) -> bool:
        return any(path is not None for path in (self.data, self.train, self.test))

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.data, self.train, self.test) if path is not None)


@dataclass(frozen=True)
class Picture:
    """A figure of the report: PNG bytes (``tasks.reporting.maps.png``), what it shows, how to read it."""

    name: str
    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Scene:
    """What the landscape is drawn of: examples ``(n, d)`` in the space that the energy sees, d ≥ 2.

    ``energy`` maps ``(m, d)`` to ``(m,)``; ``labels`` ``(n,)`` are words, one colour each; ``columns`` name
    the d coordinates, for the axes.
    """

    points: "np.ndarray"
    energy: "Callable[[np.ndarray], np.ndarray]"
    labels: "np.ndarray"
    columns: tuple[str, ...]
    caption: str


class Application(ABC):
    """One module ``tasks/applications/NAME/application.py`` with an instance ``APPLICATION``.

    Import torch and scikit-learn inside the methods: a bad command line must not wait for them. The methods
    are called about in the order in which they stand here, each once but ``fit``: once a seed.
    """

    name: str
    title: str
    question: str
    """What is asked and how it is judged, in a few plain sentences for the report."""
    own_title: str = ""
    own_question: str = ""
    """Of files of the user's own; empty where title and question hold of any."""
    sources: tuple[str, ...]
    """Entries of ``data/catalog.yaml``, of kind ``dataset``."""
    reference: str
    """The peer that the headline compares with."""

    @abstractmethod
    def read(self, given: Given, sources: dict[str, Any]) -> Any:
        """The examples with their split into training and test part, as the later methods want them.

        ``sources`` maps each name of ``self.sources`` to a path or to what its loader returned; it is empty
        where the user gave files. Raises ``BasinError`` for whatever cannot be learned from or judged.
        """

    @abstractmethod
    def table(self, examples: Any) -> "pd.DataFrame":
        """One row an example: ``example`` (name), ``split`` (train or test), what suite and audit judge."""

    @abstractmethod
    def spec(self, examples: Any) -> "Spec":
        """What the columns of :meth:`table` are, for the audit."""

    @abstractmethod
    def fit(self, examples: Any, seed: int, progress: "Progress") -> Any:
        """The energy model and every peer, learned from the training part with ``seed`` and nothing else."""

    @abstractmethod
    def trials(self, examples: Any, fitted: list[Any]) -> "list[Trial]":
        """The test part opened: what ``ebm`` and each peer answer, one trial a seed (and a group)."""

    @abstractmethod
    def answers(self, examples: Any, fitted: list[Any], trials: "list[Trial]") -> "list[pd.DataFrame]":
        """What ``ebm`` says of each test example, once a seed: ``example`` and ``truth``, then what applies:
        ``energy``, ``prediction``, ``probability CLASS`` (``tasks.applications.harness.answers``)."""

    def outcomes(
        self, examples: Any, fitted: list[Any], trials: "list[Trial]"
    ) -> "tuple[pd.DataFrame, Spec] | None":
        """Answers about persons, for the check of fairness: a table with label, prediction and groups."""
        return None

    @abstractmethod
    def scene(self, examples: Any, fitted: list[Any]) -> Scene:
        """What the landscape shows."""

    def curves(self, fitted: list[Any]) -> dict[str, list[float]]:
        """Training curves by name, for TensorBoard."""
        return {}

    @abstractmethod
    def pictures(self, examples: Any, fitted: list[Any], trials: "list[Trial]") -> list[Picture]:
        """What is judged, for the eye."""

    @abstractmethod
    def model(self, fitted: list[Any]) -> "tuple[dict[str, Tensor], dict[str, Any]]":
        """``model.safetensors`` and ``config.json`` of the energy model."""

    def signature(self, examples: Any, fitted: list[Any]) -> dict[str, Any] | None:
        """What :meth:`score` must know beside :meth:`model` (columns, sizes, energies of training examples
        that were held out), for ``config.json``; None where new examples cannot be scored."""
        return None

    def score(self, stored: "Stored", path: Path) -> "Scored":
        """What the stored model says of the examples in ``path``; raises ``BasinError`` for others than it
        learned from. Only where there is a :meth:`signature`."""
        raise NotImplementedError

    @abstractmethod
    def notes(self, examples: Any, scores: dict[str, Any]) -> list[str]:
        """Plain sentences that a reader of the scores must know: limits of the data, where it falls short."""


APPLICATIONS = tuple(sorted(path.parent.name for path in Path(__file__).parents[1].glob("*/application.py")
                            if path.parent.name != "harness"))  # fmt: skip
"""Every application there is a folder of."""


def get_application(name: str) -> Application:
    """Raise ``BasinError`` where there is no application of this name."""
    if name not in APPLICATIONS:
        raise BasinError(
            f"no application `{name}`; known: {', '.join(APPLICATIONS)}; a domain that forecasts a "
            f"series is run by `basin run --domain {name}`"
        )
    application: Application = import_module(f"tasks.applications.{name}.application").APPLICATION
    return application
