"""Results of the benchmarks: who writes them, what they hold, and that the pages show the same digits."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import record, runner, sources, tables
from benchmarks.record import Figure, Result
from benchmarks.row import Comparison, Row
from tasks.runtime.errors import BasinError
from tests.test_imports import imports, modules

ROW = "imports"
"""A row of the registry, whose sources exist; its function is replaced by those below."""

NAMES = {*tables.TABLES, *tables.COMPARISONS}


def fast() -> Iterator[Row]:
    yield Row("time", "≤ 1 s", "0.27 s", True, value=0.27, unit="s", interval=(0.2, 0.3))
    yield Row("memory", "≤ 1 GiB", "2 GiB", False)


def interrupted() -> Iterator[Row]:
    yield Row("time", "≤ 1 s", "0.99 s", True)
    raise KeyboardInterrupt


def unmeasured() -> Iterator[Row]:
    yield Row("time", "≤ 1 s", "0.99 s", True)
    raise BasinError("the file is missing")


def without_changes(page: str) -> str:
    """Return a page without the remarks on changed code, which depend on the current code."""
    return page.replace(tables.CODE_CHANGED, "").replace(tables.MARK, "")


def as_written(page: Path) -> bool:
    text = page.read_text(encoding="utf-8")
    return without_changes(text) == without_changes(tables.fill(text, record.read()))


def test_a_row_that_ran_to_its_end_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.run_rows({ROW: fast}, tmp_path) == 1  # a target is missed
    result = record.read(tmp_path)[ROW]
    assert result.command == "python -m benchmarks imports" and not result.carried
    assert re.fullmatch(r"[0-9a-f]{7,}\+?", result.commit) and result.processor
    assert set(result.sources) == {"tests/benchmarks/test_results.py", "basin", "flows/cli"}
    time, memory = result.figures
    assert (time.value, time.unit, time.interval, time.met) == (0.27, "s", (0.2, 0.3), True)
    assert (memory.measured, memory.met, memory.value) == ("2 GiB", False, None)
    assert "measured 2 GiB: missed" in capsys.readouterr().out


def test_dev_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command.ROWS, ROW, fast)
    runner.run_rows({ROW: fast}, tmp_path, dev=True)
    assert command.main([ROW, "--dev"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "memory" not in [figure.what for figure in record.read()[ROW].figures]


@pytest.mark.parametrize("benchmark", [interrupted, unmeasured])
def test_a_row_that_did_not_end_keeps_the_former_result(tmp_path: Path, benchmark: runner.Benchmark) -> None:
    runner.run_rows({ROW: fast}, tmp_path)
    former = (tmp_path / f"{ROW}.json").read_bytes()
    if benchmark is interrupted:
        with pytest.raises(KeyboardInterrupt):
            runner.run_rows({ROW: benchmark}, tmp_path)
    else:
        assert runner.run_rows({ROW: benchmark}, tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{ROW}.json"]
    assert (tmp_path / f"{ROW}.json").read_bytes() == former


def test_every_result_fits_the_schema_and_is_a_row() -> None:
    results = record.read()
    assert results and set(results) <= set(command.ROWS)


@pytest.mark.parametrize(
    "change",
    [
        {"commit": "yesterday"},
        {"figures": ()},
        {"sources": {}},
        {"processor": None},
        {"seen": "0.27 s"},
        {"figures": ({"what": "time", "target": "≤ 1 s", "measured": "1", "met": True, "unit": "s"},)},
    ],
)
def test_the_schema_refuses(tmp_path: Path, change: dict[str, object]) -> None:
    runner.run_rows({ROW: fast}, tmp_path)
    content = record.read(tmp_path)[ROW].model_dump()
    Result(**content)
    with pytest.raises(ValueError, match="validation error"):
        Result(**content | change)


def test_every_row_names_its_sources_and_has_a_table() -> None:
    assert set(sources.SOURCES) == set(command.ROWS)
    listed = [choice.partition(": ")[0] for chosen in tables.TABLES.values() for choice in chosen]
    assert set(listed) == set(command.ROWS)
    for name, benchmark in command.ROWS.items():
        assert all(sources.hashes(name, benchmark).values())


def test_sources_cover_what_a_benchmark_imports(project_root: Path) -> None:
    files = {name: path.relative_to(project_root) for name, path in modules(project_root).items()}
    listed: dict[str, set[str]] = {}
    for name, benchmark in command.ROWS.items():
        listed.setdefault(benchmark.__module__, set()).update(sources.hashes(name, benchmark))
    imported = imports(project_root)
    missing = [
        f"{module} imports {name}"
        for module, paths in listed.items()
        for name in imported[module]
        if name.startswith(("tasks.", "ebm_core.")) and not name.startswith("tasks.runtime.")
        if not any(files[name].is_relative_to(path) for path in paths)
    ]
    assert missing == []


def test_pages_show_the_results(project_root: Path) -> None:
    pages = tables.pages(project_root)
    assert all(as_written(page) for page in pages), "run `python -m benchmarks --tables`"
    shown = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert set(re.findall(tables.MARKER.pattern.split("\\n")[0], shown)) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_digit_changed_by_hand_is_seen(tmp_path: Path, project_root: Path, name: str) -> None:
    marker = f"<!-- results: {name} -->"
    page = next(p for p in tables.pages(project_root) if marker in p.read_text(encoding="utf-8"))
    text, copy = page.read_text(encoding="utf-8"), tmp_path / page.name
    copy.write_text(text, encoding="utf-8")
    assert as_written(copy)
    start = text.index("|---|", text.index(marker))
    digit = re.compile(r"\d").search(text, start)
    assert digit is not None
    other = str((int(digit[0]) + 1) % 10)
    copy.write_text(text[: digit.start()] + other + text[digit.end() :], encoding="utf-8")
    assert not as_written(copy)


@pytest.fixture
def measured(tmp_path: Path) -> Result:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "energy.py").write_text("x = 1\n")
    return Result(
        row="sampler",
        command="python -m benchmarks sampler",
        commit="0123abc",
        date="2026-11-29",
        processor="a processor",
        sources={"code": sources.content_hash(tmp_path / "code")},
        figures=(
            Figure(what="time", target="≤ 1 s", measured="0.5 s", met=True),
            Figure(what="bias", target="≤ .1", measured=".2 | .3", met=False),
        ),
    )


def test_a_table_of_any_selection_goes_into_any_page(tmp_path: Path, measured: Result) -> None:
    chosen = {"headline": ("sampler: bias",), "all": ("sampler", "not yet measured")}
    page = "# A\n\n<!-- results: headline -->\n<!-- end -->\nB\n\n<!-- results: all -->\nold\n<!-- end -->\n"
    filled = tables.fill(page, {"sampler": measured}, chosen, tmp_path)
    bias = "| bias | ≤ .1 | **missed:** .2 \\| .3 | `python -m benchmarks sampler` | 0123abc, 2026-11-29 |\n"
    assert filled.startswith(f"# A\n\n<!-- results: headline -->\n{tables.HEAD}{bias}<!-- end -->\nB\n")
    assert filled.count(bias) == 2 and filled.count("| time |") == 1 and "old" not in filled
    assert tables.fill(filled, {"sampler": measured}, chosen, tmp_path) == filled


def test_changed_code_is_marked(tmp_path: Path, measured: Result) -> None:
    assert tables.CODE_CHANGED not in tables.table([(measured, measured.figures[0])], tmp_path)
    (tmp_path / "code" / "energy.py").write_text("x = 2\n")
    assert "0123abc, 2026-11-29, code changed since |" in tables.table(
        [(measured, measured.figures[0])], tmp_path
    )


CODE = """
def energy(x):
    if x > 3:
        raise ValueError(f"x: {x}; expected 3 or less")
    text = "# no comment"
    return x * 2
"""
SAME = [
    ("def energy(x):\n", 'def energy(x):\n    """An energy."""\n\n'),
    ("return x * 2", "return x * 2  # ½ x² · 4"),
    ("    text =", "    # As in the paper.\n    text ="),
    ("expected 3 or less", "expected at most 3"),
]
ANOTHER = [
    ("if x > 3:", "if x > 4:"),
    ("    if x > 3:\n        raise ValueError", "    if x > 4: raise ValueError"),
    ("ValueError", "KeyError"),
    ("# no comment", "# a comment"),
    ("x * 2", "x * 3"),
    ("        raise ValueError", "        ValueError"),
]


@pytest.mark.parametrize("edit", [*SAME, *ANOTHER])
def test_words_do_not_make_code_another(tmp_path: Path, edit: tuple[str, str]) -> None:
    file = tmp_path / "energy.py"
    file.write_text(CODE, encoding="utf-8")
    before = sources.content_hash(file)
    assert edit[0] in CODE
    file.write_text(CODE.replace(*edit), encoding="utf-8")
    assert (sources.content_hash(file) == before) == (edit in SAME)


def test_a_comparison_names_the_best_peer_and_the_interval(tmp_path: Path, measured: Result) -> None:
    best = Comparison("moons", "log score", "flow", -1.25, -1.5, -0.25, (-0.3, -0.2), digits=2)
    figure = measured.figures[0].model_copy(update={"comparison": best})
    result = measured.model_copy(update={"figures": (figure,)})
    line = "| moons | log score | −1.25 (flow) | −1.50 | −0.25 (−0.30 to −0.20) |\n"
    table = tables.comparison_table({"sampler": result}, [("sampler", "moons", "log score")], tmp_path)
    assert table == tables.COMPARISON_HEAD + line
    for row, measure in (("sampler", "CRPS"), ("not measured", "log score")):
        with pytest.raises(BasinError, match=f"no comparison of 'moons' by {measure}; run"):
            tables.comparison_table({"sampler": result}, [(row, "moons", measure)], tmp_path)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<!-- results: nothing -->\n<!-- end -->", "no table nothing"),
        ("<!-- results: some -->\n| a |\n", "has no `<!-- end -->`"),
        ("<!-- results: some -->\n<!-- results: some -->\n<!-- end -->", "has no `<!-- end -->`"),
        ("<!-- results: absent -->\n<!-- end -->", "no result has the figure 'sampler: speed'"),
    ],
)
def test_a_wrong_marker_is_refused(tmp_path: Path, measured: Result, page: str, words: str) -> None:
    chosen = {"some": ("sampler",), "absent": ("sampler: speed",)}
    with pytest.raises(BasinError, match=re.escape(words)):
        tables.fill(page, {"sampler": measured}, chosen, tmp_path)
