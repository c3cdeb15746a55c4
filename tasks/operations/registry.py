"""Model registry: DVC artifacts whose versions and statuses are git tags in the format of GTO.

The tag ``finance@v0.0.2`` marks the commit whose ``dvc.lock`` records the model of that version. The tag
``finance#current#3`` marks the version that forecasts use. The message of a tag is the reason. The commands
``dvc artifacts get``, ``gto show`` and ``git show`` read the same tags.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write
from tasks.runtime.workspace import Workspace

CURRENT, REFUSED = "current", "refused"


@dataclass(frozen=True)
class Event:
    """Event of the registry, stored as a tag: registration of a version (``status`` None) or a new status."""

    version: str
    status: str | None
    commit: str
    time: datetime
    author: str
    why: str


def history(root: Path, domain: str) -> list[Event]:
    """Return the registry's events for ``domain``, oldest first."""
    from gto.api import history as tags

    known = [tag for tag in _gto(tags, root, domain, ascending=True) if tag["event"] != "commit"]
    # Tags created within the same second are ordered by the number at the end of their name.
    known.sort(key=lambda tag: (tag["timestamp"], _number(tag["ref"])))
    return [
        Event(
            tag["version"],
            tag["stage"],
            tag["commit"],
            tag["timestamp"],
            tag["author"],
            tag["message"].strip(),
        )
        for tag in known
    ]


def versions(events: list[Event]) -> dict[str, str]:
    """Return the commit of each registered version, in order of registration."""
    return {event.version: event.commit for event in events if event.status is None}


def line_of_succession(events: list[Event]) -> list[str]:
    """Return the versions that were current and have not been rolled back; the last one is in use.

    A rollback to a version removes those promoted after it.
    """
    line: list[str] = []
    for event in events:
        if event.status == CURRENT:
            line = line[: line.index(event.version)] if event.version in line else line
            line.append(event.version)
    return line


def status(events: list[Event], version: str) -> str:
    """Return the status of a version.

    It is ``current``, ``before`` (the version was current earlier), ``rolled back``, ``refused``, or an empty
    string if there was no decision yet.
    """
    line = line_of_succession(events)
    if version in line:
        return CURRENT if version == line[-1] else "before"
    given = [event.status for event in events if event.version == version and event.status]
    return "" if not given else "rolled back" if CURRENT in given else given[-1]


def current(root: Path, domain: str) -> str | None:
    """Return the version in use, or None."""
    line = line_of_succession(history(root, domain))
    return line[-1] if line else None


def register(root: Path, domain: str, why: str) -> str:
    """Register the model of the last commit, unless it is registered already, and return its version.

    Raises ``BasinError`` if ``dvc.lock``, ``dvc.yaml`` or ``params.yaml`` has uncommitted changes, or if
    ``dvc.lock`` has no model of ``domain``.
    """
    from gto.api import register as tag

    if git(root, "status", "--porcelain", "--", "dvc.lock", "dvc.yaml", "params.yaml"):
        raise BasinError(
            f"{root}: dvc.lock, dvc.yaml or params.yaml has uncommitted changes; commit them, then try again"
        )
    commit = git(root, "rev-parse", "HEAD")
    if commit not in _by_commit(root, domain):
        _model_hash(root, domain, commit)
        _gto(tag, root, domain, "HEAD", message=why, **_author(root))
    return _by_commit(root, domain)[commit]


def assign(root: Path, domain: str, version: str, status: str, why: str) -> None:
    """Give ``version`` the ``status`` ``CURRENT`` or ``REFUSED``, with the reason ``why``."""
    from gto.api import assign as tag

    commit_of(root, domain, version)
    _gto(tag, root, domain, status, version=version, message=why, force=True, **_author(root))


def rollback(root: Path, domain: str, why: str) -> tuple[str, str]:
    """Make the previously current version current again; return this version and the one that it replaces.

    Raises ``BasinError`` if there is no previous version.
    """
    line = line_of_succession(history(root, domain))
    if len(line) < 2:
        raise BasinError(
            f"{domain}: no version was current before {line[-1] if line else 'now'}; nothing to roll back to"
        )
    assign(root, domain, line[-2], CURRENT, why)
    return line[-2], line[-1]


def commit_of(root: Path, domain: str, version: str) -> str:
    """Return the commit of a registered version; raises ``BasinError`` if there is no such version."""
    known = versions(history(root, domain))
    if version not in known:
        raise BasinError(f"{domain}: no version {version}; registered versions: {', '.join(known) or 'none'}")
    return known[version]


def same_model(root: Path, domain: str, one: str, other: str) -> bool:
    """Return whether ``dvc.lock`` records the same model at both commits."""
    return _model_hash(root, domain, one) == _model_hash(root, domain, other)


def in_use(root: Path, domain: str) -> Path:
    """Return the folder of the current version, ``runs/DOMAIN/models/VERSION``, fetching its files if needed.

    The folder holds ``model/`` and ``forecasts.parquet``. Raises ``BasinError`` if no version is current, or
    if neither DVC's cache nor the default remote has the files.
    """
    version = current(root, domain)
    if version is None:
        raise BasinError(
            f"{domain}: no model is current; run `basin run`, commit dvc.lock, then "
            f"`basin models promote {domain}`"
        )
    folder = Workspace(root, domain).runs / "models" / version
    if not folder.is_dir():
        with atomic_write(folder) as (temporary,):
            temporary.mkdir()
            commit = commit_of(root, domain, version)
            for name in ("model", "forecasts.parquet"):
                fetch(root, commit, f"artifacts/{domain}/{name}", temporary / name)
    return folder


def fetch(root: Path, commit: str, path: str, target: Path) -> None:
    """Copy a DVC output of ``commit`` to ``target``, from the cache or else from the default remote.

    Raises ``BasinError`` if neither has it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.index import DataIndexDirError

    try:
        with Repo.open(str(root)) as repo, repo.switch(commit):
            repo.dvcfs.get(path, str(target), recursive=True)
    except (DvcException, DataIndexDirError, FileNotFoundError) as error:
        raise BasinError(
            f"{path} of commit {commit[:9]} is not in DVC's cache; get it from a remote with "
            "`dvc fetch --all-commits`"
        ) from error


def git(root: Path, *arguments: str) -> str:
    """Run a git command in ``root`` and return its output; raises ``BasinError`` with git's message."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise BasinError(f"git {arguments[0]} failed in {root}: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def identity(root: Path) -> tuple[str, str]:
    """Return the user name and email address of git, or those of Basin if git has none configured."""
    known = subprocess.run(
        ["git", "config", "user.name"], cwd=root, capture_output=True, text=True
    ).stdout.strip()
    address = subprocess.run(["git", "config", "user.email"], cwd=root, capture_output=True, text=True).stdout
    return (known, address.strip()) if known and address.strip() else ("Basin", "basin@localhost")


def _by_commit(root: Path, domain: str) -> dict[str, str]:
    return {commit: version for version, commit in versions(history(root, domain)).items()}


def _author(root: Path) -> dict[str, str]:
    name, address = identity(root)
    return {"author": name, "author_email": address}


def _number(ref: str) -> int:
    end = ref.rpartition("#")[2]
    return int(end) if end.isdigit() else 0


def _model_hash(root: Path, domain: str, commit: str) -> str:
    import yaml

    lock = yaml.safe_load(git(root, "show", f"{commit}:dvc.lock"))
    for out in lock["stages"].get(f"register@{domain}", {}).get("outs", []):
        if out["path"] == f"artifacts/{domain}/model":
            return str(out["md5"])
    raise BasinError(
        f"dvc.lock of {commit[:9]} has no model of {domain}; run `basin run` and commit dvc.lock"
    )


def _gto(call: Callable[..., Any], root: Path, *arguments: Any, **options: Any) -> Any:
    """Call a function of GTO and turn its errors into ``BasinError``."""
    from gto.exceptions import GTOException

    try:
        return call(str(root), *arguments, **options)
    except GTOException as error:
        raise BasinError(f"{root}: {' '.join(str(error).split())}") from error
