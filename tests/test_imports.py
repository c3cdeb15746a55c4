"""Rules of imports: flows → tasks → ebm_core, no cycles, and the packages that each may import."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import ebm_core

FORBIDDEN = {
    "ebm_core": {"tasks", "flows", "pandas", "prefect", "ray", "dvc", "typer", "rich", "great_expectations"},
    "tasks": {"flows", "prefect", "typer", "rich"},
    "flows": {"ebm_core", "torch"},
}


def imported(source: str, package: str) -> Iterable[tuple[int, str]]:
    """Line and full module name of every import, inside functions too; relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                yield node.lineno, ".".join([*parents, node.module or ""]).rstrip(".")
            else:
                yield node.lineno, node.module or ""


def violations(root: Path) -> list[str]:
    found = []
    for top, forbidden in FORBIDDEN.items():
        for path in sorted((root / top).rglob("*.py")):
            package = ".".join(path.relative_to(root).parent.parts)
            for line, name in imported(path.read_text(encoding="utf-8"), package):
                if name.split(".")[0] in forbidden:
                    found.append(f"{path.relative_to(root)}:{line} imports {name}")
    return found


def test_nothing_imports_upwards(project_root: Path) -> None:
    assert violations(project_root) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ebm_core/tilts/bilinear.py", "import tasks.stages.train"),
        ("ebm_core/deep/energies.py", "def f():\n    from ...tasks import train"),
        ("tasks/stages/train.py", "def f():\n    from flows.cli.app import app"),
        ("tasks/domains/finance.py", "import prefect as p"),
        ("flows/cli/app.py", "from ebm_core.tilts.tilted import TiltedDistribution"),
    ],
)
def test_the_rule_can_fail(tmp_path: Path, path: str, source: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(source)
    (found,) = violations(tmp_path)
    assert found.startswith(path)


def modules(root: Path) -> dict[str, Path]:
    """Dotted names of the project's modules."""
    paths = [
        path for top in (*FORBIDDEN, "basin", "benchmarks") for path in sorted((root / top).rglob("*.py"))
    ]
    parts = {path: path.relative_to(root).with_suffix("").parts for path in paths}
    return {".".join(of[:-1] if of[-1] == "__init__" else of): path for path, of in parts.items()}


def imports(root: Path) -> dict[str, set[str]]:
    """Return the project's modules that each module imports, including those in functions and type checks.

    ``from package import module`` is an import of the module, not of the package.
    """
    known = modules(root)
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        found[name] = set()
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & set(known)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*above, *([node.module] if node.module else [])])
                names = {f"{source}.{alias.name}" for alias in node.names}
                found[name] |= names & set(known) or {source} & set(known)
    return found


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return groups of modules in which each imports every other, directly or indirectly (cycles)."""
    reached = {name: reachable(name, edges) for name in edges}
    groups = {
        tuple(sorted(other for other in found if name in reached[other]))
        for name, found in reached.items()
        if name in found
    }
    return [list(group) for group in sorted(groups)]


def reachable(name: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        new = edges[todo.pop()] - found
        found |= new
        todo.extend(new)
    return found


def test_no_modules_import_each_other_in_a_circle(project_root: Path) -> None:
    found = cycles(imports(project_root))
    assert not found, "\n".join(" and ".join(group) for group in found)


ORDER = (
    "runtime",
    "forecasters",
    "domains",
    "sources",
    "checks",
    "tilts",
    "scoring",
    "joint",
    "reporting",
    "events",
    "fields",
    "stages",
    "userdata",
    "operations",
    "applications",
)
"""Folders of ``tasks/``, each importing only from those before it."""


def upwards(root: Path) -> list[str]:
    """Imports of a folder of ``tasks/`` by one that stands before it in ``ORDER``."""
    found = []
    for name, imported in imports(root).items():
        folder = name.split(".")[1:2]
        for other in imported:
            if name.startswith("tasks.") and other.startswith("tasks.") and folder[0] in ORDER:
                above = other.split(".")[1]
                if above not in ORDER or ORDER.index(above) > ORDER.index(folder[0]):
                    found.append(f"{name} imports {other}")
    return found


def test_the_folders_of_tasks_import_one_way_only(project_root: Path) -> None:
    folders = {path.parent.name for path in (project_root / "tasks").glob("*/__init__.py")}
    assert folders == set(ORDER)
    assert {path.name for path in (project_root / "tasks").glob("*.py")} == {"__init__.py", "__main__.py"}
    assert not upwards(project_root), "\n".join(upwards(project_root))


def test_an_import_up_the_folders_is_found(tmp_path: Path) -> None:
    for folder in ("runtime", "stages"):
        (tmp_path / "tasks" / folder).mkdir(parents=True)
    (tmp_path / "tasks/runtime/files.py").write_text("def f():\n    from tasks.stages import train")
    (tmp_path / "tasks/stages/train.py").write_text("from tasks.runtime import files")
    assert upwards(tmp_path) == ["tasks.runtime.files imports tasks.stages.train"]


def test_nothing_but_the_registry_imports_a_stage(project_root: Path) -> None:
    """The registry imports them by name."""
    named = {other for imported in imports(project_root).values() for other in imported}
    assert not {name for name in named if name.startswith("tasks.stages.")}


def test_a_circle_is_found_at_any_length_and_inside_functions(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "a.py").write_text("from tasks import b")
    (folder / "b.py").write_text("def f():\n    from tasks.c import g")
    (folder / "c.py").write_text("import tasks.a")
    (folder / "d.py").write_text("import tasks.a")
    (folder / "e.py").write_text("from . import f")
    (folder / "f.py").write_text("from .e import g")
    assert cycles(imports(tmp_path)) == [["tasks.a", "tasks.b", "tasks.c"], ["tasks.e", "tasks.f"]]


def test_the_core_alone_needs_only_four_packages() -> None:
    """`ebm_core` loads nothing beyond torch, numpy, scipy and safetensors, and what these load."""
    script = """
import sys, torch, numpy, scipy.stats, safetensors.torch
before = set(sys.modules)
from ebm_core import *
print(*{name.split(".")[0] for name in set(sys.modules) - before})
"""
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert set(loaded) <= {"ebm_core", "scipy", "torch", "numpy", *sys.stdlib_module_names}


def test_the_core_loads_no_library_before_its_names_are_used() -> None:
    script = """
import sys, ebm_core
print({"torch", "numpy", "scipy"} & set(sys.modules), ebm_core.energies.__name__, "tilts" in dir(ebm_core))
import ebm_core.tilts.normalised
print("torch" in sys.modules)
"""
    assert (
        subprocess.check_output([sys.executable, "-c", script], text=True)
        == "set() ebm_core.energies True\nFalse\n"
    )


def test_the_public_names_of_the_core_are_those_that_type_checkers_see(project_root: Path) -> None:
    tree = ast.parse((project_root / "ebm_core/__init__.py").read_text(encoding="utf-8"))
    declared = {
        alias.name: str(node.module).removeprefix("ebm_core.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ebm_core.")
        for alias in node.names
    }
    assert declared == ebm_core.MODULES
    assert sorted(declared) == sorted(ebm_core.__all__) and set(declared) <= set(dir(ebm_core))
    assert all(getattr(ebm_core, name).__name__ == name for name in declared)
    with pytest.raises(AttributeError, match="'ebm_core' has no attribute 'SkewedT'"):
        _ = ebm_core.SkewedT
