"""Runs of applications as part of the project, in ``applications/``, versioned by DVC.

``applications/`` has its own ``dvc.yaml`` and ``params.yaml``. Therefore ``dvc status``, ``dvc repro`` and
``dvc pull`` in the project folder neither run an application nor report one that was never run.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from tasks.applications.harness.application import Given, get_application
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_yaml
from tasks.runtime.params import Strict, wrong_content
from tasks.runtime.workspace import Workspace

if TYPE_CHECKING:
    from tasks.applications.harness.run import Run

FOLDER = "applications"


class ApplicationParams(Strict):
    """Section of one application in ``applications/params.yaml``."""

    seeds: int = Field(ge=1, description="number of random seeds; every model is fitted once per seed")


def project_run(name: str, root: Path) -> "Run":
    """Return the run of an application on the data of the catalog. Results go to ``applications/NAME``.

    Raises ``BasinError`` if there is no such application or if ``applications/params.yaml`` has no valid
    section for it.
    """
    from tasks.applications.harness.run import Run

    application = get_application(name)
    params = load_application_params(root, name)
    views = Workspace(root, name)
    out = root / FOLDER / name
    return Run(application, Given(seeds=params.seeds), root, out, views.data_docs, views.tensorboard)


def load_application_params(root: Path, name: str) -> ApplicationParams:
    """Read the section ``name`` of ``applications/params.yaml``; raises ``BasinError`` if it is not valid."""
    path = root / FOLDER / "params.yaml"
    content = read_yaml(path, "run inside a Basin project, or give --out to write results elsewhere")
    if not isinstance(content, dict) or name not in content:
        raise BasinError(f"{path}: no section `{name}`; add one, such as `{name}: {{seeds: 5}}`")
    try:
        return ApplicationParams.model_validate(content[name])
    except ValidationError as error:
        raise wrong_content(path, error, name) from error
