"""Run a stage only if DVC finds it stale; otherwise restore its outputs.

Every entry point except ``dvc repro`` uses this module. It writes the same ``dvc.lock`` as ``dvc repro``
would, so a stage that one entry point has run is fresh for all others.
"""

import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.runtime.errors import BasinError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

T = TypeVar("T")

PATIENCE = 900.0
"""Seconds to wait for files locked by another DVC command; longer than any single stage takes."""

_turn = threading.Lock()


class Verdict(StrEnum):
    """Outcome for one stage: it was fresh, its outputs were restored from the cache, or it ran."""

    FRESH = "fresh"
    RESTORED = "restored"
    RAN = "ran"

    @property
    def cached(self) -> bool:
        """Whether the outputs were fresh or restored, so that the stage was not run."""
        return self is not Verdict.RAN


def bring_up_to_date(name: str, root: Path, run: Callable[[], Any]) -> Verdict:
    """Bring the outputs of the stage ``name`` of ``root/dvc.yaml`` up to date, calling ``run`` if necessary.

    - If inputs, parameters, code and outputs match ``dvc.lock``, nothing is done.
    - If DVC's run cache has the outputs, they are restored.
    - Otherwise ``run()`` is called and its outputs are recorded in ``dvc.lock``.

    During ``run`` only this stage is locked, as by ``dvc repro``, so that no other process does the same
    work. If it fails, the earlier outputs and their record stay.

    Raises ``BasinError`` if an input is missing, if an input changes during ``run``, or if another DVC
    command locks the files for longer than ``PATIENCE``. Exceptions of ``run`` are passed on.
    """
    with ExitStack() as held:
        answer = _with_repo(root, name, lambda repo: _ask(repo, _stage(repo, name), held))
        if isinstance(answer, Verdict):
            return answer
        run()
        _with_repo(root, name, lambda repo: _finish(_stage(repo, name), answer, held))
    return Verdict.RAN


def nothing_to_do(root: Path, names: Sequence[str]) -> bool:
    """Return whether all these stages are fresh, without changing anything."""
    return _with_repo(root, names[0], lambda repo: not any(_stage(repo, name).changed() for name in names))


@contextmanager
def one_run_at_a_time(root: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Lock the project for one run. A second run calls ``waiting`` and then waits for the lock.

    The lock belongs to an open file, so the operating system releases it even if the process is killed.
    """
    import fcntl

    path = root / ".dvc" / "tmp" / "basin.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BasinError(
            f"cannot write {path}: {error.strerror}; make the project folder writable"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _ask(repo: "Repo", stage: "PipelineStage", held: ExitStack) -> "Verdict | dict[str, Any]":
    """Return a verdict if nothing has to run, otherwise the hashes of the stage's inputs.

    In the second case DVC's lock on the stage is added to ``held``: read for inputs, write for outputs.
    """
    from dvc.exceptions import ConfirmRemoveError
    from dvc.stage.cache import RunCacheNotFoundError

    if not stage.changed():
        return Verdict.FRESH
    for dep in stage.deps:
        if not dep.exists:
            raise BasinError(
                f"{stage.name}: its input {dep} is missing; run the stages before it (`basin run`)"
            )
    try:
        repo.stage_cache.restore(stage)
    except (RunCacheNotFoundError, ConfirmRemoveError):
        stage.save_deps()
        held.enter_context(_locked(repo, stage))
        return _hashes(stage)
    _write_down(stage)
    return Verdict.RESTORED


def _locked(repo: "Repo", stage: "PipelineStage") -> AbstractContextManager[None]:
    from dvc.rwlock import rwlock

    command = " ".join(sys.argv)  # DVC's own name for a process, which its own locks do not block
    read, write = ([entry.fs_path for entry in entries] for entries in (stage.deps, stage.outs))
    hardlink = bool(repo.config["core"].get("hardlink_lock", False))
    return rwlock(repo.tmp_dir, repo.fs, command, read, write, hardlink)


def _finish(stage: "PipelineStage", seen: dict[str, Any], held: ExitStack) -> None:
    with held:
        _record(stage, seen)


def _record(stage: "PipelineStage", seen: dict[str, Any]) -> None:
    stage.save_deps()
    moved = [path for path, value in _hashes(stage).items() if seen.get(path) != value]
    if moved:
        raise BasinError(
            f"{stage.name}: {', '.join(moved)} changed while the stage ran; its outputs were not recorded, "
            "so run it again"
        )
    _write_down(stage)


def _write_down(stage: "PipelineStage") -> None:
    stage.save()
    stage.commit()
    stage.dump(update_pipeline=False)


def _hashes(stage: "PipelineStage") -> dict[str, Any]:
    return {str(dep): dep.hash_info.value for dep in stage.deps}


def _stage(repo: "Repo", name: str) -> "PipelineStage":
    return repo.stage.load_one(os.path.join(repo.root_dir, "dvc.yaml"), name)


def _with_repo(root: Path, name: str, act: "Callable[[Repo], T]") -> T:
    """Call ``act(repo)`` under DVC's lock, waiting while another DVC command has it."""
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo
    from dvc.stage.exceptions import StageNotFound

    # DVC logs every lock file that it writes, which would clutter the terminal.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            # A Repo is not thread-safe and caches what it reads, so each call gets a new one, one at a time.
            with _turn, Repo(str(root)) as repo:
                repo.stage_cache = _stage_cache(repo)
                with lock_repo(repo):
                    return act(repo)
        except LockError as error:
            if time.monotonic() > deadline:
                raise BasinError(
                    f"{name}: another DVC command has locked {root} for {PATIENCE:.0f} s; end it, then run "
                    "again"
                ) from error
            time.sleep(0.5)
        except StageNotFound as error:
            path = root / "dvc.yaml"
            raise BasinError(f"{path}: no stage `{name}`; check `domains` in params.yaml") from error
        except DvcException as error:
            raise BasinError(f"{name}: {' '.join(str(error).split())}") from error
        except (OSError, sqlite3.Error) as error:  # DVC keeps hashes in SQLite databases
            where = getattr(error, "filename", None) or root
            raise BasinError(
                f"{name}: DVC cannot use {where}: {getattr(error, 'strerror', None) or error}; free some "
                "space or make the project folder writable"
            ) from error


def _stage_cache(repo: "Repo") -> Any:
    """Return DVC's run cache, changed so that it works from a directory outside the project."""
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.cache import StageCache
    from dvc.stage.loader import StageLoader

    class RootedStageCache(StageCache):
        def _create_stage(self, cache: dict[str, Any], wdir: str | None = None) -> PipelineStage:
            stage = create_stage(
                PipelineStage,
                repo=self.repo,
                path=os.path.join(self.repo.root_dir, "dvc.yaml"),
                cmd=cache["cmd"],
                wdir=wdir or self.repo.root_dir,
                outs=[out["path"] for out in cache["outs"]],
            )
            StageLoader.fill_from_lock(stage, cache)
            return stage

    return RootedStageCache(repo)
