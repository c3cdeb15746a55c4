"""`dvc.yaml` lists exactly the code that each stage's result depends on, for each domain."""

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

from tasks.applications import get_application
from tasks.catalog import DatasetSource, load_catalog
from tasks.domains import DOMAINS
from tasks.params import load_domains
from tasks.stages import STAGES
from tasks.workspace import Workspace

PLUMBING = {
    f"tasks/{name}.py"
    for name in ("__init__", "errors", "files", "freshness", "parallel", "params", "stages", "workspace")
}
"""Moves files and arguments about; a change of it does not make results stale."""


@cache
def direct(root: Path, path: str, domain: str) -> frozenset[str]:
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
    return frozenset(found - PLUMBING)


def closure(root: Path, entry: str, domain: str) -> set[str]:
    reached: set[str] = set()
    todo = {entry}
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
    needed = {domain: closure(project_root, f"tasks/{stage}.py", domain) for domain in ("finance", "climate")}
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


WATCHED = {"ingest": {"data/local"}}
"""The folder of the user's own files, of which the catalog may name any."""
NOT_OUTPUTS = {"root", "domain", "artifacts", "runs", "data_docs", "tensorboard", "run_record"}
PARTS = {
    "audit": "tasks/checks/data.py",
    "register": "tasks/checks/forecasts.py",
    "report": "tasks/reporting/*.py",
}
"""Where a stage has more modules that take the workspace or the parameters."""


def attributes(root: Path, stage: str, owner: str) -> set[str]:
    """Every ``owner.ATTRIBUTE`` (``self.owner.ATTRIBUTE``, ...) in the stage's own modules."""
    paths = [root / f"tasks/{stage}.py", *(root.glob(PARTS[stage]) if stage in PARTS else ())]
    return {
        node.attr
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and owner in (getattr(node.value, "id", None), getattr(node.value, "attr", None))
    }


@pytest.mark.parametrize("stage", STAGES)
def test_files_and_parameters_are_exactly_those_that_the_stage_names(project_root: Path, stage: str) -> None:
    do = yaml.safe_load((project_root / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]["do"]
    workspace = Workspace(Path(), "${item}")
    named = {
        str(getattr(workspace, name)) for name in attributes(project_root, stage, "workspace") - NOT_OUTPUTS
    }
    files = {*do.get("deps", []), *do["outs"], *do.get("metrics", [])}
    assert {path for path in files if not path.startswith(("tasks/", "ebm_core/"))} == named | WATCHED.get(
        stage, set()
    )

    sections = attributes(project_root, stage, "params")
    expected = {"${item}"} if "model_dump" in sections else {f"${{item}}.{name}" for name in sections}
    assert set(do.get("params", [])) == expected


def test_every_application_is_a_stage_that_depends_on_exactly_its_code_its_sources_and_its_seeds(
    project_root: Path,
) -> None:
    folder = project_root / "applications"
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert set(stages) == set(DOMAINS) - set(load_domains(project_root))
    assert set(stages) == set(yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8")))
    catalog = load_catalog(project_root / "data" / "catalog.yaml")
    for name, stage in stages.items():
        assert stage["cmd"] == f"cd .. && python -m tasks.applications {name}"
        code = closure(project_root, "tasks/applications/run.py", name)
        needed = {f"../{path}" for path in {*code, f"data/expectations/{name}.json"}}
        found = set(stage["deps"])
        assert not needed - found, f"applications/dvc.yaml: {name} needs these"
        assert not found - needed, f"applications/dvc.yaml: {name} lists these for nothing"
        sources = get_application(name).sources
        assert stage["params"] == [name, {"../data/catalog.yaml": list(sources)}]
        for entry in (catalog[source] for source in sources):
            # A file that may be absent is known by its sum alone.
            assert isinstance(entry, DatasetSource) and (entry.loader or entry.sha256)
