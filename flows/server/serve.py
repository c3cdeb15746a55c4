"""``basin serve``: a Prefect server on loopback, a worker, and the deployments of ``prefect.yaml``."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx

from tasks.runtime.errors import BasinError

POOL = "basin"
PATIENCE = 90.0
"""Seconds to wait for the server to answer."""

HEARTBEAT, LOST = 30, 3
"""Seconds between the heartbeats of a run, and how many may be missing before it is marked Crashed."""


def serve(workspace: Path, port: int, notify: str | None, say: Callable[[str], None]) -> None:
    """Run a Prefect server and a worker until one of them ends, then end the other.

    Prefect's database and logs are kept in ``workspace/runs/prefect``. Failed and crashed runs are posted to
    the URL ``notify``, and messages go to ``say``. Raises ``BasinError`` if the port is taken or if the
    server, the worker or the set-up fails.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BasinError(f"port {port} is taken; give another --port") from error
    url = f"http://127.0.0.1:{port}"
    own = {
        "PREFECT_HOME": str(workspace / "runs" / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # a busy machine keeps SQLite waiting
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
        "BASIN_WORKSPACE": str(workspace),
        # The runs use the code of the workspace, not that of the installed checkout.
        "PYTHONPATH": os.pathsep.join([str(workspace), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "DO_NOT_TRACK": "1",
    }
    os.environ.update(own)  # this process must talk to the same server
    log = workspace / "runs" / "serve.log"
    log.parent.mkdir(exist_ok=True)
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([*prefect, *command], cwd=workspace, stdout=lines, stderr=lines))
        return started[-1]

    def run(*command: str) -> None:
        done = subprocess.run([*prefect, *command], cwd=workspace, capture_output=True, text=True)
        if done.returncode:
            text = " ".join((done.stderr or done.stdout).split())[-300:]
            raise BasinError(f"`prefect {command[0]}` failed: {text}; see {log}")

    lines = log.open("a", encoding="utf-8")
    try:
        server = start("server", "start", "--host", "127.0.0.1", "--port", str(port))
        _wait(f"{url}/api/health", server)
        run("work-pool", "create", POOL, "--type", "process", "--overwrite")
        run("deploy", "--all")
        from flows.server.automations import install

        install(timedelta(seconds=LOST * HEARTBEAT), notify)
        worker = start("worker", "start", "--pool", POOL)
        say(f"serving {workspace} at {url}; Ctrl-C ends it")
        while server.poll() is None and worker.poll() is None:
            time.sleep(1)
        raise BasinError(
            f"Prefect's {'server' if server.poll() is not None else 'worker'} stopped; see {log}"
        )
    finally:
        for process in reversed(started):
            with suppress(ProcessLookupError):
                process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
        lines.close()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2).status_code == 200:
                return
        time.sleep(0.5)
    ended = server.poll() is not None
    what = "ended before it answered" if ended else f"did not answer within {PATIENCE:.0f} s"
    raise BasinError(
        f"Prefect's server at {url} {what}; see runs/serve.log in the workspace for the cause, and run "
        "`basin serve` again"
    )
