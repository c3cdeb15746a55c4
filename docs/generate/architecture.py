"""SVG diagram of the folders and their imports. Its colours are those of the page."""

import ast
from html import escape
from pathlib import Path

PACKAGES = ("flows", "tasks", "ebm_core")
WIDTH, BOX, HEIGHT, ROW, MARGIN = 640, 120, 28, 40, 12
"""Sizes in pixels: width of the diagram, width and height of a box, distance of rows, margin of a panel."""

Graph = dict[str, set[str]]


def diagram(root: Path) -> str:
    """Return the diagram as one ``div`` without blank lines, which Markdown does not change."""
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
    """Return the folders that each folder imports, including imports in functions and for type checking."""
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
    """Return the transitive reduction: the imports of a folder that none of its other imports implies."""
    below = {name: _reachable(name, graph) for name in graph}
    return {
        name: {other for other in found if not any(other in below[third] for third in found)}
        for name, found in graph.items()
    }


def _reachable(name: str, graph: Graph) -> set[str]:
    return graph[name].union(*(_reachable(other, graph) for other in graph[name]))


def _depth(name: str, graph: Graph) -> int:
    """Return the length of the longest chain of imports that starts at a folder."""
    return max((1 + _depth(other, graph) for other in graph[name]), default=0)


def _layout(graph: Graph) -> tuple[dict[str, float], dict[str, tuple[float, float]], float]:
    """Return the position of each box, top and height of each panel, and the height of the diagram."""
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
    """Draw an import, on the right side within a package and on the left side between packages."""
    side = 1 if name.split(".")[0] == other.split(".")[0] else -1
    start, end, x = rows[name] + 5, rows[other] - 5, WIDTH / 2 + side * BOX / 2
    bend = x + side * min(20 + 0.45 * (end - start), 300)
    return (
        f'<path class="import" d="M{x} {start}C{bend} {start} {bend} {end} {x} {end}">'
        f"<title>{name} imports {other}</title></path>"
    )
