"""Files of a backtest or forecast of a user's data, in the folder of the results."""

from dataclasses import dataclass
from pathlib import Path

from tasks.runtime.workspace import Workspace

DATA = (
    "raw", "provenance", "expectations", "quarantine", "validation", "data_docs", "inputs", "classical",
)  # fmt: skip
"""Files of the workspace that every backtest and forecast writes."""

FITTED = ("audit", "fits", "model")
"""Files of the workspace that are written if a model is fitted."""

EVALUATED = (
    "scores", "forecasts", "metrics", "plots", "landscape", "tensorboard", "forecast_audit", "model_card",
    "report",
)  # fmt: skip
"""Files of the workspace that only a backtest writes."""


@dataclass(frozen=True)
class OwnWorkspace(Workspace):
    """Workspace with results in the root folder, and intermediate tables below its folder ``data``.

    The root is a temporary folder, whose files are moved into the folder of the results at the end.
    """

    given: Path | None = None
    """Folder of a model to forecast with. By default a model is fitted."""
    out: Path | None = None
    """Folder of the results, which gets the page of the validation at once, as it shows why a run stopped."""

    @property
    def artifacts(self) -> Path:
        return self.root

    @property
    def data_docs(self) -> Path:
        return (self.out or self.root) / "runs" / self.domain / "data_docs"

    @property
    def model(self) -> Path:
        return self.given or self.root / "model"


def names_of(*files: str) -> list[str]:
    """Return the paths of files of a workspace, relative to its root."""
    workspace = OwnWorkspace(Path(), "own")
    return [getattr(workspace, name).as_posix() for name in files]
