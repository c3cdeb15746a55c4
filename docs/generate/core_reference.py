"""Reference pages of ``ebm_core``: one page per package, with a mkdocstrings directive for each module."""

from pathlib import Path

DIRECTIVE = "::: {module}\n    options:\n      heading_level: 2\n      show_root_full_path: true\n"


def pages(root: Path) -> dict[str, str]:
    core = root / "ebm_core"
    packages = sorted(path.parent for path in core.glob("*/__init__.py"))
    found = {
        f"reference/ebm_core/{package.name}.md": _page(f"ebm_core.{package.name}", _modules(package))
        for package in packages
    }
    found["reference/ebm_core/other.md"] = _page("ebm_core", _modules(core))
    return found


def _modules(package: Path) -> list[str]:
    return sorted(path.stem for path in package.glob("*.py") if not path.stem.startswith("_"))


def _page(package: str, modules: list[str]) -> str:
    directives = [DIRECTIVE.format(module=f"{package}.{module}") for module in modules]
    return "\n".join([f"# `{package}`\n", *directives])
