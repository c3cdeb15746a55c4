"""The project's own runs of its applications: below ``applications/``, versioned by DVC.

That folder is a DVC project of its own, with its ``dvc.yaml`` and ``params.yaml``: the commands of the
project around it (``dvc status``, ``dvc repro``, ``dvc pull``) neither run an application nor miss one that
was never run.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from tasks.applications.harness.application import Given, get_application
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_yaml
from tasks.runtime.params import Strict
from tasks.runtime.workspace import Workspace

if TYPE_CHECKING:
    from tasks.applications.harness.run import Run

FOLDER = "applications"


class ApplicationParams(Strict):
    seeds: int = Field(ge=1, description="fits of everything that is learned, of which scores are means")


def project_run(name: str, root: Path) -> "Run":
    """The run of ``applications/NAME`` below ``root``, on the data of the catalog.

    Raises ``BasinError`` in one line where there is no such application or ``applications/params.yaml`` does
    not say how to run it.
    """
    from tasks.applications.harness.run import Run

    application = get_application(name)
    params = load_application_params(root, name)
    views = Workspace(root, name)
    out = root / FOLDER / name
    return Run(application, Given(seeds=params.seeds), root, out, views.data_docs, views.tensorboard)


def load_application_params(root: Path, name: str) -> ApplicationParams:
    path = root / FOLDER / "params.yaml"
    content = read_yaml(path, "run inside a Basin project, or give --out for a run of its own")
    if not isinstance(content, dict) or name not in content:
        raise BasinError(f"{path}: no section `{name}`; add one, such as `{name}: {{seeds: 5}}`")
    try:
        return ApplicationParams.model_validate(content[name])
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([name, *map(str, first["loc"])])
        raise BasinError(f"{path}: `{key}`: {first['msg']}") from error
