"""The picture of the folders and their imports, as SVG that takes its colours from the page."""

import ast
from html import escape
from pathlib import Path

WIDTH, BOX, HEIGHT, ROW, MARGIN = 760, 116, 34, 78, 16
"""Width of the picture; width and height of a box; distance of rows; margin of a panel. Pixels."""

Graph = dict[str, set[str]]


def diagram(root: Path) -> str:
    """One ``div`` without blank lines, which Markdown leaves as it is."""
    graph = imports(root)
    direct = without_detours(graph)
    places, panels, height = _layout(graph)
    parts = [_panel(name, *box) for name, box in panels.items()]
    parts += [
        _arrow(places[name], places[other]) for name in sorted(direct) for other in sorted(direct[name])
    ]
    parts += [_box(name, *place) for name, place in places.items()]
    label = "Folders of the project; each imports only folders below it"
    return (
        f'<div class="architecture">\n<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">\n'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>\n' + "\n".join(parts) + "\n</svg>\n</div>"
    )


def imports(root: Path) -> Graph:
    """The folders that each folder imports, inside functions and type checks too.

    A folder is one of ``tasks``, of ``ebm_core`` or of ``flows``; modules beside them count for nothing.
    """
    folders = {
        f"{top}.{path.parent.name}"
        for top in ("flows", "tasks", "ebm_core")
        for path in (root / top).glob("*/__init__.py")
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


def _depth(name: str, graph: Graph, top: str) -> int:
    """Longest chain of imports from a folder down to the lowest one of the same package."""
    return max((1 + _depth(other, graph, top) for other in graph[name] if other.startswith(top)), default=0)


def _layout(graph: Graph) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]], float]:
    """Centres of the boxes, top and height of the panels, and the height of the picture."""
    places: dict[str, tuple[float, float]] = {}
    panels: dict[str, tuple[float, float]] = {}
    y = float(MARGIN)
    for top in ("flows", "tasks", "ebm_core"):
        depths = {
            name: _depth(name, graph, f"{top}.") for name in sorted(graph) if name.startswith(f"{top}.")
        }
        rows = max(depths.values()) + 1
        panels[top] = (y, rows * ROW + MARGIN)
        for depth in range(rows):
            row = [name for name, of in depths.items() if of == depth]
            for column, name in enumerate(row):
                # Rows are shifted in turn, so that an arrow past a row does not run through a box.
                shift = BOX / 2 * (-1) ** depth * (len(row) < 3)
                x = 70 + (WIDTH - 70) * (column + 0.5) / len(row) + shift
                places[name] = (x, y + MARGIN + HEIGHT / 2 + (rows - 1 - depth) * ROW + 10)
        y += rows * ROW + 2 * MARGIN
    return places, panels, y


def _panel(name: str, y: float, height: float) -> str:
    return (
        f'<rect class="panel" x="1" y="{y}" width="{WIDTH - 2}" height="{height}" rx="8"/>'
        f'<text class="name" x="12" y="{y + 22}">{escape(name)}</text>'
    )


def _box(name: str, x: float, y: float) -> str:
    return (
        f'<rect class="box" x="{x - BOX / 2}" y="{y - HEIGHT / 2}" width="{BOX}" height="{HEIGHT}" rx="5"/>'
        f'<text class="folder" x="{x}" y="{y + 4}">{escape(name.split(".")[1])}</text>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = (start[0], start[1] + HEIGHT / 2), (end[0], end[1] - HEIGHT / 2)
    bend = (to_y - y) / 2
    return f'<path class="import" d="M{x} {y}C{x} {y + bend} {to_x} {to_y - bend} {to_x} {to_y}"/>'
