"""Stage register: a model is registered only if its forecasts pass the checks, and atomically."""

import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from tasks.reporting.model_card import waivers
from tasks.runtime.errors import BasinError
from tasks.runtime.files import read_json
from tasks.runtime.params import load_params
from tasks.stages import register as stage
from tasks.tilts.model import load_model
from tests.synthetic import AUDIT, make_inputs, project
from tests.tasks.stages.test_report import made_up


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    workspace = project(tmp_path, "finance", rows=120)
    make_inputs(workspace, "x_z")
    # Frozen classical models have a test of their own.
    domain = SimpleNamespace(**{**vars(made_up("finance")), "base": "scale-regression", "returns": False})
    monkeypatch.setattr(stage, "get_domain", lambda name: domain)
    return workspace


def outputs(workspace):
    files = [workspace.forecast_audit, workspace.model_card, *sorted(workspace.model.iterdir())]
    return {f.name: f.read_bytes() for f in files}


def checks(monkeypatch, status: str) -> None:
    groups = {"id": "skill-by-group", "title": "By group", "measured": {"sp500 calm": "+0.01 [+0.00, +0.02]"}}
    listed = [*AUDIT["checks"], {**AUDIT["checks"][0], **groups}]
    found = {**AUDIT, "checks": [{**c, "status": status} for c in listed]}
    monkeypatch.setattr(stage, "check_forecasts", lambda *arguments: found)


def test_the_final_fold_is_saved_loads_and_is_the_same_bytes_again(workspace, project_root, monkeypatch):
    checks(monkeypatch, "warn")
    params = load_params(project_root, "finance")
    stage.register(workspace, params)
    first = outputs(workspace)
    trained = load_file(workspace.fits / "fits.safetensors")
    registered = load_model(workspace.model).energy.state_dict()
    assert {f"final/{name}" for name in registered} == set(trained)
    assert all(torch.equal(value.float(), trained[f"final/{name}"]) for name, value in registered.items())
    about = read_json(workspace.model / "config.json")
    assert about["base"] == "scale-regression" and about["as_of"] == "2018-12-31"
    stage.register(workspace, params)
    assert outputs(workspace) == first


def test_the_card_names_use_scores_limits_and_hashes(workspace, project_root, monkeypatch):
    checks(monkeypatch, "pass")
    stage.register(workspace, load_params(project_root, "finance"))
    card = workspace.model_card.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", card, re.M)
    assert [h.split(" ")[0] for h in headings] == [
        "Model", "Intended", "Model", "Data", "Audit", "Scores", "Calibration", "Weaknesses", "The",
        "Provenance",
    ]  # fmt: skip
    ours = read_json(workspace.scores)["pooled"]["leads"]["1"]["models"]["ebm"]
    assert f"{ours['crps']:.4f} / −{-ours['log_score']:.4f}" in card
    assert "| sp500 calm | +0.01 [+0.00, +0.02] |" in card and "No failed check was waived." in card
    assert "It is not intended" in card and "cd" * 32 in card
    widths = [line.count("|") for line in card.splitlines() if line.startswith("|")]
    assert min(widths) >= 3


def test_a_waived_failure_stands_on_the_card_with_its_reason_and_end():
    accepted = {"id": "odd", "title": "Odd", "waived": {"reason": "closed by law", "until": "2030-01-01"}}
    said = waivers({"data": {"checks": [accepted, {"id": "fine"}]}})
    assert said == "- **Waived: Odd** until 2030-01-01: closed by law"


def test_a_failed_check_registers_nothing_and_leaves_the_last_good_model(
    workspace, project_root, monkeypatch
):
    before = outputs(workspace)
    checks(monkeypatch, "fail")
    with pytest.raises(BasinError, match="check look-ahead failed"):
        stage.register(workspace, load_params(project_root, "finance"))
    assert outputs(workspace) == before
    assert not list(workspace.artifacts.glob(".*"))
