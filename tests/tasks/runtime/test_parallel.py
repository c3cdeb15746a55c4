"""Units here and on Ray: results in order, exceptions passed on, and access only with the token."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from tasks.runtime import parallel
from tasks.runtime.errors import BasinError
from tasks.runtime.parallel import connect, disconnect, run_units, single_threaded


@pytest.fixture
def on_ray():
    connect()


def divide(a: int, b: int) -> float:
    return a / b


def place(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def test_units_are_computed_here_until_ray_saves_more_time_than_its_start(monkeypatch):
    disconnect()
    monkeypatch.setattr(parallel, "STARTING", 0.2)
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: 2)
    assert run_units(place, [(0.0,)] * 5, "short") == [os.getpid()] * 5
    here, *others = run_units(place, [(0.3,)] * 5, "long")
    assert here == os.getpid() and os.getpid() not in others


def test_units_of_other_threads_are_computed_on_ray():
    """Domains run in threads of one process, which has one number of threads for all computations."""
    disconnect()
    with ThreadPoolExecutor(1) as thread:
        (elsewhere,) = thread.submit(run_units, place, [(0.0,)], "short").result()
    assert elsewhere != os.getpid()


@pytest.mark.usefixtures("on_ray")
def test_results_come_in_the_order_of_the_units():
    assert run_units(divide, [(6, 2), (1, 4), (0, 5)], "divisions") == [3.0, 0.25, 0.0]


def spread(seed: int) -> float:
    import torch

    return torch.randn(2_000_001, generator=torch.Generator().manual_seed(seed)).double().var().item()


@pytest.mark.usefixtures("on_ray")
def test_a_unit_has_the_same_bits_here_and_on_ray():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)  # whose sums come in another order
    try:
        here = single_threaded(spread, (0,))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert run_units(spread, [(0,)], "spreads") == [here]


@pytest.mark.usefixtures("on_ray")
def test_exceptions_of_a_unit_are_passed_on():
    with pytest.raises(ZeroDivisionError):
        run_units(divide, [(1, 1), (1, 0)], "divisions")


def test_many_failures_do_not_end_the_process():
    """Ray ends the process if it cancels a task at the wrong moment, so this has a process of its own."""
    code = """
from tasks.runtime.parallel import connect, run_units

connect()
failures = 0
for _ in range(100):
    try:
        run_units(divmod, [(1, 1), (1, 0), *[(1, 1)] * 4], "divisions")
    except ZeroDivisionError:
        failures += 1
print(failures, "failures")
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert found.stdout == "100 failures\n", found.stderr[-2000:]


def touch(path: Path, content: int) -> None:
    path.write_text(str(1 // content))


@pytest.mark.usefixtures("on_ray")
def test_units_after_a_failure_are_not_computed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run_units(touch, [(tmp_path / str(i), i) for i in range(200)], "files")
    assert len(list(tmp_path.iterdir())) < 100


def test_a_cluster_that_is_not_there_is_named(tmp_path):
    code = "from tasks.runtime.parallel import connect; connect()"
    environment = {"RAY_ADDRESS": "no.such.host:1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = ":".join(sys.path)
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 1
    assert f"{BasinError.__name__}: cannot use Ray at no.such.host:1" in found.stderr


@pytest.mark.usefixtures("on_ray")
def test_ray_refuses_connections_without_the_token(tmp_path):
    """Ray's processes listen on all interfaces, so access is controlled by a token."""
    import ray

    run_units(divide, [(1, 1)], "divisions")
    address = ray.get_runtime_context().gcs_address
    code = f"import ray; ray.init(address='{address}', log_to_driver=False); print('let in')"
    environment = {"RAY_AUTH_MODE": "disabled", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment["RAY_NUM_REDIS_GET_RETRIES"] = "3"  # it would ask twenty times, a second apart
    with pytest.raises((subprocess.CalledProcessError, subprocess.TimeoutExpired)) as refused:
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=25,
        )
    assert b"let in" not in str(refused.value.stdout or "").encode()


def test_units_are_computed_while_another_thread_imports_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))  # without its functions, as during the import
    assert run_units(abs, [(-1,), (2,)], "units") == [1, 2]
    disconnect()
