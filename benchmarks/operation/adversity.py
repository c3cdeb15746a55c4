"""Concurrent runs, a full disk, a read-only folder and missing servers: no output may be lost or mixed.

The runs use the domain climate with the reduced parameters of the slow tests. Run them with
``python -m benchmarks together adversity``.
"""

import ctypes
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import ROOT
from benchmarks.operation.chaos import FLOW, Reference, half_written, undisturbed
from benchmarks.row import Row
from tests.system.test_entry_points import clone, lock, surroundings

REPRO = (sys.executable, "-m", "dvc", "repro", "report@climate")
BUSY = "is busy"
"""Text of DVC's error when another process runs the same stage."""

MOST_LINES = 3
"""Largest number of lines of a clear error message."""
NOBODY = "127.0.0.1:1"
"""Address at which no server answers."""
CAPBSET_DROP, DAC_OVERRIDE = 24, 1


def together() -> Iterator[Row]:
    """Start two flows and a ``dvc repro`` at the same time in a project without outputs."""
    with tempfile.TemporaryDirectory(prefix="basin-together-") as folder:
        reference = undisturbed(Path(folder))
        root = clone(ROOT, Path(folder) / "all" / "basin")
        running = [_start(root, command) for command in (FLOW, FLOW, REPRO)]
        said = [process.communicate()[0] for process in running]
        codes = [process.returncode for process in running]
        problem = half_written(reference.root, root) or (
            "" if lock(root) == reference.lock else "other hashes"
        )
        if any(codes[:2]) or (codes[2] and BUSY not in said[2]):
            problem = f"exit codes {codes}: {' '.join(said[codes.index(max(codes))].split())[-200:]}"
        stages = len(reference.lock)
        work = sum(text.count(" done ") for text in said[:2]) + said[2].count("Running stage")
        problem = problem or ("" if work == stages else f"{work} stages worked on")
        ended = "ended too" if not codes[2] else "was told that a stage is busy"
        shown = problem or f"same hashes, {work} of {stages} stages run once; dvc repro {ended}"
        yield Row("two flows and a dvc repro at once", "no lost, mixed or doubled work", shown, not problem)


def adversity() -> Iterator[Row]:
    """Run under each condition, in a separate clone, and check the error and the recovery by the next run."""
    with tempfile.TemporaryDirectory(prefix="basin-adversity-") as folder:
        reference = undisturbed(Path(folder))
        for name, prepare, environment, limit, wanted in (
            ("disk full (files beyond 100 kB refused)", _nothing, {}, _small_files, "free some space"),
            ("artifacts read-only", _read_only, {}, _obey_permissions, "writable"),
            ("Prefect's server down", _nothing, {"PREFECT_API_URL": f"http://{NOBODY}/api"}, None, NOBODY),
            ("wrong Ray address", _nothing, {"RAY_ADDRESS": NOBODY}, None, "RAY_ADDRESS"),
        ):
            victim = Path(folder) / "victim"
            shutil.rmtree(victim, ignore_errors=True)
            root = clone(ROOT, victim / "basin")
            prepare(root)
            shown, met = _suffered(reference, root, environment, limit, wanted)
            yield Row(name, "clear error or recovery, nothing lost", shown, met)


def _suffered(
    reference: Reference, root: Path, environment: dict[str, str], limit: Callable | None, wanted: str
) -> tuple[str, bool]:
    run = subprocess.run(
        FLOW, cwd=root, env=surroundings(root) | environment, capture_output=True, text=True, preexec_fn=limit
    )
    words = " ".join(run.stderr.split())
    if not run.returncode:
        return "the run went through", lock(root) == reference.lock
    if wanted not in words or run.stderr.count("\n") > MOST_LINES:
        return f"unclear: {words[-300:]}", False
    if problem := half_written(reference.root, root):
        return problem, False
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    again = subprocess.run(FLOW, cwd=root, env=surroundings(root), capture_output=True, text=True)
    good = not again.returncode and lock(root) == reference.lock
    return f"“{words[:160]}”; the next run {'has the same hashes' if good else 'failed'}", good


def _start(root: Path, command: tuple[str, ...]) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=root,
        env=surroundings(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _nothing(root: Path) -> None:
    """Leave the clone unchanged."""


def _read_only(root: Path) -> None:
    folder = root / "artifacts" / "climate"
    folder.mkdir(parents=True)
    folder.chmod(0o555)


def _small_files() -> None:
    """Limit the size of files, so that writing fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def _obey_permissions() -> None:
    """Drop root's right to write to read-only folders. For other users the call has no effect."""
    ctypes.CDLL(None).prctl(CAPBSET_DROP, DAC_OVERRIDE, 0, 0, 0)
