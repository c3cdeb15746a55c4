"""Time of Prefect flows with little work: a cached flow and a daily forecast. Run `basin run` first."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks import ROOT
from benchmarks.operation.times import clone
from benchmarks.row import Row

SCRIPT = """
import json, time
began = time.monotonic()
from flows.{module} import {flow} as flow
imported = time.monotonic()
flow({arguments})
print(json.dumps([imported - began, time.monotonic() - imported]))
"""
CACHED = {"module": "pipeline", "flow": "pipeline", "arguments": ""}
RUNS = 3


def cached() -> Iterator[Row]:
    """Time the flow when all stages are cached, with a running server and with a temporary one."""
    if not (ROOT / "artifacts/finance/report.html").is_file():
        raise SystemExit("artifacts are missing; run `basin run` first")
    with server() as url:
        timed_flow(ROOT, CACHED, url)
        total, imports, rest = timed_flow(ROOT, CACHED, url)
    shown = f"{total:.1f} s: imports {imports:.1f}, flow with 20 questions to DVC {rest:.1f}"
    yield Row("cached flow, server up", "≤ 6 s", shown, total <= 6, value=total, unit="s")
    total, imports, whole = timed_flow(ROOT, CACHED, None)
    shown = (
        f"{total:.1f} s: imports {imports:.1f}, server's start and end {whole - rest:.1f}, flow {rest:.1f}"
    )
    yield Row("cached flow, a server of its own", "≤ 20 s", shown, total <= 20, value=total, unit="s")


def timed_flow(folder: Path, script: dict[str, str], url: str | None) -> tuple[float, float, float]:
    """Return the seconds of the process, of its imports and of the flow, as medians over ``RUNS``."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "PYTHONPATH": str(folder), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
        environment |= {"PREFECT_API_URL": url} if url else {"PREFECT_HOME": home}
        found = []
        for _ in range(RUNS):
            began = time.monotonic()
            run = subprocess.run(
                [sys.executable, "-c", SCRIPT.format(**script)],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            seconds = time.monotonic() - began
            if run.returncode:
                raise SystemExit(f"the flow failed: {run.stderr[-2000:]}")
            found.append((seconds, *json.loads(run.stdout.splitlines()[-1])))
    medians = [statistics.median(column) for column in zip(*found, strict=True)]
    return medians[0], medians[1], medians[2]


@contextmanager
def server() -> Iterator[str]:
    """Run a Prefect server on loopback with its own database and yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(120):
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).status_code == 200:
                        break
                except httpx.HTTPError:
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/api"
        finally:
            process.terminate()
            process.wait(30)


def day() -> Iterator[Row]:
    """Time the deployed flow of the daily forecast, including the fetch of the model from DVC's cache."""
    with clone() as folder:
        (folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {ROOT / '.dvc/cache'}\n")
        run = [sys.executable, "-m", "dvc", "checkout", "-q"]
        subprocess.run(run, cwd=folder, check=True)
        for domain in ("finance", "climate"):
            promote = "from flows.cli.app import app; app()", "models", "promote", domain
            subprocess.run([sys.executable, "-c", *promote], cwd=folder, check=True, capture_output=True)
        arguments = 'as_of=__import__("datetime").date(2018, 12, 31), domains=["finance"]'
        script = {"module": "scheduled", "flow": "daily_forecast", "arguments": arguments}
        with server() as url:
            total, imports, rest = timed_flow(folder, script, url)
    shown = f"{total:.1f} s: imports {imports:.1f}, forecast {rest:.1f}"
    yield Row(
        "a day's forecast of two markets by the deployed flow",
        "≤ 30 s",
        shown,
        total <= 30,
        value=total,
        unit="s",
    )
