"""kill -9 at random moments: the next run must complete with the same hashes as an undisturbed run.

The runs use the domain climate with the reduced parameters of the slow tests. Run them with
``python -m benchmarks chaos`` or ``make bench-chaos``.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks import ROOT
from benchmarks.row import Row
from tests.system.test_entry_points import BASIN, clone, lock, surroundings

KILLS = 40
KINDS = ("flow", "worker", "stage", "dvc", "rename")
"""Process that is killed: the flow, a busy Ray worker, a stage run by DVC, DVC, or one renaming a file."""

FLOW = (sys.executable, *BASIN, "run", "--domain", "climate", "--quiet")
REPRO = (sys.executable, "-m", "dvc", "repro", "-q", *(f"{name}@climate" for name in ("report",)))
RENAMES = 12
"""Approximate number of outputs that a run renames into place."""

DYING = """
import os, signal
_real, _left = os.replace, [int(os.environ["BASIN_KILL_AT_RENAME"])]
def _dies(source, target, **options):
    if str(source).endswith(".tmp"):
        _left[0] -= 1
        if not _left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    return _real(source, target, **options)
os.replace = _dies
"""


@dataclass(frozen=True)
class Reference:
    """Undisturbed run: its folder and its ``dvc.lock``."""

    root: Path
    lock: dict


def chaos() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="basin-chaos-") as folder:
        reference = undisturbed(Path(folder))
        rng, survived, killed, failures = random.Random(0), 0, 0, []
        for k in range(KILLS):
            kind = KINDS[k % len(KINDS)]
            at = rng.uniform(0.05, 0.95)
            hit, problem = disturbed(reference, Path(folder), kind, at)
            killed, survived = killed + hit, survived + (not problem)
            failures += [f"{kind} at {at:.0%}: {problem}"] if problem else []
            ended = "" if hit else " (had ended)"
            print(f"  {k + 1} of {KILLS}: {kind} at {at:.0%}{ended} {problem}", flush=True)
    shown = f"{survived} of {KILLS} ({killed} killed at work)" + "".join(f"; {f}" for f in failures[:3])
    what = f"kill -9 of {', '.join(KINDS)}: the next run completes, same hashes, nothing half-written"
    yield Row(what, f"{KILLS} of {KILLS}", shown, survived == KILLS, value=survived)


def cluster() -> Iterator[Row]:
    """Run the slow test that kills one of three Ray nodes while a job runs on it."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "tests/system/test_cluster.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    shown = done.stdout.strip().splitlines()[-1]
    yield Row("one of three Ray nodes killed at work", "job ends, same hashes", shown, done.returncode == 0)


def undisturbed(folder: Path) -> Reference:
    root = clone(ROOT, folder / "reference")
    subprocess.run(FLOW, cwd=root, env=surroundings(root), check=True, capture_output=True)
    return Reference(root, lock(root))


def disturbed(reference: Reference, folder: Path, kind: str, at: float) -> tuple[bool, str]:
    """Kill a run in a separate clone once the share ``at`` of its outputs is written.

    Returns whether it was still running, and a description of the problem found, or "".
    """
    victim = folder / "victim" / "basin"
    shutil.rmtree(victim.parent, ignore_errors=True)
    root = clone(ROOT, victim)
    environment = surroundings(root)
    command = REPRO if kind in ("stage", "dvc") else FLOW
    if kind == "rename":
        site = folder / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(DYING)
        environment |= {
            "PYTHONPATH": f"{site}{os.pathsep}{root}",
            "BASIN_KILL_AT_RENAME": str(1 + int(at * RENAMES)),
        }
    running = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    hit = _strike(running, kind, [root / out for out in _outputs(reference.root)], at)
    _end_server(victim.parent)
    if problem := half_written(reference.root, root):
        return hit, problem
    again = subprocess.run(FLOW, cwd=root, env=surroundings(root), capture_output=True, text=True)
    if again.returncode:
        return hit, f"the next run failed: {(again.stdout + again.stderr)[-300:]}"
    if lock(root) != reference.lock:
        return hit, "other hashes"
    return hit, half_written(reference.root, root)


def _strike(running: subprocess.Popen, kind: str, outputs: list[Path], at: float) -> bool:
    """Wait, kill the process that ``kind`` names, and wait for the end of the run.

    The moment follows the outputs written, not a clock, because a loaded machine runs at another pace. The
    fraction of an output is waited in seconds, so that not every kill comes right after a rename.
    """
    main = psutil.Process(running.pid)
    hit = False
    whole, fraction = divmod(at * len(outputs), 1)
    while running.poll() is None and kind != "rename" and sum(map(Path.exists, outputs)) < whole:
        time.sleep(0.02)
    due = time.monotonic() + fraction
    while running.poll() is None and kind != "rename":
        if time.monotonic() >= due and (target := _target(main, kind)):
            with suppress(psutil.NoSuchProcess):
                target.send_signal(signal.SIGKILL)
                hit = True
            break
        time.sleep(0.02)
    with suppress(subprocess.TimeoutExpired):
        running.wait(300)
    return hit or running.returncode == -signal.SIGKILL


def _end_server(folder: Path) -> None:
    """End the temporary Prefect server that a killed flow leaves behind."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            home = process.environ().get("PREFECT_HOME", "")
            if home.startswith(str(folder)) and "prefect.server" in " ".join(process.cmdline()):
                process.kill()


def _target(main: psutil.Process, kind: str) -> psutil.Process | None:
    if kind in ("flow", "dvc"):
        return main
    wanted = "ray::single_threaded" if kind == "worker" else "-m tasks"
    with suppress(psutil.NoSuchProcess):
        for child in main.children(recursive=True):
            with suppress(psutil.Error):
                title = " ".join(child.cmdline())
                if wanted in title and "/bin/sh" not in title:
                    return child
    return None


def half_written(reference: Path, root: Path) -> str:
    """Describe an existing output that differs from that of the undisturbed run, or return ""."""
    for out in _outputs(reference):
        if (root / out).exists() and _bytes(root / out) != _bytes(reference / out):
            return f"{out} differs"
    return ""


def _outputs(reference: Path) -> list[str]:
    stages = yaml.safe_load((reference / "dvc.lock").read_text())["stages"].values()
    return [out["path"] for stage in stages for out in stage["outs"]]


def _bytes(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}
