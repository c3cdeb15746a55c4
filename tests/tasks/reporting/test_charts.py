"""Charts: ticks lie under gridlines and at discrete values, nothing is cut off, and values can be read."""

import math
import re
from collections.abc import Callable

import pandas as pd
import pytest

from tasks.reporting import charts
from tasks.reporting.axes import DateAxis, date_of, value_text, years
from tasks.reporting.style import CSS

LINES = ("", r"\.ebm", r"\.base", r"\.reference")
WIDTHS = (charts.NARROW, charts.HALF, charts.WIDE)


def grid_and_ticks(canvas: charts.Canvas) -> tuple[list[str], list[str]]:
    """Places across of the vertical gridlines and of the ticks with a label."""
    drawn = "".join(canvas.parts)
    lines = re.findall(r'<line class="grid" x1="([\d.]+)" y1="[\d.]+" x2="\1"', drawn)
    return lines, re.findall(r'<path class="grid" d="M([\d.]+),', drawn)


def labels(canvas: charts.Canvas) -> list[str]:
    below = canvas.height - canvas.bottom + 19
    return re.findall(rf'<text class="tick" x="[\d.-]+" y="{below:.1f}"[^>]*>([^<]*)<', "".join(canvas.parts))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("reach", [0.017, 0.3, 2.2])
def test_gridlines_are_at_the_ticks(width: int, reach: float) -> None:
    lines, ticks = grid_and_ticks(charts.intervals([("ebm", "a row", reach, reach / 3)], "x")(width))
    assert lines == ticks and len(ticks) >= 2


@pytest.mark.parametrize("width", WIDTHS)
def test_discrete_places_are_ticked_at_their_values(width: int) -> None:
    points = [(float(lead), lead / 10) for lead in (1, 3, 6, 9)]
    canvas = charts.lines([("ebm", points)], "CRPS", "lead, months", dots=True)(width)
    assert labels(canvas) == ["1", "3", "6", "9"]
    many = [(float(lead), 1.0) for lead in range(1, 37)]
    assert len(labels(charts.lines([("ebm", many)], "CRPS", "lead", dots=True)(width))) <= charts.DISCRETE


@pytest.mark.parametrize("event", ["<= -9", ">= 9", "<= -1", ">= 0.5"])
def test_a_density_reaches_the_threshold_of_its_event(event: str) -> None:
    y = [k / 10 for k in range(-30, 31)]
    p = [math.exp(-v * v / 2) / math.sqrt(2 * math.pi) for v in y]
    canvas = charts.density(y, p, event, "x")(charts.HALF)
    assert canvas.x[0] < float(event.split()[1]) < canvas.x[1]
    (danger,) = (part for part in canvas.parts if 'class="danger"' in part)
    across = [float(point.split(",")[0]) for point in re.findall(r"[\d.]+,[\d.]+", danger)]
    edge = canvas.at(float(event.split()[1]), 0)[0]
    assert (max if event.startswith("<") else min)(across) == pytest.approx(edge, abs=0.06)


def every_chart() -> dict[str, Callable[[int], charts.Canvas]]:
    line = [(float(x), math.sin(x / 9)) for x in range(400)]
    y = [k / 10 for k in range(-30, 31)]
    axis = DateAxis(2014.2, 2016.9)
    history = [(2014.2 + k / 200, math.sin(k), -1.0, 1.0) for k in range(400)]
    return {
        "lines": charts.lines([("ebm", line), ("base", line)], "y", "x", zero=True),
        "dots": charts.lines([("ebm", line[:5])], "y", "lead", dots=True),
        "intervals": charts.intervals(
            [("ebm", "over a peer of a long name, in all dates", 0.1, 0.05)], "gain"
        ),
        "histogram": charts.histogram([0.9] * 10, (0.8, 1.2), "frequency", "PIT"),
        "fan": charts.fan(history, [(2016.5, (-2, -1, 0, 1, 2)), (2016.9, (-3, -1, 0, 1, 3))], "%", axis),
        "density": charts.density(y, [math.exp(-v * v) for v in y], "<= -1", "x"),
    }


@pytest.mark.parametrize("name", list(every_chart()))
@pytest.mark.parametrize("width", WIDTHS)
def test_all_values_stand_inside_the_chart(name: str, width: int) -> None:
    canvas = every_chart()[name](width)
    html = canvas.svg("a chart", {"ebm": "energy model"}, "wide")
    boxes = re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)" rx="5"/>', html)
    assert len(boxes) == len(canvas.places) > 0
    for x, y, wide, high in (map(int, box) for box in boxes):
        assert x > 0 and y > 0 and x + wide <= width and y + high <= canvas.height


def test_values_have_the_names_of_the_legend_and_few_are_reached_by_keyboard() -> None:
    chart = every_chart()
    legend = [("ebm", "energy model"), ("base", "its own base")]
    html = charts.figure(chart["lines"], "", "A chart", legend)
    assert "energy model 0.000" in html and "its own base 0.000" in html
    assert "tabindex" not in html.split('class="scroll" tabindex="0"')[0]
    assert '<details class="zoom">' in html and 'width="1410"' in html
    few = charts.figure(chart["dots"], "", "A chart", legend)
    assert few.count('tabindex="0"') == 2 * 5 and 'aria-label="lead 3: energy model 0.3272"' in few
    assert "details" not in few


def test_a_caption_is_shown_and_not_obeyed():
    html = charts.figure(charts.histogram([1.0], (0.5, 1.5), "", ""), "CRPS in <b>", "A chart")
    assert "<figcaption>CRPS in &lt;b&gt;</figcaption>" in html


def test_lines_and_markers_differ_by_more_than_colour() -> None:
    series = [(css, [(1.0, 1.0), (2.0, 2.0)]) for css in ("ebm", "base", "reference", "")]
    html = charts.figure(charts.lines(series, "", "", dots=True), "", "A chart")
    assert '<circle class="fill ebm"' in html and '<path class="fill "' in html
    assert '<rect class="fill base"' in html and '<path class="fill reference"' in html
    dashes = {css: re.findall(rf"\.stroke{css}{{[^}}]*stroke-dasharray:([^;}}]*)", CSS) for css in LINES}
    assert len(set(map(tuple, dashes.values()))) == len(LINES) and all(dashes.values())


@pytest.mark.parametrize(
    ("first", "last", "width", "ticks"),
    [
        ("2014-11-28", "2016-03-09", charts.HALF, ["Jan 2015", "Jul 2015", "Jan 2016"]),
        ("2016-02-01", "2016-03-09", charts.NARROW, ["01 Feb 2016", "15 Feb", "29 Feb"]),
        ("2014-01-02", "2018-12-31", charts.WIDE, ["2015", "2016", "2017", "2018"]),
        ("1871-01-01", "2017-12-01", charts.NARROW, ["1900", "1950", "2000"]),
        ("2014-03-07", "2015-11-20", charts.NARROW, ["Jul 2014", "Jan 2015", "Jul 2015"]),
        ("2015-01-09", "2015-12-24", charts.NARROW, ["Apr 2015", "Jul 2015", "Oct 2015"]),
        ("2019-01-02 09:30", "2019-01-02 12:00", charts.WIDE, ["10:00", "11:00", "12:00"]),
    ],
)
def test_ticks_of_dates_suit_their_span(first: str, last: str, width: int, ticks: list[str]) -> None:
    axis = DateAxis(*years(pd.DatetimeIndex([first, last])))
    assert [label for _, label in axis(width)] == ticks
    assert axis.text(axis.first) == first and axis.text(axis.last) == last


def test_dates_and_decimal_years_are_inverse() -> None:
    times = pd.date_range("1999-12-30 10:05", periods=800, freq="7h")
    assert [date_of(year) for year in years(times)] == times.tolist()


def test_values_have_the_digits_of_their_axis() -> None:
    assert [value_text(0.123456, span) for span in (0.01, 1, 150)] == ["0.12346", "0.123", "0.1"]


def test_long_labels_of_ticks_leave_room_for_the_title_of_the_axis() -> None:
    canvas = charts.lines([("ebm", [(0.0, 1000.25), (1.0, 1000.75)])], "change", "")(330)
    ends = [
        float(x) - 7 * len(words)
        for x, words in re.findall(
            r'<text class="tick" x="([\d.]+)"[^>]*text-anchor="end">([^<]*)<', "".join(canvas.parts)
        )
    ]
    assert ends and min(ends) >= 18
