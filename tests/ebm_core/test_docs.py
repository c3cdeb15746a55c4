"""The examples of docs/ebm-core.md run as they stand, find what they look for, print what the page says."""

import re
from pathlib import Path

import pytest

EXAMPLE = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+")


def test_the_documented_examples_run_and_print_what_the_page_says(
    project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("arviz_stats")
    page = (project_root / "docs/ebm-core.md").read_text(encoding="utf-8")
    names: dict = {}
    shown = 0
    for example, said in EXAMPLE.findall(page):
        exec(example, names)
        printed = capsys.readouterr().out
        if said:
            shown += 1
            assert NUMBER.sub("#", printed) == NUMBER.sub("#", said)
            numbers = [[float(n) for n in NUMBER.findall(text)] for text in (printed, said)]
            assert numbers[0] == pytest.approx(numbers[1], abs=0.02)
    assert shown == 5
    low, high = names["bracket"](names["forward"], names["reverse"])
    assert low < names["energy"].log_z < high
    assert names["ksd"](names["learned"].averaged, names["x"], names["generator"]).statistic < 0.01
