"""Code that each row of the benchmarks measures, and a hash of its content.

A row depends on its own module and on the files and folders listed here. ``tasks/runtime`` is listed only
where times, faults or workers are measured.
"""

import ast
import hashlib
import inspect
import io
import tokenize
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from benchmarks import ROOT

TILT = ("ebm_core/base", "ebm_core/tilts", "ebm_core/energies", "tasks/tilts")
PIPELINE = (
    *TILT,
    "tasks/domains",
    "tasks/forecasters",
    "tasks/sources",
    "tasks/checks",
    "tasks/scoring",
    "tasks/stages",
    "data/catalog.yaml",
    "params.yaml",
)
FLOW = (*PIPELINE, "tasks/reporting", "tasks/operations", "tasks/runtime", "flows", "dvc.yaml")
OWN_FILES = (*TILT, "tasks/forecasters", "tasks/scoring", "tasks/userdata", "tasks/reporting/verdict.py")
JOINT = ("ebm_core/tilts", "tasks/joint", "tasks/forecasters/returns/garch.py", "tasks/scoring")
OWN_COMMANDS = (*OWN_FILES, "tasks/stages", "tasks/reporting", "tasks/runtime", "flows/cli")
FIELDS = (
    "ebm_core/base",
    "ebm_core/energies",
    "ebm_core/learning",
    "ebm_core/tilts",
    "tasks/fields",
    "tasks/scoring",
)
ENERGIES = ("ebm_core/base", "ebm_core/energies", "ebm_core/sampling")
LEARNING = (*ENERGIES, "ebm_core/learning")
HARNESS = ("ebm_core", "tasks/applications/harness", "applications/params.yaml")

SOURCES: dict[str, tuple[str, ...]] = {
    "sp500": PIPELINE,
    "normaliser": PIPELINE,
    "elnino": PIPELINE,
    "runs": FLOW,
    "repro": FLOW,
    "cold": (*FLOW, "Makefile", "pyproject.toml", "constraints.txt"),
    "tests": ("tests", "Makefile", "pyproject.toml"),
    "ohlc": OWN_FILES,
    "vix": OWN_FILES,
    "fit": ("ebm_core/base", "ebm_core/tilts"),
    "closes": OWN_FILES,
    "markets": OWN_FILES,
    "var": OWN_FILES,
    "fz0": OWN_FILES,
    "nino": OWN_FILES,
    "season": (*OWN_FILES, "benchmarks/forecasting/season.py"),
    "exchange": ("benchmarks/forecasting/exchange.py", "tasks/forecasters/sample_paths.py", "tasks/tilts"),
    "alarm": (*OWN_FILES, "tasks/events"),
    "joint": JOINT,
    "joint-dow": JOINT,
    "joint-short": JOINT,
    "forecast-time": OWN_COMMANDS,
    "patience": OWN_FILES,
    "backtest-time": OWN_COMMANDS,
    "nino-time": OWN_COMMANDS,
    "imports": ("basin", "flows/cli"),
    "chaos": FLOW,
    "cluster": (*FLOW, "tests/system/test_cluster.py"),
    "together": FLOW,
    "adversity": FLOW,
    "fits": ("ebm_core/base", "ebm_core/tilts", "tasks/runtime/parallel.py"),
    "cached": FLOW,
    "day": FLOW,
    "monitor": (
        "tasks/checks/drift.py",
        "tasks/operations/change_detector.py",
        "tasks/operations/monitor.py",
    ),
    "field": FIELDS,
    "field-scale": FIELDS,
    "cases": (*OWN_FILES, "benchmarks/auditing/cases.py", "tasks/fields", "tasks/sources", "tasks/checks"),
    "audit": (
        "benchmarks/auditing",
        "tests/synthetic_tables.py",
        "tasks/checks",
        "tasks/userdata/audit.py",
    ),
    "langevin": ENERGIES,
    "bf16": ENERGIES,
    "ais": ENERGIES,
    "modes": ENERGIES,
    "cuda": ENERGIES,
    "core-epochs": LEARNING,
    "core-resume": (*LEARNING, "tests/ebm_core/learning/test_fit.py"),
    "core-quality": (*LEARNING, "ebm_core/views/discrepancies.py"),
    "images": (*HARNESS, "tasks/applications/images"),
    "mri": (*HARNESS, "tasks/applications/mri"),
    "anomaly": (*HARNESS, "tasks/applications/anomaly"),
    "social": (*HARNESS, "tasks/applications/social"),
    "music": (*HARNESS, "tasks/applications/music"),
    "speech": (*HARNESS, "tasks/applications/speech"),
    "divergence": (*LEARNING, "tasks/applications/harness/streaming.py"),
    "lean": PIPELINE,
}
"""Files and folders in the project that each row depends on, besides its own module."""


@cache
def _content(file: Path, modified: int, size: int) -> bytes:
    """Return the content of a file, that of Python without comments, docstrings and the texts of errors.

    The time of its last change and its size tell one state of the file from another.
    """
    content = file.read_bytes()
    if file.suffix != ".py":
        return content
    lines = content.splitlines()
    for first, start, last, end in sorted(_words(content), reverse=True):
        before, after = lines[first - 1][:start], lines[last - 1][end:]
        lines[first - 1 : last] = [before + after]
    return b"\n".join(line.rstrip() for line in lines if line.strip())


def _words(content: bytes) -> set[tuple[int, int, int, int]]:
    """Return the first line and column and the last line and column of every text that is left out."""
    spans = set()
    for node in ast.walk(ast.parse(content)):
        inside: Iterable[ast.AST] = ()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside = [node.value]
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            inside = [*node.exc.args, *(keyword.value for keyword in node.exc.keywords)]
        for text in inside:
            string = isinstance(text, ast.Constant) and isinstance(text.value, str)
            if isinstance(text, ast.JoinedStr) or string:
                spans.add((text.lineno, text.col_offset, text.end_lineno, text.end_col_offset))
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type == tokenize.COMMENT:
            (line, column), text = token.start, token.line
            start = len(text[:column].encode())
            spans.add((line, start, line, start + len(token.string.encode())))
    return spans


def content_hash(path: Path) -> str | None:
    """Return 16 hexadecimal digits of the sha256 of a file or a folder's files; None if it is missing.

    Of Python files, comments, docstrings and the texts of errors are left out, as they change no figure.
    """
    if not path.exists():
        return None
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and "__pycache__" not in file.parts:
            state = file.stat()
            content = _content(file, state.st_mtime_ns, state.st_size)
            name = file.relative_to(path).as_posix()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def hashes(row: str, benchmark: Callable[..., object]) -> dict[str, str]:
    """Return the sources of a row, its own module first, with the hash of each."""
    module = inspect.getsourcefile(benchmark)
    own = Path(module).resolve().relative_to(ROOT).as_posix() if module else ""
    found = {path: content_hash(ROOT / path) for path in (own, *SOURCES[row])}
    missing = [path for path, content in found.items() if content is None]
    if missing:
        raise ValueError(f"benchmarks/sources.py: {row} lists {missing[0]}, which does not exist")
    return {path: content for path, content in found.items() if content is not None}


def changed(sources: dict[str, str], root: Path = ROOT) -> Iterable[str]:
    """Return the sources whose content has changed since their hash was computed."""
    return [path for path, content in sources.items() if content_hash(root / path) != content]
