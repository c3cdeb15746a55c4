"""The Prefect flow on a toy pipeline: the real order, locks, states and records; toy stage functions."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.listener import listener
from tasks.runtime.errors import BasinError
from tasks.runtime.files import write_json
from tasks.runtime.workspace import Workspace
from tasks.stages import STAGES

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
SCORE = {"log_score": -1.0, "crps": 0.4, "mae": 0.5, "coverage": {"0.5": 0.5, "0.9": 0.9}}
SCORES = {
    "unit": "%",
    "test": ["2014-01-01", "2014-12-31"],
    "n": 250,
    "leads": {
        "1": {
            "models": {"base": SCORE, "ebm": SCORE},
            "paired": {
                "base": {
                    "log_score_gain": 0.01,
                    "se": 0.005,
                    "t": 2.0,
                    "p": 0.05,
                    "crps_gain_pct": 1.0,
                    "crps": {"gain": 0.004, "se": 0.002, "t": 2.0, "p": 0.05},
                }
            },
        }
    },
}
STEP = {
    "time": "2019-01-02",
    "lead": 1,
    "tilt_weight": 0.5,
    "mean": 0.1,
    "interval_90": [-2, 2],
    "events": {"<= -2": 0.05},
}
FORECAST = {"unit": "%", "series": {"sp500": {"origin": "2018-12-31", "steps": [STEP]}}}


def toy_stage(stage: str, domain: str, root: Path, progress: Any) -> dict[str, Any]:
    workspace = Workspace(root, domain)
    seed = yaml.safe_load((root / "params.yaml").read_text())[domain]["train"]["seed"]
    if stage == "validate" and seed == 13:
        raise BasinError("sp500: 1 row with a negative close; mend the source")
    if stage == "validate" and seed == 14:
        raise ZeroDivisionError("a bug")
    workspace.artifacts.mkdir(parents=True, exist_ok=True)
    for done in range(3):
        progress("fits", done, 2)
    (workspace.artifacts / f"{stage}.txt").write_text(f"{stage} {seed}")
    if stage == "evaluate":
        write_json(workspace.scores, SCORES)
    elif stage == "landscape":
        workspace.landscape.mkdir(exist_ok=True)
        (workspace.landscape / "map.png").write_bytes(PIXEL)
        figures = [{"file": "map.png", "title": "Energy", "caption": "Low is likely."}]
        write_json(workspace.landscape / "landscape.json", {"figures": figures})
    elif stage == "forecast":
        write_json(workspace.forecast, FORECAST)
    elif stage == "report":
        workspace.report.write_text("<h1>toy</h1>")
    return {"seed": seed}


class Recorder:
    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], str] = {}
        self.steps: list[tuple[str, str, int, int]] = []
        self.waited = threading.Event()

    def began(self, stage: str, domain: str) -> None: ...

    def progressed(self, stage: str, domain: str, label: str, done: int, total: int) -> None:
        self.steps.append((stage, domain, done, total))

    def ended(self, stage: str, domain: str, outcome: str, seconds: float) -> None:
        self.outcomes[stage, domain] = outcome

    def waiting(self) -> None:
        self.waited.set()


@pytest.fixture
def toy(tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Path:
    from dvc.repo import Repo

    monkeypatch.setattr("flows.stage.run_stage", toy_stage)
    Repo.init(str(tmp_path), no_scm=True).close()
    stages, before = {}, None
    for stage in STAGES:
        out = f"artifacts/${{key}}/{stage}.txt"
        do: dict[str, Any] = {"cmd": f"toy {stage} ${{key}}", "params": ["${key}.train"], "outs": [out]}
        if before:
            do["deps"] = [before]
        stages[stage] = {"foreach": "${domains}", "do": do}
        before = out
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "params.yaml").write_text((project_root / "params.yaml").read_text())
    return tmp_path


def set_seed(root: Path, domain: str, seed: int) -> None:
    content = yaml.safe_load((root / "params.yaml").read_text())
    content[domain]["train"]["seed"] = seed
    (root / "params.yaml").write_text(yaml.safe_dump(content))


def run(root: Path, **options: Any) -> tuple[Any, Recorder]:
    from flows.pipeline import pipeline

    recorder = Recorder()
    token = listener.set(recorder)
    try:
        return pipeline(root=str(root), return_state=True, **options), recorder
    finally:
        listener.reset(token)


def run_record(root: Path, domain: str) -> Any:
    return json.loads(Workspace(root, domain).run_record.read_text())


def test_all_stages_run_then_only_the_changed_domain_runs_and_the_other_is_cached(toy: Path) -> None:
    state, first = run(toy)
    assert state.is_completed(), state.message
    assert first.outcomes == {(s, d): "ran" for s in STAGES for d in ("finance", "climate")}
    assert ("train", "climate", 2, 2) in first.steps

    set_seed(toy, "climate", 7)
    state, second = run(toy)
    outcomes = {("finance", "fresh"), ("climate", "ran")}
    assert {(domain, outcome) for (_, domain), outcome in second.outcomes.items()} == outcomes
    assert state.result()["finance"] == "artifacts/finance/report.html"
    record = run_record(toy, "finance")
    assert record["status"] == "completed"
    assert [(entry["stage"], entry["outcome"]) for entry in record["stages"]] == [
        (s, "fresh") for s in STAGES
    ]


@pytest.mark.slow
def test_a_cached_stage_shows_as_cached_and_results_as_artifacts_in_the_ui(toy: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    run(toy)
    state, _ = run(toy)
    with get_client(sync_client=True) as client:
        run_filter = FlowRunFilter(id={"any_": [state.state_details.flow_run_id]})
        task_runs = client.read_task_runs(flow_run_filter=run_filter)
        artifacts = client.read_artifacts(flow_run_filter=run_filter)
    assert {task_run.state.name for task_run in task_runs} == {"Cached"}
    assert {task_run.name for task_run in task_runs} >= {"train finance", "report climate"}
    kinds = {(artifact.key, artifact.type) for artifact in artifacts}
    assert kinds >= {
        ("scores-finance", "table"),
        ("landscape-finance", "image"),
        ("forecast-finance", "markdown"),
        ("report-climate", "markdown"),
    }


@pytest.mark.slow
def test_bad_data_stop_their_domain_with_one_line_and_keep_its_last_good_outputs(toy: Path) -> None:
    run(toy)
    set_seed(toy, "finance", 13)
    set_seed(toy, "climate", 5)
    state, heard = run(toy)

    assert state.is_failed()
    assert state.message == "finance validate: sp500: 1 row with a negative close; mend the source"
    assert heard.outcomes["validate", "finance"] == "failed"
    assert ("audit", "finance") not in heard.outcomes
    assert (toy / "artifacts/finance/train.txt").read_text() == "train 0"
    assert (toy / "artifacts/climate/train.txt").read_text() == "train 5"
    assert run_record(toy, "finance")["status"] == "failed"
    assert run_record(toy, "climate")["status"] == "completed"


def test_a_bug_is_told_in_one_line_and_its_traceback_kept_in_the_run_record(toy: Path) -> None:
    set_seed(toy, "finance", 14)
    state, _ = run(toy, domains=["finance"])
    assert "finance validate: ZeroDivisionError: a bug" in state.message
    assert "\n" not in state.message
    assert any("toy_stage" in line for line in run_record(toy, "finance")["failure"])


@pytest.mark.slow
def test_a_lost_connection_is_tried_again(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def flaky(stage: str, domain: str, root: Path, progress: Any) -> dict[str, Any]:
        calls.append(stage)
        if calls.count("ingest") == 1:
            raise ConnectionResetError("the source hung up")
        return toy_stage(stage, domain, root, progress)

    monkeypatch.setattr("flows.stage.run_stage", flaky)
    state, _ = run(toy, domains=["finance"])
    assert state.is_completed(), state.message
    assert calls[:3] == ["ingest", "ingest", "validate"]


@pytest.mark.slow
def test_a_second_run_waits_for_the_first(toy: Path) -> None:
    from tasks.runtime.freshness import one_run_at_a_time

    outcome: list[Any] = []
    recorder = Recorder()

    def second() -> None:
        from flows.pipeline import pipeline

        listener.set(recorder)
        outcome.append(pipeline(root=str(toy), domains=["climate"], return_state=True))

    with one_run_at_a_time(toy, lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert recorder.waited.wait(60)
        assert not recorder.outcomes
    thread.join(120)
    assert outcome[0].is_completed()
    assert set(recorder.outcomes.values()) == {"ran"}
