"""The workspace of scheduled runs is a clone that shares the DVC cache, and other folders are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.server.checkout import prepared
from tasks.runtime.errors import BasinError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a small DVC project with one output in its cache."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "dvc.yaml").write_text("stages:\n  make:\n    cmd: echo 1 > out.txt\n    outs: [out.txt]\n")
    (root / "params.yaml").write_text("domains: {finance: returns}\nfinance: {}\n")
    for command in (
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        [sys.executable, "-m", "dvc", "repro", "-q"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=T", "-c", "user.email=t@localhost", "commit", "-qm", "project"],
    ):
        subprocess.run(command, cwd=root, check=True, capture_output=True)
    return root


def test_it_is_a_clone_with_the_outputs_of_its_commit(checkout, tmp_path):
    folder = prepared(checkout, tmp_path / "scheduled")
    assert (folder / "out.txt").read_text() == "1\n"
    (folder / "out.txt").write_text("2\n")
    assert prepared(checkout, folder) == folder
    assert (folder / "out.txt").read_text() == "2\n"  # one that is there is left as it is


def test_a_folder_of_something_else_is_refused(checkout, tmp_path):
    other = tmp_path / "letters"
    other.mkdir()
    (other / "dear.txt").write_text("Dear")
    with pytest.raises(BasinError, match="not a Basin workspace"):
        prepared(checkout, other)
    with pytest.raises(BasinError, match="lies inside"):
        prepared(checkout, checkout / "inside")
    with pytest.raises(BasinError, match="cannot clone"):
        prepared(other, tmp_path / "new")
    assert not (tmp_path / "new").exists()
