"""A job on a Ray cluster of three nodes, one of which is killed, gives the same results to the bit."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.test_entry_points import BASIN, clone, lock, surroundings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """Nodes of one CPU each, as ``ray start`` makes them, with a token of their own."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.environment = surroundings(root) | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": "of-this-test" * 4,
        }
        self.logs = root.parent
        self.gcs, self.dashboard = free_port(), free_port()
        self.nodes: list[psutil.Process] = []
        local = ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(self.dashboard)]
        self.add("--head", "--port", str(self.gcs), "--temp-dir", str(folder), *local)
        for _ in range(2):
            self.add("--address", f"127.0.0.1:{self.gcs}")

    def add(self, *options: str) -> None:
        # The agent that takes jobs would share one fixed port with every Ray of the machine, and without it
        # a head stays up and answers "no available agent" for ever.
        agent = str(free_port())
        command = [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            "--block",
            "--num-cpus",
            "1",
            "--dashboard-agent-listen-port",
            agent,
            *options,
        ]
        with (self.logs / f"node{len(self.nodes)}.log").open("w") as lines:
            started = subprocess.Popen(command, env=self.environment, stdout=lines, stderr=lines)
        self.nodes.append(psutil.Process(started.pid))
        self.wait_for(len(self.nodes))

    def wait_for(self, count: int) -> None:
        for _ in range(60):
            if self.ray("status", "--address", f"127.0.0.1:{self.gcs}").stdout.count(" 1 node_") == count:
                return
            time.sleep(1)
        raise AssertionError((self.logs / f"node{count - 1}.log").read_text()[-3000:])

    def wait_for_jobs(self, address: str) -> None:
        """Submit a job, repeating while the new cluster answers "no available agent"."""
        for _ in range(30):
            tried = self.ray("job", "submit", "--address", address, "--", "true")
            if tried.returncode == 0:
                return
            time.sleep(2)
        raise AssertionError(tried.stderr[-2000:])

    def ray(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ray.scripts.scripts", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True)

    def kill(self, node: psutil.Process) -> None:
        for process in [node, *node.children(recursive=True)]:
            process.kill()

    def at_work(self, node: psutil.Process) -> bool:
        """Return whether a unit is being computed on the node."""
        titles = [" ".join(process.cmdline()) for process in node.children(recursive=True)]
        return any("ray::single_threaded" in title for title in titles)


@pytest.fixture
def cluster(project_root: Path, tmp_path: Path) -> Iterator[tuple[Cluster, Path]]:
    root = clone(project_root, tmp_path / "job")
    # Ray's sockets need a short path.
    temporary = Path("/tmp") / f"basin-{free_port()}"
    made = Cluster(temporary, root)
    yield made, root
    for node in made.nodes:
        if node.is_running():
            made.kill(node)
    shutil.rmtree(temporary, ignore_errors=True)


def test_a_job_survives_the_death_of_a_node(cluster, undisturbed):
    nodes, root = cluster
    command = [sys.executable, *BASIN, "run", "--domain", "climate", "--root", str(root)]
    address = f"http://127.0.0.1:{nodes.dashboard}"
    nodes.wait_for_jobs(address)
    job = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", address, "--", *command],
        env=nodes.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (at_work := [node for node in nodes.nodes[1:] if nodes.at_work(node)]):
        assert job.poll() is None, job.communicate()[0][-4000:]
        assert time.monotonic() < deadline, "no unit came to the other nodes"
        time.sleep(0.02)
    nodes.kill(at_work[0])
    output = job.communicate(timeout=300)[0]
    assert job.returncode == 0, output[-4000:]
    assert "succeeded" in output
    assert lock(root) == lock(undisturbed)

    strangers = nodes.environment | {"RAY_AUTH_TOKEN": "another-token" * 4}
    listing = [sys.executable, "-m", "ray.scripts.scripts", "job", "list", "--address", address]
    refused = subprocess.run(listing, env=strangers, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "Invalid" in refused.stderr
