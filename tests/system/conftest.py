"""Fixtures of the system tests: an undisturbed run of a domain, and two fitted applications."""

from pathlib import Path

import pytest

from tests.system.test_entry_points import basin, clone
from tests.system.test_pictures import Learned, learned_images, learned_scans


@pytest.fixture(scope="session")
def undisturbed(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run climate in a separate clone and return its folder.

    Tests read the outputs and hashes and must not change them.
    """
    root = clone(project_root, tmp_path_factory.mktemp("undisturbed") / "reference")
    basin(root, "run", "--domain", "climate")
    return root


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """Run `images` on pictures of bars. Tests read the results and must not change them."""
    return learned_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """Run `mri` on synthetic heads. Tests read the results and must not change them."""
    return learned_scans(tmp_path_factory.mktemp("scans"))
