"""``basin field`` on Ray Train: killed workers and killed commands end with the same bits."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import xarray as xr
from typer.testing import CliRunner

from flows.cli.app import app
from tests.synthetic_fields import write
from tests.system.test_entry_points import BASIN, surroundings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
EPOCHS = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "made.nc", 800)


def fit(project_root: Path, data: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, *BASIN, "field", "fit", "--data", str(data), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--epochs", str(EPOCHS)],
        cwd=out.parent,
        env=surroundings(out.parent / "basin") | {"PYTHONPATH": str(project_root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def ended(running: subprocess.Popen) -> str:
    output, _ = running.communicate(timeout=300)
    assert running.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def unbroken(project_root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("unbroken") / "model"
    ended(fit(project_root, data, out))
    yield out


def after_first_checkpoint(running: subprocess.Popen, out: Path) -> None:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and running.poll() is None:
        for told in out.glob(".work/*/epoch.json"):
            with suppress(ValueError):
                if 1 <= json.loads(told.read_text()) < EPOCHS - 1:
                    return
        time.sleep(0.05)
    raise AssertionError("no checkpoint was seen")


def test_a_killed_worker_is_replaced_and_goes_on_from_its_checkpoint(
    project_root: Path, data: Path, unbroken: Path, tmp_path: Path
) -> None:
    running = fit(project_root, data, tmp_path / "model")
    after_first_checkpoint(running, tmp_path / "model")
    workers = [
        child
        for child in psutil.Process(running.pid).children(recursive=True)
        if "RayTrainWorker" in " ".join(child.cmdline())
    ]
    assert len(workers) == 2
    workers[1].send_signal(signal.SIGKILL)
    ended(running)
    assert files(tmp_path / "model") == files(unbroken)


def test_a_killed_fit_goes_on_in_a_new_process_and_its_model_is_used(
    project_root: Path, data: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    running = fit(project_root, data, out)
    after_first_checkpoint(running, out)
    children = psutil.Process(running.pid).children(recursive=True)
    for process in (*children, psutil.Process(running.pid)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    running.communicate()
    assert not list(out.glob("model.*"))
    assert list(out.glob(".work/*/train/checkpoint_*/state.safetensors"))
    ended(fit(project_root, data, out))
    assert files(out) == files(unbroken)
    assert not (out / ".work").exists()

    def basin(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["field", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    monkeypatch.chdir(tmp_path)
    both = ("--data", str(data), "--model", "model")
    assert "1966-11: mean" in basin("forecast", *both, "--out", "ahead.nc", "--draws", "4")
    assert xr.open_dataset(tmp_path / "ahead.nc").sizes["member"] == 4
    assert "fields: drawn.nc" in basin("sample", "--model", "model", "--month", "1", "--out", "drawn.nc")
    assert "all 800 months" in basin("score", *both, "--out", "energies.csv")
    assert "0 of 47 cells filled" in basin("fill", *both, "--month", "1950-01", "--out", "filled.nc")
