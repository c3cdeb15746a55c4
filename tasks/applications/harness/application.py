"""Interface of an application, which fits an energy to examples. Each application is one folder.

Domains of time series have their own interface, :class:`tasks.domains.domain.Domain`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.runtime.errors import BasinError, expected

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from tasks.applications.harness.stored_model import Scored, Stored
    from tasks.applications.harness.trials import Trial
    from tasks.checks.table.evidence import Spec
    from tasks.runtime.parallel import Progress

STAGES = ("ingest", "validate", "audit", "train", "evaluate", "landscape", "report")
"""Stages of an application, in order."""


@dataclass(frozen=True)
class Given:
    """Options of a run: files, label and number of seeds. Without files, the data of the catalog are used."""

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
    """Figure of the report, as PNG bytes (see ``tasks.reporting.maps.png``) with title and caption."""

    name: str
    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Scene:
    """Content of the energy landscape: examples ``points`` ``(n, d)``, d ≥ 2, as inputs of the energy.

    ``energy`` maps ``(m, d)`` to ``(m,)``. ``labels`` ``(n,)`` are texts, each drawn in its own colour.
    ``columns`` are the names of the d coordinates, used for the axes.
    """

    points: "np.ndarray"
    energy: "Callable[[np.ndarray], np.ndarray]"
    labels: "np.ndarray"
    columns: tuple[str, ...]
    caption: str


class Application(ABC):
    """Base class of applications. ``tasks/applications/NAME/application.py`` has an instance ``APPLICATION``.

    Import torch and scikit-learn inside the methods, so that an error in the command line is reported without
    waiting for these imports. The methods are called roughly in the order below, each once, except ``fit``,
    which is called once per seed.
    """

    name: str
    title: str
    question: str
    """The task and how it is evaluated, in a few plain sentences for the report."""
    own_title: str = ""
    own_question: str = ""
    """Title and question for a user's own files. If empty, ``title`` and ``question`` are used."""
    sources: tuple[str, ...]
    """Names of entries of ``data/catalog.yaml``, of kind ``dataset``."""
    reference: str
    """Name of the peer that the headline of the report compares with."""
    score_files: tuple[str, ...] = ()
    """Names of the files that :meth:`score` returns beside the answers."""

    @abstractmethod
    def read(self, given: Given, sources: dict[str, Any]) -> Any:
        """Read the examples and split them into training and test part.

        The result is passed to the later methods as ``examples``. ``sources`` maps each name of
        ``self.sources`` to a path or to the result of its loader; it is empty if the user gave files. Raises
        ``BasinError`` for examples that cannot be used for training or evaluation.
        """

    @abstractmethod
    def table(self, examples: Any) -> "pd.DataFrame":
        """Return one row per example with ``example`` (name), ``split`` (train or test) and columns to check.

        The expectation suite and the audit are applied to this table.
        """

    @abstractmethod
    def spec(self, examples: Any) -> "Spec":
        """Describe the columns of :meth:`table` for the audit."""

    @abstractmethod
    def fit(self, examples: Any, seed: int, progress: "Progress") -> Any:
        """Fit the energy model and every peer on the training part only, with the random seed ``seed``."""

    @abstractmethod
    def trials(self, examples: Any, fitted: list[Any]) -> "list[Trial]":
        """Apply ``ebm`` and each peer to the test part; return one trial for each seed and group."""

    @abstractmethod
    def answers(self, examples: Any, fitted: list[Any], trials: "list[Trial]") -> "list[pd.DataFrame]":
        """Return the answers of ``ebm`` for each test example, one table per seed.

        Columns are ``example`` and ``truth``, and where they apply ``energy``, ``prediction`` and
        ``probability CLASS`` (see ``tasks.applications.harness.answers``).
        """

    def outcomes(
        self, examples: Any, fitted: list[Any], trials: "list[Trial]"
    ) -> "tuple[pd.DataFrame, Spec] | None":
        """Return label, prediction and group of persons for each row, or None if fairness is not checked."""
        return None

    @abstractmethod
    def scene(self, examples: Any, fitted: list[Any]) -> Scene:
        """Return the content of the energy landscape."""

    def curves(self, fitted: list[Any]) -> dict[str, list[float]]:
        """Return training curves by name, for TensorBoard."""
        return {}

    @abstractmethod
    def pictures(self, examples: Any, fitted: list[Any], trials: "list[Trial]") -> list[Picture]:
        """Return figures of test examples and results for the report."""

    @abstractmethod
    def model(self, fitted: list[Any]) -> "tuple[dict[str, Tensor], dict[str, Any]]":
        """Return the content of ``model.safetensors`` and ``config.json`` of the energy model."""

    def signature(self, examples: Any, fitted: list[Any]) -> dict[str, Any] | None:
        """Return what :meth:`score` needs in addition to :meth:`model`, for ``config.json``.

        Examples are columns, sizes and the energies of held-out training examples. None means that the
        application cannot score new examples.
        """
        return None

    def score(self, stored: "Stored", path: Path) -> "Scored":
        """Apply the stored model to the examples in ``path``.

        Only applications with a :meth:`signature` implement this. Raises ``BasinError`` for examples of
        another kind than the training examples.
        """
        raise NotImplementedError

    @abstractmethod
    def notes(self, examples: Any, scores: dict[str, Any]) -> list[str]:
        """Return sentences that help to read the scores: limits of the data and weaknesses of the model."""


APPLICATIONS = tuple(sorted(path.parent.name for path in Path(__file__).parents[1].glob("*/application.py")
                            if path.parent.name != "harness"))  # fmt: skip
"""Names of all applications, one for each folder with an ``application.py``."""


def get_application(name: str) -> Application:
    """Return the application ``name``; raise ``BasinError`` if there is no application of this name."""
    if name not in APPLICATIONS:
        raise BasinError(
            f"unknown application `{name}`; {expected(name, APPLICATIONS)}; a domain of time series is run "
            f"by `basin run --domain {name}`"
        )
    application: Application = import_module(f"tasks.applications.{name}.application").APPLICATION
    return application
