"""The promotion gate refuses worse candidates with a reason and skips the comparison of equal models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.operations import promotion
from tests.small_project import call, retrain

DATES = pd.bdate_range("2018-01-02", periods=260).as_unit("ns")


def forecasts(log_density: np.ndarray) -> pd.DataFrame:
    keys = {"series": "sp500", "origin": DATES - pd.Timedelta(days=1), "lead": 1, "time": DATES}
    return pd.DataFrame(keys | {"log_density": log_density})


@pytest.fixture
def root(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small project with a registered current model."""
    past = pd.DataFrame({"time": DATES, "series": "sp500", "close": 1.0})
    monkeypatch.setattr(promotion, "_raw", lambda *_: past)
    monkeypatch.setattr(promotion, "fetch", lambda *_: None)
    monkeypatch.setattr(promotion, "get_domain", lambda _: type("Returns", (), {"returns": True}))
    params = type("P", (), {"ingest": type("I", (), {"as_of": "2018-12-31"})})
    monkeypatch.setattr(promotion, "load_params", lambda *_: params)
    assert promotion.decide(project, "finance") == promotion.Verdict(
        "finance", "v0.0.1", True, "the first version"
    )
    assert promotion.decide(project, "finance").why == "nothing new: the model is the same as that of v0.0.1"
    return project


def trials(monkeypatch: pytest.MonkeyPatch, candidate: np.ndarray, current: np.ndarray) -> None:
    given = {"candidate": forecasts(candidate), "current": forecasts(current)}
    monkeypatch.setattr(promotion, "_trial", lambda *a: given[a[-1].name])
    monkeypatch.setattr(promotion, "_same_procedure", lambda *_: False)


@pytest.mark.parametrize(("gain", "promoted"), [(-0.05, False), (-0.005, True), (0.05, True)])
def test_a_candidate_is_refused_only_where_it_is_clearly_worse(root, monkeypatch, gain, promoted):
    noise, other = np.random.default_rng(0).standard_normal((2, len(DATES)))
    trials(monkeypatch, noise + gain + 0.2 * (other - other.mean()), noise)
    retrain(root, 2)
    verdict = promotion.decide(root, "finance")
    assert (verdict.version, verdict.promoted) == ("v0.0.2", promoted)
    assert verdict.why.startswith("not worse: " if promoted else "worse: ")
    assert "against v0.0.1" in verdict.why
    assert "260 dates" in verdict.why
    assert promotion.current(root, "finance") == ("v0.0.2" if promoted else "v0.0.1")


def test_same_code_parameters_and_past_need_no_trial(root, monkeypatch):
    monkeypatch.setattr(promotion, "_same_procedure", lambda *_: True)
    monkeypatch.setattr(promotion, "_trial", lambda *_: pytest.fail("a trial where nothing differs"))
    retrain(root, 2)
    assert promotion.decide(root, "finance").why == "same code, parameters and history as v0.0.1"


def test_commits_that_differ_only_in_their_data_are_the_same_procedure(root):
    def commit(text: str, part: str, value: int) -> str:
        content = {part: value} if part == "ingest" else {"ingest": 0, part: value}
        params = {"finance": {"features": 0, "split": 0, "train": 0} | content}
        (root / "params.yaml").write_text(yaml.safe_dump(params))
        (root / "tasks/stages").mkdir(parents=True, exist_ok=True)
        (root / "tasks/stages/train.py").write_text(text)
        call(root, "git", "add", "-A")
        call(root, "git", "commit", "-qm", "change", "--allow-empty")
        return promotion.git(root, "rev-parse", "HEAD")

    first, later_data = commit("x = 1", "ingest", 1), commit("x = 1", "ingest", 2)
    other_params, other_code = commit("x = 1", "train", 3), commit("x = 2", "ingest", 2)
    assert promotion._same_procedure(root, "finance", first, later_data)
    assert not promotion._same_procedure(root, "finance", first, other_params)
    assert not promotion._same_procedure(root, "finance", first, other_code)


def test_a_trial_that_fails_says_which_stage_and_why(root, tmp_path):
    folder = tmp_path / "candidate"
    folder.mkdir()
    with pytest.raises(
        promotion.BasinError, match=r"running the candidate model failed in train: .*params\.yaml is missing"
    ):
        promotion._run(Path(folder), "train", "finance")
