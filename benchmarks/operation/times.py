"""Times of the entry points, in clones of this commit. Short runs are repeated three times (median)."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks import ROOT
from benchmarks.row import Row


@contextmanager
def clone() -> Iterator[Path]:
    """Clone HEAD into a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        target = Path(folder) / "basin"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
        yield target


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Run a command in ``folder`` with this environment's programs; return its seconds and its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    began = time.monotonic()
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    return seconds, run.stdout


def basin(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from flows.cli.app import app; app()", *arguments]


def hashes(folder: Path) -> dict[str, list[str]]:
    """Return the output hashes of each stage in ``dvc.lock``."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return {name: [out["md5"] for out in stage["outs"]] for name, stage in sorted(stages.items())}


def cold() -> Iterator[Row]:
    """Time `make run`, including the installation of the environment."""
    with clone() as folder:
        seconds, _ = timed(["make", "run"], folder)
    yield Row(
        "make run on a clean clone, installs included",
        "≤ 10 min",
        f"{seconds / 60:.1f} min",
        seconds <= 600,
        value=seconds / 60,
        unit="min",
    )


def runs() -> Iterator[Row]:
    """Time a first run, a run without changes, and a run after a change of one domain's parameters."""
    with clone() as folder:
        seconds, _ = timed(basin("run"), folder)
        yield Row(
            "run, environment ready, no artifacts",
            "≤ 2 min",
            f"{seconds / 60:.1f} min",
            seconds <= 120,
            value=seconds / 60,
            unit="min",
        )
        seconds = statistics.median(timed(basin("run"), folder)[0] for _ in range(3))
        clean = "up to date" in timed(["dvc", "status"], folder)[1]
        yield Row(
            "the same again, nothing changed",
            "≤ 20 s, dvc status clean",
            f"{seconds:.1f} s, dvc status {'clean' if clean else 'dirty'}",
            seconds <= 20 and clean,
            value=seconds,
            unit="s",
        )
        params = yaml.safe_load((folder / "params.yaml").read_text())
        params["climate"]["forecast"]["events"] = [">= 2"]
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        timed(basin("run"), folder)
        ran = {domain: done(folder, domain) for domain in ("finance", "climate")}
    yield Row(
        "a change of climate.forecast.events",
        "only climate's stages run",
        f"finance: {', '.join(ran['finance']) or 'none'}; climate: {', '.join(ran['climate'])}",
        not ran["finance"] and ran["climate"] == ["evaluate", "register", "forecast", "report"],
    )


def done(folder: Path, domain: str) -> list[str]:
    """Return the stages that the last flow of ``folder`` ran, without those that were cached."""
    record = json.loads((folder / "runs" / domain / "run.json").read_text())
    return [stage["stage"] for stage in record["stages"] if stage["outcome"] == "ran"]


def repro() -> Iterator[Row]:
    with clone() as by_flow, clone() as by_dvc:
        timed(basin("run"), by_flow)
        timed(["dvc", "repro"], by_dvc)
        same = hashes(by_flow) == hashes(by_dvc)
        seconds = statistics.median(timed(["dvc", "repro"], by_dvc)[0] for _ in range(3))
    yield Row("dvc repro on a clean clone", "same hashes as the flow", "same" if same else "differ", same)
    yield Row(
        "dvc repro with nothing to do", "≤ 5 s", f"{seconds:.1f} s", seconds <= 5, value=seconds, unit="s"
    )


def tests() -> Iterator[Row]:
    with clone() as folder:
        shutil.copytree(ROOT / "tests", folder / "tests", dirs_exist_ok=True)
        for target, limit in (("test", 4), ("test-slow", 18)):
            # Use the environment of this process instead of installing a new one.
            command = ["make", "--old-file", "setup", f"BIN={Path(sys.executable).parent}", target]
            seconds, _ = timed(command, folder)
            yield Row(
                f"make {target}",
                f"≤ {limit} min",
                f"{seconds / 60:.1f} min",
                seconds <= 60 * limit,
                value=seconds / 60,
                unit="min",
            )
