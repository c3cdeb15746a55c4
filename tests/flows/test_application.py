"""The flow of an application on toy stages: order, states and artifacts, retries, failures in one line."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from flows.listener import listener
from tasks.applications.harness.application import STAGES
from tasks.runtime.errors import BasinError
from tasks.runtime.files import write_json
from tests.flows.test_pipeline import PIXEL, Recorder

SCORES = {"models": {"ebm": {"auroc": 0.9}, "knn": {"auroc": 0.8}}, "seeds": 5}


class Toy:
    """Application whose stages append their names to ``calls``; one stage raises ``fail`` once."""

    def __init__(self, root: Path) -> None:
        self.out = root / "applications" / "toy"
        self.calls: list[str] = []
        self.fail: dict[str, BaseException] = {}
        self.stages = {stage: self._stage(stage) for stage in STAGES}

    def _stage(self, stage: str) -> Any:
        def act(progress: Any) -> None:
            self.calls.append(stage)
            progress("seed 0", 0, 1)
            if stage in self.fail:
                raise self.fail.pop(stage)
            (self.out / "landscape").mkdir(parents=True, exist_ok=True)
            write_json(self.out / "scores.json", SCORES)
            (self.out / "landscape/map.png").write_bytes(PIXEL)
            write_json(
                self.out / "landscape/landscape.json", {"file": "map.png", "caption": "Low is likely."}
            )
            (self.out / "report.html").write_text("<h1>toy</h1>")

        return act


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Toy:
    from dvc.repo import Repo

    folder = tmp_path / "applications"
    folder.mkdir()
    Repo.init(str(folder), no_scm=True).close()
    outs = ["toy/scores.json", "toy/landscape", "toy/report.html"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"toy": {"cmd": "toy", "outs": outs}}}))
    made = Toy(tmp_path)
    monkeypatch.setattr("flows.application.project_run", lambda name, root: made)
    return made


def run(toy: Toy) -> tuple[Any, dict[tuple[str, str], str]]:
    from flows.application import application

    recorder = Recorder()
    token = listener.set(recorder)
    try:
        state = application("toy", str(toy.out.parents[1]), return_state=True)
    finally:
        listener.reset(token)
    return state, recorder.outcomes


def seen(state: Any) -> SimpleNamespace:
    """Return the task runs and artifacts of a flow run in the UI."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    with get_client(sync_client=True) as client:
        of = FlowRunFilter(id={"any_": [state.state_details.flow_run_id]})
        tasks, artifacts = (
            client.read_task_runs(flow_run_filter=of),
            client.read_artifacts(flow_run_filter=of),
        )
    return SimpleNamespace(
        tasks={task.name: task.state.name for task in tasks},
        artifacts={(artifact.key, artifact.type) for artifact in artifacts},
    )


def test_each_stage_is_a_task_once_run_and_then_cached(toy: Toy) -> None:
    state, outcomes = run(toy)
    assert state.is_completed(), state.message
    assert toy.calls == list(STAGES)
    assert outcomes == {(stage, "toy"): "ran" for stage in STAGES}
    assert state.result() == {"toy": "applications/toy/report.html"}

    state, outcomes = run(toy)
    assert state.is_completed(), state.message
    assert toy.calls == list(STAGES)
    assert set(outcomes.values()) == {"fresh"}
    record = json.loads((toy.out.parents[1] / "runs/toy/run.json").read_text())
    assert [stage["outcome"] for stage in record["stages"]] == ["fresh"] * len(STAGES)
    shown = seen(state)
    assert shown.tasks == {f"{stage} toy": "Cached" for stage in STAGES}
    assert shown.artifacts >= {
        ("scores-toy", "table"),
        ("landscape-toy", "image"),
        ("report-toy", "markdown"),
    }


def test_a_lost_connection_is_tried_again_and_bad_data_are_one_line(toy: Toy) -> None:
    toy.fail = {"ingest": ConnectionResetError("hung up"), "validate": BasinError("row 1: mend the source")}
    state, outcomes = run(toy)
    assert toy.calls == ["ingest", "ingest", "validate"]
    assert state.is_failed()
    assert state.message == "toy validate: row 1: mend the source"
    assert outcomes["validate", "toy"] == "failed"
    record = json.loads((toy.out.parents[1] / "runs/toy/run.json").read_text())
    assert record["status"] == "failed"
    assert [stage["outcome"] for stage in record["stages"]] == ["ran", "failed"]
    assert not (toy.out.parent / "dvc.lock").exists()
