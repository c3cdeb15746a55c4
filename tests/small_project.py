"""A DVC project whose one stage makes the "model" of a domain from a parameter."""

import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import yaml

PIPELINE = {
    "stages": {
        "register": {
            "foreach": ["finance"],
            "do": {
                "cmd": "python make.py",
                "params": ["level"],
                "outs": ["artifacts/${item}/model", "artifacts/${item}/forecasts.parquet"],
            },
        }
    },
    "artifacts": {"finance": {"path": "artifacts/finance/model", "type": "model"}},
}
MAKE = """
import pathlib, yaml
folder = pathlib.Path("artifacts/finance/model")
folder.mkdir(parents=True, exist_ok=True)
level = str(yaml.safe_load(open("params.yaml"))["level"])
(folder / "config.json").write_text(level)
(folder.parent / "forecasts.parquet").write_text(level)
"""


def call(root: Path, *command: str) -> None:
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def retrain(root: Path, level: int) -> None:
    from dvc.repo import Repo

    (root / "params.yaml").write_text(f"level: {level}\n")
    with chdir(root), Repo() as repo:  # in this process, because DVC takes long to import
        repo.reproduce()
    call(root, "git", "add", "-A")
    call(root, "git", "commit", "-qm", f"level {level}", "--allow-empty")


def surround(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure git's identity and the Python that DVC's commands use."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@localhost")


def make(root: Path) -> Path:
    """Create the project in ``root`` and commit its first model."""
    from dvc.repo import Repo

    (root / "make.py").write_text(MAKE)
    (root / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    (root / ".gitignore").write_text("/runs/\n/artifacts/\n")
    call(root, "git", "init", "-q")
    Repo.init(str(root)).close()
    retrain(root, 1)
    return root
