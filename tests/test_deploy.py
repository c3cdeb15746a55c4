"""The manifests of deploy/ keep to their schemas, ask for tokens and open no dashboard."""

import json
from pathlib import Path

import jsonschema
import ray
import yaml

SCHEMA = Path(__file__).with_name("rayjob-schema.json")


def test_the_ray_cluster_keeps_to_rays_schema_and_lets_nobody_in_without_a_token(project_root):
    manifest = yaml.safe_load((project_root / "deploy/ray-cluster.yaml").read_text())
    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    jsonschema.validate(manifest, schema)
    for role in ("head", "worker"):
        (start,) = (line for line in manifest[f"{role}_start_ray_commands"] if "ray start" in line)
        assert start.startswith("RAY_AUTH_MODE=token ")
    assert "--dashboard-host=127.0.0.1" in manifest["head_start_ray_commands"][-1]


def test_the_rayjob_keeps_to_kuberays_schema_and_to_the_installed_ray(project_root):
    manifest = yaml.safe_load((project_root / "deploy/rayjob.yaml").read_text())
    jsonschema.validate(manifest, json.loads(SCHEMA.read_text()))
    cluster = manifest["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["rayVersion"] == ray.__version__
