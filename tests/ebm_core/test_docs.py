"""The examples of docs/ebm-core.md run as they stand, and find what they look for."""

import re
from pathlib import Path

import pytest


def test_the_documented_examples_run(project_root: Path) -> None:
    pytest.importorskip("arviz_stats")
    page = (project_root / "docs/ebm-core.md").read_text(encoding="utf-8")
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(example, names)
    low, high = names["bracket"](names["forward"], names["reverse"])
    assert low < names["energy"].log_z < high
    assert names["ksd"](names["learned"].averaged, names["x"], names["generator"]).statistic < 0.01
