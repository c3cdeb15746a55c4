"""`basin serve` as started by a user: schedules run, failures are reported, no process is left behind."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.system.test_entry_points import BASIN, clone, surroundings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a local receiver, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            posted.append(json.loads(body, strict=False))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", posted
    server.shutdown()


def until(condition: Any, seconds: float, log: Path) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"not within {seconds} s: {log.read_text()[-6000:]}")


def test_a_schedule_fires_a_failure_is_told_and_the_end_is_clean(project_root, tmp_path, receiver):
    address, posted = receiver
    root = clone(project_root, tmp_path / "project")
    workspace = tmp_path / "scheduled"
    log = workspace / "runs/serve.log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--workspace", str(workspace), "--port", str(port), "--notify", address]
    process = subprocess.Popen(
        [sys.executable, *BASIN, "serve", *options],
        cwd=root,
        # Prefect looks for new schedules once a minute; here it looks more often.
        env=surroundings(root) | {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert f"serving {workspace}" in process.stdout.readline()
        api = Api(f"http://127.0.0.1:{port}/api")
        deployments = {d["name"]: d for d in api("POST", "/deployments/filter", {})}
        timed = {"daily-forecast", "daily-monitor", "weekly-audit", "weekly-retrain"}
        assert set(deployments) == timed | {"application"}
        assert all(len(d["schedules"]) == (name in timed) for name, d in deployments.items())

        audit = deployments["weekly-audit"]
        asked = {"root": ".", "domains": ["climate"], "as_of": "2010-06-30"}
        # Its first time is near, and one that comes often cannot be missed.
        times = {"interval": 60, "anchor_date": (datetime.now(UTC) + timedelta(seconds=15)).isoformat()}
        schedule = {"schedule": times, "active": True, "parameters": asked}
        added = api("POST", f"/deployments/{audit['id']}/schedules", [schedule])
        run = until(lambda: ended(api, audit["id"]), 500, log)
        api("DELETE", f"/deployments/{audit['id']}/schedules/{added[0]['id']}")
        assert run["state_type"] == "COMPLETED", run["state"]["message"]
        assert run["auto_scheduled"]
        assert json.loads((workspace / "data/raw/climate.json").read_text())["as_of"] == "2010-06-30"
        changed = subprocess.run(
            ["git", "status", "--short"], cwd=root, capture_output=True, text=True, check=True
        )
        assert changed.stdout == ""  # the checkout is nobody's workspace

        daily = deployments["daily-forecast"]["id"]
        api("POST", f"/deployments/{daily}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        told = until(lambda: [p for p in posted if p["flow"] == "daily-forecast"], 200, log)
        assert told[0]["state"] == "Failed"
        assert "no model is current" in told[0]["message"]

        asked = {"domains": ["climate"], "as_of": "2010-06-30"}
        breach = {"occurred": datetime.now(UTC).isoformat(), "event": "basin.monitor.breach"}
        breach |= {"resource": {"prefect.resource.id": "basin.domain.climate"}, "id": str(uuid4())}
        api("POST", "/events", [breach | {"payload": asked | {"reasons": ["realised"]}}])
        retrain = deployments["weekly-retrain"]["id"]
        runs = until(lambda: asked_for(api, retrain), 60, log)
        assert runs[0]["parameters"] == asked | {"root": "."}

        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        assert not psutil.wait_procs(children, timeout=30)[1]
    finally:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
            child.kill()
        process.kill()


class Api:
    """Send a request to the Prefect server, repeated while its database is locked."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=60)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        for _ in range(10):
            answer = self.client.request(method, path, json=body)
            if answer.status_code != 503:
                break
            time.sleep(3)
        return answer.raise_for_status().json() if answer.status_code != 204 else None


def asked_for(api: Api, deployment: str) -> list[dict[str, Any]]:
    """Runs of the deployment that no schedule made."""
    found = api("POST", "/flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}})
    return [run for run in found if not run["auto_scheduled"]]


def ended(api: Api, deployment: str) -> dict[str, Any] | None:
    """Wait for a scheduled run of the deployment to end and return it."""
    wanted = {
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
    }
    found = api("POST", "/flow_runs/filter", wanted)
    return found[0] if found else None
