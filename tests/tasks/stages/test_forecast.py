"""The stage forecast writes a file that keeps to its schema, with risk measures of returns alone."""

import json
from pathlib import Path

import jsonschema
import pytest

from tasks.runtime.params import load_params
from tasks.stages.forecast import forecast
from tests.synthetic import make_inputs, project


@pytest.mark.parametrize("domain", ["finance", "climate"])
def test_the_file_of_a_forecast_keeps_to_its_schema(tmp_path: Path, project_root: Path, domain: str) -> None:
    workspace = project(tmp_path, domain, rows=200)
    make_inputs(workspace, "x_z")
    params = load_params(project_root, domain)
    forecast(workspace, params)
    written = workspace.forecast.read_bytes()
    schema = json.loads((project_root / "docs/forecast.schema.json").read_text(encoding="utf-8"))
    found = json.loads(written)
    jsonschema.Draft202012Validator(schema).validate(found)
    for part in found["series"].values():
        for step in part["steps"]:
            assert step["sd"] > 0 and ("var" in step) == (domain == "finance")
            for level, value in step.get("es", {}).items():
                assert value < step["var"][level] == step["quantiles"][level]
    forecast(workspace, params)
    assert workspace.forecast.read_bytes() == written
