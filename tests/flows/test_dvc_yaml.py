"""`dvc.yaml` lists exactly the code that each stage's result depends on, for each domain."""

import ast
from pathlib import Path

import pytest
import yaml

from tasks.stages import STAGES

PLUMBING = {
    f"tasks/{name}.py"
    for name in ("__init__", "errors", "files", "freshness", "parallel", "params", "stages", "workspace")
}
"""Moves files and arguments about; a change of it does not make results stale."""


def direct(root: Path, path: str, domain: str) -> set[str]:
    """Project files that ``path`` imports anywhere in it; the domain registry stands for its domain."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((root / path).read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] not in ("tasks", "ebm_core"):
                continue
            stem = name.replace(".", "/")
            found |= {file for file in (f"{stem}.py", f"{stem}/__init__.py") if (root / file).is_file()}
    if "tasks/domains/__init__.py" in found:
        found.add(f"tasks/domains/{domain}.py")
    return found - PLUMBING


def closure(root: Path, stage: str, domain: str) -> set[str]:
    reached: set[str] = set()
    todo = {f"tasks/{stage}.py"}
    while todo:
        path = todo.pop()
        reached.add(path)
        todo |= direct(root, path, domain) - reached
    return reached


def listed(root: Path, stage: str, domain: str) -> set[str]:
    content = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
    files: set[str] = set()
    for dep in content["stages"][stage]["do"].get("deps", []):
        path = dep.replace("${item}", domain)
        if path.startswith(("tasks/", "ebm_core/")):
            folder = root / path
            found = folder.rglob("*") if folder.is_dir() else [folder]
            files |= {str(file.relative_to(root)) for file in found if file.suffix == ".py"}
    return files


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_exact(project_root: Path, stage: str) -> None:
    needed = {domain: closure(project_root, stage, domain) for domain in ("finance", "climate")}
    for domain, files in needed.items():
        assert not files - listed(project_root, stage, domain), f"{stage}@{domain} imports these"
    for domain in needed:
        unused = listed(project_root, stage, domain) - set().union(*needed.values())
        assert not unused, f"{stage}@{domain} lists these for nothing"


def test_every_stage_of_the_registry_is_in_the_pipeline_in_order(project_root: Path) -> None:
    content = yaml.safe_load((project_root / "dvc.yaml").read_text(encoding="utf-8"))
    assert tuple(content["stages"]) == STAGES
    for stage, entry in content["stages"].items():
        assert entry["do"]["cmd"] == f"python -m tasks {stage} --domain ${{item}}"
