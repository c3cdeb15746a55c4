"""Workspace of scheduled runs: a separate git clone that shares the DVC cache of the checkout."""

import logging
import shutil
import subprocess
from pathlib import Path

from tasks.operations.registry import CURRENT, assign, current, register
from tasks.runtime.errors import BasinError
from tasks.runtime.params import load_domains
from tasks.runtime.workspace import Workspace


def prepared(checkout: Path, folder: Path) -> Path:
    """Clone the last commit of ``checkout`` into ``folder``, unless that is a workspace; return ``folder``.

    The clone shares the checkout's DVC cache, restores the outputs of that commit from the cache and copies
    ``.dvc/config.local`` (remotes and their secrets). If a domain has no current model, the model of that
    commit becomes its first version. Raises ``BasinError`` if the folder holds other files, lies inside the
    checkout, or cannot be cloned.
    """
    if (folder / "dvc.yaml").is_file() and (folder / ".git").exists():
        return folder
    if folder.exists() and any(folder.iterdir()):
        raise BasinError(f"{folder} is not a Basin workspace and not empty; give another --workspace")
    if folder.is_relative_to(checkout):
        raise BasinError(f"{folder} lies inside {checkout}; give a --workspace outside it")
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    cloned = subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(checkout), str(temporary)],
        capture_output=True,
        text=True,
    )
    if cloned.returncode:
        raise BasinError(
            f"cannot clone {checkout}: {' '.join(cloned.stderr.split())}; commit the project with git first"
        )
    _share_cache(checkout, temporary)
    for domain in load_domains(temporary):
        if Workspace(temporary, domain).model.is_dir() and current(temporary, domain) is None:
            version = register(temporary, domain, f"the model of {checkout}")
            assign(temporary, domain, version, CURRENT, "the first version")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rmdir()
    temporary.rename(folder)
    return folder


def _share_cache(checkout: Path, workspace: Path) -> None:
    from dvc.config import Config
    from dvc.repo import Repo

    local = checkout / ".dvc" / "config.local"
    if local.is_file():
        shutil.copy2(local, workspace / ".dvc" / "config.local")
    with Repo(str(checkout)) as repo:
        cache = repo.cache.local_cache_dir
    with Config(str(workspace / ".dvc")).edit("local") as settings:
        settings["cache"]["dir"] = cache
    # DVC warns about outputs that are not in the cache yet, which is normal here.
    logging.getLogger("dvc_data").setLevel(logging.ERROR)
    with Repo(str(workspace)) as repo:
        repo.checkout(allow_missing=True)
