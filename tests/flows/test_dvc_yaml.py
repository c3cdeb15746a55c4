"""Dependencies of each stage in `dvc.yaml` cover its imports, and an edit makes the right stages stale."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from tasks.applications.harness.application import APPLICATIONS, get_application
from tasks.runtime.params import load_domains
from tasks.runtime.workspace import Workspace
from tasks.sources.catalog import load_catalog
from tasks.sources.entries import DatasetSource
from tasks.stages import STAGES

NO_RESULTS = (
    "tasks/runtime/",
    "tasks/__init__.py",
    "tasks/stages/__init__.py",
    "tasks/domains/__init__.py",
    "tasks/domains/domain.py",
    "tasks/applications/__init__.py",
    "tasks/applications/__main__.py",
)
"""Moves files and arguments about or finds a module by name; a change of it does not make results stale."""

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
FORECASTERS: dict[str, str] = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["domains"]
"""By domain the folder of its forecasters."""


def direct(root: Path, path: str, name: str) -> set[str]:
    """Project files that ``path`` imports anywhere; a registry stands for the module called ``name``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((root / path).read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for imported in names:
            if imported.split(".")[0] in ("tasks", "ebm_core"):
                stem = imported.replace(".", "/")
                found |= {file for file in (f"{stem}.py", f"{stem}/__init__.py") if (root / file).is_file()}
    if "tasks/domains/__init__.py" in found:
        found.add(f"tasks/domains/{name}.py")
    if "tasks/applications/harness/application.py" in found:
        found.add(f"tasks/applications/{name}/application.py")
    return {file for file in found if not file.startswith(NO_RESULTS)}


def closure(root: Path, entry: str, name: str) -> set[str]:
    """``entry`` and every project file that it imports, through others or itself."""
    reached: set[str] = set()
    todo = {entry}
    while todo:
        path = todo.pop()
        reached.add(path)
        todo |= direct(root, path, name) - reached
    return reached


def covers(dep: str, path: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


def code(deps: list[str]) -> list[str]:
    return [dep for dep in deps if dep.startswith(("tasks/", "ebm_core"))]


def stage_entry(root: Path, stage: str) -> dict[str, Any]:
    """Return the section ``do`` of a stage of ``dvc.yaml`` with unresolved templates."""
    entry: dict[str, Any] = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]
    return entry["do"]


def code_deps(root: Path, stage: str, domain: str) -> list[str]:
    deps = code(stage_entry(root, stage)["deps"])
    return [dep.replace("${key}", domain).replace("${item}", FORECASTERS[domain]) for dep in deps]


@pytest.mark.parametrize("domain", FORECASTERS)
@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_imports_is_among_its_dependencies(project_root: Path, stage: str, domain: str) -> None:
    deps = code_deps(project_root, stage, domain)
    imported = closure(project_root, f"tasks/stages/{stage}.py", domain)
    missed = {path for path in imported if not any(covers(dep, path) for dep in deps)}
    assert not missed, f"{stage}@{domain} imports these"
    idle = [dep for dep in deps if not any(covers(dep, path) for path in imported)]
    assert not idle, f"{stage}@{domain} lists these for nothing"


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_are_short_to_read(project_root: Path, stage: str) -> None:
    deps = code(stage_entry(project_root, stage)["deps"])
    assert len(deps) <= 12
    for dep in deps:
        assert not dep.startswith(("tasks/runtime", "tasks/operations", "tasks/userdata")), dep


def test_every_stage_of_the_registry_is_in_the_pipeline_in_order(project_root: Path) -> None:
    content = yaml.safe_load((project_root / "dvc.yaml").read_text(encoding="utf-8"))
    assert tuple(content["stages"]) == STAGES
    for stage, entry in content["stages"].items():
        assert entry["foreach"] == "${domains}"
        assert entry["do"]["cmd"] == f"python -m tasks {stage} --domain ${{key}}"
    assert load_domains(project_root) == list(FORECASTERS)


@pytest.fixture(scope="module")
def copied(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    """Return a copy of the pipeline's definition and code that may be edited."""
    root = tmp_path_factory.mktemp("edited")
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", "tasks", "ebm_core"):
        source = project_root / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    with Repo.init(str(root), no_scm=True) as repo:
        yield repo


def hashes(repo: Repo) -> dict[str, dict[str, Any]]:
    """Return, for each stage, the hashes of the code it depends on, as computed by DVC."""
    known: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {}
    for stage in repo.stage.collect():
        found[stage.name] = {}
        for dep in stage.deps:
            path = str(dep.def_path)
            if path.startswith(("tasks/", "ebm_core")):
                known[path] = known.get(path) or dep.get_hash()
                found[stage.name][path] = known[path]
    return found


def of_both(*stages: str) -> set[str]:
    return {f"{stage}@{domain}" for stage in stages for domain in FORECASTERS}


FINANCE, CLIMATE = ({f"{stage}@{domain}" for stage in STAGES} for domain in ("finance", "climate"))


@pytest.mark.parametrize(
    ("edited", "stale"),
    [
        ("tasks/reporting/page.py", of_both("report")),
        ("tasks/reporting/comparison.py", of_both("report")),
        ("tasks/reporting/maps.py", of_both("landscape", "report")),
        ("tasks/reporting/labels.py", of_both("landscape", "register", "report")),
        ("tasks/reporting/model_card.py", of_both("register", "report")),
        ("tasks/scoring/scores.py", of_both("evaluate", "forecast", "report")),
        ("ebm_core/views/landscapes.py", of_both("landscape")),
        ("ebm_core/sampling/samplers.py", set()),
        ("tasks/stages/train.py", of_both("train")),
        ("tasks/checks/suites.py", of_both("validate", "audit", "register")),
        ("tasks/forecasters/levels/monthly.py", CLIMATE - {"validate@climate"}),
        ("tasks/forecasters/returns/garch.py", FINANCE - {"validate@finance"}),
        ("tasks/domains/climate.py", CLIMATE - {"validate@climate"}),
        ("tasks/forecasters/sample_paths.py", set()),
        ("tasks/applications/harness/run.py", set()),
        ("tasks/userdata/reading.py", set()),
        ("tasks/operations/monitor.py", set()),
        ("tasks/runtime/files.py", set()),
    ],
)
def test_an_edit_makes_stale_what_depends_on_it(copied: Repo, edited: str, stale: set[str]) -> None:
    path = Path(copied.root_dir) / edited
    before, text = hashes(copied), path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# edited\n", encoding="utf-8")
    try:
        after = hashes(copied)
    finally:
        path.write_text(text, encoding="utf-8")
    assert {stage for stage in after if after[stage] != before[stage]} == stale


WATCHED = {"ingest": {"data/local"}}
"""The folder of the user's own files, of which the catalog may name any."""
NOT_OUTPUTS = {"root", "domain", "strict", "artifacts", "runs", "data_docs", "tensorboard", "run_record"}
PARTS = {
    "ingest": ("tasks/sources/snapshot.py",),
    "audit": ("tasks/checks/data.py",),
    "train": ("tasks/tilts/training_data.py",),
    "register": ("tasks/checks/forecasts.py", "tasks/reporting/model_card.py"),
    "report": ("tasks/reporting/*.py",),
}
"""Where a stage has more modules that take the workspace or the parameters."""


def attributes(root: Path, stage: str, owner: str) -> set[str]:
    """Every ``owner.ATTRIBUTE`` (``self.owner.ATTRIBUTE``, ...) in the stage's own modules."""
    paths = [root / f"tasks/stages/{stage}.py"]
    paths += [file for part in PARTS.get(stage, ()) for file in root.glob(part)]
    return {
        node.attr
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and owner in (getattr(node.value, "id", None), getattr(node.value, "attr", None))
    }


@pytest.mark.parametrize("stage", STAGES)
def test_files_and_parameters_are_exactly_those_that_the_stage_names(project_root: Path, stage: str) -> None:
    do = stage_entry(project_root, stage)
    workspace = Workspace(Path(), "${key}")
    named = {
        str(getattr(workspace, name)) for name in attributes(project_root, stage, "workspace") - NOT_OUTPUTS
    }
    files = {*do["deps"], *do["outs"], *do.get("metrics", [])} - set(code(do["deps"]))
    assert files == named | WATCHED.get(stage, set())

    sections = attributes(project_root, stage, "params")
    expected = {"${key}"} if "model_dump" in sections else {f"${{key}}.{name}" for name in sections}
    assert set(do.get("params", [])) == expected


def test_every_application_is_a_stage_that_depends_on_its_code_its_sources_and_its_seeds(
    project_root: Path,
) -> None:
    folder = project_root / "applications"
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert set(stages) == set(APPLICATIONS)
    assert set(stages) == set(yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8")))
    catalog = load_catalog(project_root / "data" / "catalog.yaml")
    for name, stage in stages.items():
        assert stage["cmd"] == f"cd .. && python -m tasks.applications {name}"
        deps = [dep.removeprefix("../") for dep in stage["deps"]]
        imported = closure(project_root, "tasks/applications/harness/run.py", name)
        missed = {path for path in imported if not any(covers(dep, path) for dep in code(deps))}
        assert not missed, f"applications/dvc.yaml: {name} imports these"
        idle = [dep for dep in code(deps) if not any(covers(dep, path) for path in imported)]
        assert not idle, f"applications/dvc.yaml: {name} lists these for nothing"
        assert set(deps) - set(code(deps)) == {f"data/expectations/{name}.json"}
        sources = get_application(name).sources
        assert stage["params"] == [name, {"../data/catalog.yaml": list(sources)}]
        for entry in (catalog[source] for source in sources):
            # A file that may be absent is known by its sum alone.
            assert isinstance(entry, DatasetSource) and (entry.loader or entry.sha256)
