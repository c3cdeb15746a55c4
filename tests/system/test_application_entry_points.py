"""Entry points of an application: the flow and `dvc repro` give the same results, and nothing runs twice."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.test_entry_points import basin, dvc, run
from tests.tracked import tracked

STAGES = ("ingest", "validate", "audit", "train", "evaluate", "landscape", "report")


def clone(project_root: Path, target: Path) -> Path:
    """Return a clone of the project with one seed for `anomaly`, in which nothing has run."""
    for name in tracked(project_root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project_root / name, target / name)
    (target / "applications/dvc.lock").unlink(missing_ok=True)
    (target / "applications/params.yaml").write_text(yaml.safe_dump({"anomaly": {"seeds": 1}}))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "clone"]):
        git = ["git", "-c", "user.name=Test", "-c", "user.email=test@localhost", *command]
        subprocess.run(git, cwd=target, check=True)
    return target


def lock(root: Path) -> Any:
    return yaml.safe_load((root / "applications/dvc.lock").read_text())["stages"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_flow_and_repro_of_an_application_agree_and_the_project_around_it_sees_neither(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASIN_DATA_MIRROR", raising=False)
    by_flow, by_repro = clone(project_root, tmp_path / "flow"), clone(project_root, tmp_path / "repro")
    around = dvc(by_flow, "status")
    with ThreadPoolExecutor(2) as side_by_side:  # in clones of their own
        flow = side_by_side.submit(basin, by_flow, "run", "--domain", "anomaly")
        repro = side_by_side.submit(dvc, by_repro, "--cd", "applications", "repro", "anomaly")
        first, _ = flow.result(), repro.result()
    assert [line.split()[1] for line in first.splitlines() if " done " in line] == list(STAGES)
    assert "applications/anomaly/report.html" in first
    assert lock(by_flow) == lock(by_repro)

    assert basin(by_repro, "run", "--domain", "anomaly").count("Cached") == len(STAGES)
    assert "Running stage" not in dvc(by_flow, "--cd", "applications", "repro", "anomaly")
    assert "up to date" in dvc(by_flow, "--cd", "applications", "status", "anomaly")
    assert dvc(by_flow, "status") == around
    status = subprocess.run(["git", "status", "--porcelain"], cwd=by_flow, capture_output=True, text=True)
    assert status.stdout.split() == ["??", "applications/dvc.lock"]

    # A lost output comes from the cache; what has no section in the params ends in one line.
    shutil.rmtree(by_flow / "applications/anomaly/model")
    assert "Cached" in basin(by_flow, "run", "--domain", "anomaly")
    assert (by_flow / "applications/anomaly/model/config.json").is_file()
    run(by_flow, "-m", "tasks.applications", "images", code=1)
