"""The picture of the folders and their imports, as SVG that takes its colours from the page."""

import ast
from html import escape
from pathlib import Path

PACKAGES = ("flows", "tasks", "ebm_core")
WIDTH, BOX, HEIGHT, ROW, MARGIN = 640, 120, 28, 40, 12
"""Pixels: the picture's width, a box's width and height, the distance of rows, a panel's margin."""

Graph = dict[str, set[str]]


def diagram(root: Path) -> str:
    """One ``div`` without blank lines, which Markdown leaves as it is."""
    graph = imports(root)
    direct = without_detours(graph)
    rows, panels, height = _layout(graph)
    parts = [_panel(name, *extent) for name, extent in panels.items()]
    parts += [_arc(name, other, rows) for name in rows for other in rows if other in direct[name]]
    parts += [_box(name, y) for name, y in rows.items()]
    label = "Folders of the project. Each imports only folders below it."
    return (
        f'<div class="architecture">\n<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">\n'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>\n' + "\n".join(parts) + "\n</svg>\n</div>"
    )


def imports(root: Path) -> Graph:
    """The folders that each folder of ``PACKAGES`` imports, inside functions and type checks too."""
    folders = {
        f"{package}.{path.parent.name}"
        for package in PACKAGES
        for path in (root / package).glob("*/__init__.py")
    }
    graph: Graph = {folder: set() for folder in folders}
    for folder in folders:
        for path in (root / folder.replace(".", "/")).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                else:
                    continue
                graph[folder] |= {".".join(name.split(".")[:2]) for name in names} & folders
        graph[folder].discard(folder)
    return graph


def without_detours(graph: Graph) -> Graph:
    """Imports of a folder that none of its other imports brings along: the transitive reduction."""
    below = {name: _reachable(name, graph) for name in graph}
    return {
        name: {other for other in found if not any(other in below[third] for third in found)}
        for name, found in graph.items()
    }


def _reachable(name: str, graph: Graph) -> set[str]:
    return graph[name].union(*(_reachable(other, graph) for other in graph[name]))


def _depth(name: str, graph: Graph) -> int:
    """Length of the longest chain of imports from a folder downwards."""
    return max((1 + _depth(other, graph) for other in graph[name]), default=0)


def _layout(graph: Graph) -> tuple[dict[str, float], dict[str, tuple[float, float]], float]:
    """Heights of the boxes from the top downwards, top and height of each panel, height of the picture."""
    rows: dict[str, float] = {}
    panels: dict[str, tuple[float, float]] = {}
    y = 0.0
    for package in PACKAGES:
        folders = [name for name in graph if name.startswith(f"{package}.")]
        folders.sort(key=lambda name: (-_depth(name, graph), name))
        panels[package] = (y, len(folders) * ROW + MARGIN)
        rows |= {name: y + MARGIN / 2 + (row + 0.5) * ROW for row, name in enumerate(folders)}
        y += len(folders) * ROW + 2 * MARGIN
    return rows, panels, y - MARGIN


def _panel(name: str, y: float, height: float) -> str:
    return (
        f'<rect class="panel" x="1" y="{y}" width="{WIDTH - 2}" height="{height}" rx="8"/>'
        f'<text class="package" x="14" y="{y + 24}">{escape(name)}</text>'
    )


def _box(name: str, y: float) -> str:
    x = (WIDTH - BOX) / 2
    return (
        f'<rect class="box" x="{x}" y="{y - HEIGHT / 2}" width="{BOX}" height="{HEIGHT}" rx="5"/>'
        f'<text class="folder" x="{WIDTH / 2}" y="{y + 4}">{escape(name.split(".")[1])}</text>'
    )


def _arc(name: str, other: str, rows: dict[str, float]) -> str:
    """On the right within a package, on the left from one package to another."""
    side = 1 if name.split(".")[0] == other.split(".")[0] else -1
    start, end, x = rows[name] + 5, rows[other] - 5, WIDTH / 2 + side * BOX / 2
    bend = x + side * min(20 + 0.45 * (end - start), 300)
    return (
        f'<path class="import" d="M{x} {start}C{bend} {start} {bend} {end} {x} {end}">'
        f"<title>{name} imports {other}</title></path>"
    )
