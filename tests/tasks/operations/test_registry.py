"""Registry: versions and statuses are git tags, files come from DVC's cache, and rollback works."""

import subprocess

import pytest

from tasks.operations.registry import (
    CURRENT,
    REFUSED,
    assign,
    current,
    history,
    in_use,
    register,
    rollback,
    same_model,
    status,
    versions,
)
from tasks.runtime.errors import BasinError
from tests.small_project import call, retrain


def test_versions_are_registered_promoted_refused_and_rolled_back(project):
    assert current(project, "finance") is None
    with pytest.raises(BasinError, match="no model is current"):
        in_use(project, "finance")
    first = register(project, "finance", "the first")
    assert register(project, "finance", "again") == first  # one commit, one version
    assign(project, "finance", first, CURRENT, "because")
    assert (in_use(project, "finance") / "model/config.json").read_text() == "1"

    retrain(project, 2)
    second = register(project, "finance", "candidate")
    assert current(project, "finance") == first
    assign(project, "finance", second, REFUSED, "worse: t -2.0")
    assert current(project, "finance") == first
    assert history(project, "finance")[-1].why == "worse: t -2.0"
    assert status(history(project, "finance"), second) == "refused"

    retrain(project, 3)
    third = register(project, "finance", "candidate")
    assign(project, "finance", third, CURRENT, "better")
    assert (in_use(project, "finance") / "model/config.json").read_text() == "3"
    assert (in_use(project, "finance") / "forecasts.parquet").read_text() == "3"
    assert rollback(project, "finance", "a person said so") == (first, third)
    assert (in_use(project, "finance") / "model/config.json").read_text() == "1"
    events = history(project, "finance")
    assert {v: status(events, v) for v in versions(events)} == {
        first: "current",
        second: "refused",
        third: "rolled back",
    }
    with pytest.raises(BasinError, match=f"no version was current before {first}"):
        rollback(project, "finance", "once more")


def test_dvc_and_gto_read_the_same_registry(project):
    import dvc.api

    first = register(project, "finance", "the first")
    assign(project, "finance", first, CURRENT, "because")
    found = dvc.api.artifacts_show("finance", stage="current", repo=str(project))
    assert found["path"] == "artifacts/finance/model"
    assert found["rev"] == versions(history(project, "finance"))[first]


def test_what_cannot_be_registered_or_fetched_is_one_clear_line(project):
    (project / "params.yaml").write_text("level: 9\n")
    with pytest.raises(BasinError, match="uncommitted changes; commit them"):
        register(project, "finance", "dirty")
    with pytest.raises(BasinError, match="no version v9"):
        assign(project, "finance", "v9", CURRENT, "why not")
    retrain(project, 1)
    first = register(project, "finance", "the first")
    assign(project, "finance", first, CURRENT, "because")
    call(project, "rm", "-rf", ".dvc/cache")
    with pytest.raises(
        BasinError, match="is not in DVC's cache; get it from a remote with `dvc fetch --all-commits`"
    ):
        in_use(project, "finance")
    assert not (project / "runs/finance/models" / first).exists()


def test_the_same_model_is_known_by_its_hash(project):
    one = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True
    ).stdout.strip()
    (project / "note.txt").write_text("nothing of the model")
    call(project, "git", "add", "-A")
    call(project, "git", "commit", "-qm", "note")
    assert same_model(project, "finance", one, "HEAD")
    retrain(project, 2)
    assert not same_model(project, "finance", one, "HEAD")
