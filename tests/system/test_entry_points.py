"""The three entry points on the real pipeline with reduced parameters, each in a clean clone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.tracked import tracked

BASIN = ("-c", "from flows.cli.app import app; app()")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def clone(project_root: Path, target: Path) -> Path:
    """Copy the tracked and untracked files of the project into a new repository without outputs."""
    for name in tracked(project_root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project_root / name, target / name)
    (target / "dvc.lock").unlink(missing_ok=True)
    params = yaml.safe_load((target / "params.yaml").read_text())
    (target / "params.yaml").write_text(yaml.safe_dump(shrink(params)))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "clone"]):
        git = ["git", "-c", "user.name=Test", "-c", "user.email=test@localhost", *command]
        subprocess.run(git, cwd=target, check=True)
    return target


def shrink(params: dict[str, Any]) -> dict[str, Any]:
    """Every stage works, on half the prices, few refits, folds, networks and steps."""
    years = {"walk_from": "2006-01-01", "test_from": "2008-01-01", "test_to": "2009-12-31"}
    params["finance"]["ingest"]["as_of"] = "2009-12-31"
    params["finance"]["features"]["refit"] = 500
    params["finance"]["split"] |= years
    params["climate"]["features"]["refit"] = 120
    params["climate"]["split"] |= {"walk_from": "1995-01-01", "test_from": "2000-01-01"}
    for domain in params["domains"]:
        params[domain]["audit"]["look_ahead_cuts"] = 1
        params[domain]["train"] |= {"seeds": 2, "capacities": [0, 8], "max_steps": 20, "warm_steps": 5}
    return params


def surroundings(root: Path) -> dict[str, str]:
    """Return environment variables for the clone, with its own home, Prefect database and PATH."""
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    return os.environ | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(home / "prefect"),
        "PYTHONPATH": str(root),
        "RAY_AUTH_MODE": "disabled",
        "COLUMNS": "160",
    }


def run(root: Path, *arguments: str, code: int = 0, stderr: int = subprocess.PIPE) -> str:
    """Run Python in the clone."""
    command, environment = [sys.executable, *arguments], surroundings(root)
    done = subprocess.run(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    )
    assert done.returncode == code, done.stdout[-4000:] + (done.stderr or "")[-4000:]
    return done.stdout


def basin(root: Path, *arguments: str) -> str:
    """Run a command in the clone, and return its result and its progress."""
    return run(root, *BASIN, *arguments, stderr=subprocess.STDOUT)


def dvc(root: Path, *arguments: str) -> str:
    return run(root, "-m", "dvc", *arguments)


def make(root: Path, target: str) -> str:
    """A target of the Makefile by the environment that runs the tests, which is not set up again."""
    command = ["make", "--assume-old=setup", f"BIN={Path(sys.executable).parent}", target]
    done = subprocess.run(command, cwd=root, env=surroundings(root), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def lock(root: Path) -> Any:
    return yaml.safe_load((root / "dvc.lock").read_text())["stages"]


def test_flow_and_repro_agree_byte_for_byte_and_nothing_runs_twice(
    project_root: Path, tmp_path: Path
) -> None:
    by_flow, by_repro = clone(project_root, tmp_path / "flow"), clone(project_root, tmp_path / "repro")
    with ThreadPoolExecutor(2) as side_by_side:  # in clones of their own
        flow = side_by_side.submit(make, by_flow, "run")
        repro = side_by_side.submit(make, by_repro, "repro")
        first, _ = flow.result(), repro.result()

    # The flow ran the two domains at once in one process, `dvc repro` one stage after the other.
    in_flow, in_repro = lock(by_flow), lock(by_repro)
    assert in_flow.keys() == in_repro.keys()
    assert {name for name in in_flow if in_flow[name] != in_repro[name]} == set()

    for text in ("CRPS", "forecast for", "artifacts/finance/report.html", "artifacts/climate/report.html"):
        assert text in first
    again = basin(by_repro, "run")
    assert again.count("Cached") == 20
    assert "Running stage" not in dvc(by_flow, "repro")
    assert "up to date" in dvc(by_flow, "status")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=by_flow, capture_output=True, text=True)
    assert status.stdout.split() == ["??", "dvc.lock"]

    # A day's forecast by the current model alone is the stage's own, and makes nothing stale.
    for command in (["add", "-A"], ["commit", "-qm", "lock"]):
        git = ["git", "-c", "user.name=Test", "-c", "user.email=test@localhost", *command]
        subprocess.run(git, cwd=by_flow, check=True)
    for domain in ("finance", "climate"):
        assert "v0.0.1 is current" in basin(by_flow, "models", "promote", domain)
    script = "import datetime as d, pathlib, tasks.operations.daily_forecast as t; "
    script += "t.daily_forecast(pathlib.Path(), {!r}, d.date({}))"
    for domain, day in (("finance", "2009, 12, 31"), ("climate", "2011, 1, 31")):
        run(by_flow, "-c", script.format(domain, day))
        (written,) = (by_flow / "runs" / domain / "daily").glob("*.json")
        daily, stage = (
            json.loads(written.read_text()),
            json.loads((by_flow / "artifacts" / domain / "forecast.json").read_text()),
        )
        for name, part in stage["series"].items():
            for now, then in zip(daily["series"][name]["steps"], part["steps"], strict=True):
                assert now["time"] == then["time"]
                assert list(now["quantiles"].values()) == pytest.approx(
                    list(then["quantiles"].values()), abs=0.02
                )
    assert "up to date" in dvc(by_flow, "status")

    # Experiments, their comparison, and a remote are DVC's own.
    dvc(by_flow, "exp", "run", "-q", "-n", "wider", "-S", 'climate.forecast.events=[">= 1"]')
    assert "climate.forecast.events" in dvc(by_flow, "params", "diff")
    assert "wider" in dvc(by_flow, "exp", "show", "--csv")
    subprocess.run(["git", "checkout", "-q", "."], cwd=by_flow, check=True)
    dvc(by_flow, "checkout", "-q")
    metrics = json.loads(dvc(by_flow, "metrics", "show", "--json"))
    assert {"lead 1", "lead 12"} <= metrics[""]["data"]["artifacts/climate/metrics.json"]["data"].keys()
    dvc(by_flow, "metrics", "diff")
    dvc(by_flow, "plots", "show", "-o", str(tmp_path / "plots"))
    assert "Climate, mean log score" in (tmp_path / "plots/index.html").read_text()
    dvc(by_flow, "remote", "add", "-q", "--local", "-d", "store", str(tmp_path / "store"))
    dvc(by_flow, "push", "-q")
    fetched = tmp_path / "fetched"
    subprocess.run(["git", "clone", "-q", str(by_flow), str(fetched)], check=True)
    dvc(fetched, "remote", "add", "-q", "--local", "-d", "store", str(tmp_path / "store"))
    dvc(fetched, "pull", "-q")
    assert "up to date" in dvc(fetched, "status")
    listed = basin(fetched, "models", "list")
    assert listed.count("current") == 2

    # The third entry point: one stage, restored when its output is gone.
    (by_flow / "artifacts/climate/report.html").unlink()
    assert "Cached" in basin(by_flow, "stage", "report", "--domain", "climate")
    assert (by_flow / "artifacts/climate/report.html").is_file()

    # A change that touches one domain runs that domain's stages only, from where it matters.
    params = yaml.safe_load((by_flow / "params.yaml").read_text())
    params["climate"]["forecast"]["events"] = [">= 0.25"]
    (by_flow / "params.yaml").write_text(yaml.safe_dump(params))
    lines = basin(by_flow, "run").splitlines()
    ran = {tuple(line.split()[:2]) for line in lines if " done " in line}
    # The stage evaluate scores the probabilities of the events.
    assert ran == {("climate", stage) for stage in ("evaluate", "register", "forecast", "report")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_at_once_with_all_its_processes(
    project_root: Path, tmp_path: Path, number: signal.Signals
) -> None:
    root = clone(project_root, tmp_path / "clone")
    running = subprocess.Popen(
        [sys.executable, *BASIN, "run"],
        cwd=root,
        env=surroundings(root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not (root / "data/raw/finance.parquet").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    started = psutil.Process(running.pid).children(recursive=True)
    assert started, "Prefect's server at least"
    if number == signal.SIGINT:
        os.killpg(running.pid, number)  # as a terminal does
    else:
        running.send_signal(number)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 128 + number
    assert said.strip().splitlines()[-1] == "basin: stopped; finished stages are kept"
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert json.loads((root / "runs/finance/run.json").read_text())["status"] == "running"
    assert not list((root / "data").rglob("*.tmp"))
