"""What tests of whole runs share: a run of a domain that nobody disturbed, and two learned applications."""

import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.test_entry_points import basin, clone
from tests.system.test_pictures import Learned, learned_images, learned_scans


class Undisturbed(NamedTuple):
    """The folder of a run that nobody disturbed, and the seconds that it took."""

    root: Path
    seconds: float


@pytest.fixture(scope="session")
def undisturbed(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A run of climate in a clone of its own; tests read its outputs and hashes and change nothing in it."""
    root = clone(project_root, tmp_path_factory.mktemp("undisturbed") / "reference")
    began = time.monotonic()
    basin(root, "run", "--domain", "climate")
    return Undisturbed(root, time.monotonic() - began)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """`images` learned from bars; tests read it and change nothing in it."""
    return learned_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """`mri` learned from made heads; tests read it and change nothing in it."""
    return learned_scans(tmp_path_factory.mktemp("scans"))
