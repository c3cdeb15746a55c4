"""Fixtures of all tests: the project's root folder and the data mirror."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.runtime.parallel import single_threaded
from tests import small_project

ROOT = Path(__file__).resolve().parents[1]

# By default the workers of Ray give way to all other processes, so beside other tests they stand still.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112

GROUPS = {
    "test_kills.py": "undisturbed run",
    "test_cluster.py": "undisturbed run",
    "test_score.py": "learned applications",
    "test_pictures.py": "learned applications",
    "test_pipeline.py": "Prefect server",
    "test_application.py": "Prefect server",
}
"""Files whose tests share something expensive, such as a fixture of a ``conftest.py``."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file stays in one process, and so do the files of a group."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(GROUPS.get(item.path.name, str(item.path))))


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture
def mirror() -> Path:
    folder = os.environ.get("BASIN_DATA_MIRROR")
    if not folder:
        pytest.skip("BASIN_DATA_MIRROR is not set: no files of live sources on this machine")
    return (ROOT / folder).resolve()


@pytest.fixture
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on PATH")


@pytest.fixture(scope="session")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_project.surround(monkeypatch)
        return small_project.make(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(made_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of a small project with its git history and DVC cache."""
    small_project.surround(monkeypatch)
    return shutil.copytree(made_project, tmp_path, symlinks=True, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    """Compute the models of the domains in this process, because Ray takes long to start."""

    def run_units(function: Any, units: Any, *_: Any) -> list[Any]:
        return [single_threaded(function, unit) for unit in units]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("tasks.domains.climate.run_units", run_units)
        monkeypatch.setattr("tasks.forecasters.returns.features.run_units", run_units)
        yield
