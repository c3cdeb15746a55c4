"""The example of docs/ebm-core.md runs as it stands, and its bracket holds the truth."""

import re
from pathlib import Path

import pytest


def test_the_documented_example_runs(project_root: Path) -> None:
    pytest.importorskip("arviz_stats")
    page = (project_root / "docs/ebm-core.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(example, names)
    low, high = names["bracket"](names["forward"], names["reverse"])
    assert low < names["energy"].log_z < high
