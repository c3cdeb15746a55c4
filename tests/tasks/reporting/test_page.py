"""Tables that fit the page, the pill of a status, and names in place of internal ones."""

import re

import pytest

from tasks.reporting.labels import INPUTS, MODELS, input_name, labelled, model_name
from tasks.reporting.page import Cell, Pill, Row, column_groups, table
from tasks.reporting.trust import measured


def wide(count: int) -> tuple[list[str], list[Row]]:
    columns = ["Model", *(f"lead {k}" for k in range(1, count + 1))]
    cells = [Cell(f"+0.{k:03} ± 0.015", "t = 1.2, p = 0.040; CRPS −1.1 %") for k in range(1, count + 1)]
    return columns, [Row("over a peer", cells), Row("over another", cells)]


@pytest.mark.parametrize("count", [1, 5, 6, 12, 24])
def test_a_table_wider_than_the_page_is_split_and_loses_nothing(count: int) -> None:
    columns, rows = wide(count)
    html = table("A table", columns, rows)
    assert html.count("<table") == html.count(">over a peer</th>") == (1 if count <= 6 else -(-count // 6))
    assert [html.count(f"lead {k}</th>") for k in range(1, count + 1)] == [1] * count
    assert [html.count(f"+0.{k:03} ±") for k in range(1, count + 1)] == [2] * count


def test_columns_of_unequal_width_and_none_at_all() -> None:
    rows = [Row("a", [Cell("x" * 60, css="num"), Cell("1"), Cell("y" * 60, css="num"), Cell("2")])]
    assert column_groups(["a", "b", "c", "d"], rows) == [slice(0, 2), slice(2, 4)]
    assert column_groups([], []) == [slice(0, 0)]


def test_only_a_failure_is_red() -> None:
    pills = {s: Pill(s).html() for s in ("pass", "warn", "fail", "not applicable")}
    assert [s for s, html in pills.items() if 'class="pill fail"' in html] == ["fail"]
    assert 'class="pill"' in pills["not applicable"]


def test_every_internal_name_has_a_label() -> None:
    names = [input_name(f"x_{name}") for name in (*INPUTS, "rms5_to_egarch", "gk1_to_egarch", "vix_5")]
    names += [model_name(model) for model in (*MODELS, "isolation-forest", "some_model")]
    assert not [name for name in names if re.search(r"_|\w-\w+-to", name)]
    assert (model_name("some_model"), input_name("x_vix")) == ("Some model", "vix")
    assert labelled("use egarch-skewt, not x_z_5") == "use EGARCH-skew-t, not 5-row move, standardised"


def test_measured_values_stand_beside_their_thresholds() -> None:
    cell = measured({"gap": 3, "share": 0.25}, {"gap": 5, "share": 0.05})
    assert cell.words == "gap: 3 (threshold 5)\nshare: 0.25 (threshold 0.05)" and not cell.small
    assert measured(0.5, 1).small == "threshold 1"
    assert measured({"a": "-1.5 to 2"}, "0").html() == (
        '<td class="words">a: −1.5 to 2<small>threshold 0</small></td>'
    )
