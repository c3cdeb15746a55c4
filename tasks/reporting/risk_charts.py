"""Charts of value at risk, drawdowns, reliability, the plume of all models, and probabilities."""

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from tasks.reporting.axes import DateAxis, spread, value_text
from tasks.reporting.canvas import DIGIT, LETTER, LINE
from tasks.reporting.charts import NARROW, Canvas, Point, Value

Marks = Callable[[int], Sequence[tuple[float, str]]]
Drawing = Callable[[int], Canvas]

FINEST = 600
"""Most groups of neighbouring dates of a line. Of each group the lowest and the highest value are drawn."""


FEW = 5
"""Dates of a group from which the line of a reliability diagram joins it, and dates of a chart of value at
risk below which its lines have dots."""


LEFT = 72
"""Left margin in pixels of an axis of prices, whose numbers may have many digits."""


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return points of a line with the extremes of neighbouring points, if there are many."""
    if len(points) <= 2 * FINEST:
        return list(points)
    kept: list[Point] = []
    for part in np.array_split(np.arange(len(points)), FINEST):
        ys = [points[i][1] for i in part]
        chosen = sorted({int(part[int(np.argmin(ys))]), int(part[int(np.argmax(ys))])})
        kept += [points[i] for i in chosen]
    return kept


def value_at_risk(
    outcome: Sequence[Point],
    limits: Sequence[tuple[str, Sequence[Point]]],
    milder: Sequence[Point],
    worse: Sequence[Point],
    y_title: str,
    marks: Marks,
) -> Drawing:
    """Return a drawing of outcomes and lines of value at risk, with rings and dots at exceptions."""

    def draw(width: int) -> Canvas:
        xs = [p[0] for p in outcome]
        ys = [p[1] for _, line in (("", outcome), *limits) for p in line]
        canvas = Canvas(width, 340, widened(xs), spread(ys), bottom=28)
        canvas.y_axis(y_title)
        for css, line in (("", outcome), *limits):
            canvas.path(thinned(line), f"stroke {css}")
            for p in line if len(line) < FEW else ():
                canvas.dot(p, f"fill {css}", 3)
        for p in milder:
            canvas.dot(p, "fill false-alarm", 3.4)
        for p in worse:
            canvas.dot(p, "fill alarm", 4.4)
        canvas.x_axis("", marks(width))
        show_values(canvas, (("", outcome), *limits), marks)
        return canvas

    return draw


def show_values(canvas: Canvas, lines: Sequence[tuple[str, Sequence[Point]]], marks: Marks) -> None:
    """Let the values of lines (CSS class, points), which have the same dates, appear under the pointer."""
    size = canvas.y[1] - canvas.y[0]

    def describe(i: int) -> tuple[str, list[Value]]:
        x = lines[0][1][i][0]
        title = marks.text(x) if isinstance(marks, DateAxis) else dict(marks(canvas.width)).get(x, "")
        return title, [(css, value_text(line[i][1], size)) for css, line in lines]

    canvas.show_at([x for x, _ in lines[0][1]], describe)


def price_and_drawdown(
    price: Sequence[Point], drawdown: Sequence[Point], titles: tuple[str, str], marks: Marks
) -> tuple[Drawing, Drawing]:
    """Return drawings of a price, and of its fall from the highest value so far as an area below zero."""

    def of_price(width: int) -> Canvas:
        across, up = widened([p[0] for p in price]), spread([p[1] for p in price])
        canvas = Canvas(width, 260, across, up, left=LEFT, bottom=28)
        canvas.y_axis(titles[0])
        canvas.path(thinned(price), "stroke observed")
        canvas.x_axis("", marks(width))
        show_values(canvas, [("observed", price)], marks)
        return canvas

    def of_drawdown(width: int) -> Canvas:
        lowest = min(p[1] for p in drawdown) or -1.0
        across = widened([p[0] for p in drawdown])
        canvas = Canvas(width, 260, across, (1.06 * lowest, 0.0), left=LEFT, bottom=28)
        canvas.y_axis(titles[1])
        line = thinned(drawdown)
        canvas.path([(line[0][0], 0.0), *line, (line[-1][0], 0.0)], "danger", close=True)
        canvas.x_axis("", marks(width))
        show_values(canvas, [("danger", drawdown)], marks)
        return canvas

    return of_price, of_drawdown


def reliability(
    points: Sequence[tuple[float, float, int, float, float]], rate: float, x_title: str
) -> Drawing:
    """Return a reliability diagram: a dot for each bin with its consistency interval, and counts below.

    ``points`` are (mean probability, share of events, count, low, high), with probabilities in per cent.
    ``rate`` is the base rate in per cent, drawn as a dotted line.
    """

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, 320, (-3, 103), (-22, 103), bottom=44)
        for mark in range(0, 101, 20):
            canvas.line((-3, mark), (103, mark), "grid")
            canvas.label((-3, mark), str(mark), anchor="end", dx=-8, dy=4)
        title = canvas.at(0, 50)[1]
        canvas.parts.append(
            f'<text class="axis" x="12" y="{title:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 12 {title:.1f})">dates with the event, %</text>'
        )
        canvas.path([(0, 0), (100, 100)], "stroke ideal")
        canvas.line((-3, rate), (103, rate), "now")
        most = max(count for *_, count, _, _ in points)
        for x, share, count, low, high in points:
            canvas.box((x - 2.2, low), (x + 2.2, high), "band")
            canvas.box((x - 2.2, -22), (x + 2.2, -22 + 12 * count / most), "bar", 1)
            canvas.dot((x, share), "fill ebm", 4.2)
            words = f"{share:.0f} % of {count}, interval {low:.0f} to {high:.0f} %"
            canvas.show((x - 2.2, -22), (x + 2.2, 103), x, f"{x:.0f} %", ("", words))
        for x, count in _apart(canvas, [(x, -22 + 12 * count / most, count) for x, _, count, *_ in points]):
            canvas.label((x, -22 + 12 * count / most), str(count), dy=-3)
        canvas.path([(x, share) for x, share, count, *_ in points if count >= FEW], "stroke ebm")
        numbers = range(0, 101, 20 if width > NARROW else 25)
        canvas.x_axis(x_title, [(float(m), str(m)) for m in numbers])
        return canvas

    return draw


def _apart(canvas: Canvas, counts: Sequence[tuple[float, float, int]]) -> list[tuple[float, int]]:
    """Return (x, count) of the counts (x, y, count) whose labels are apart, the largest counts first.

    The other counts are left out. All of them appear under the pointer.
    """
    kept: list[tuple[float, float, float]] = []
    shown = []
    for x, y, count in sorted(counts, key=lambda entry: -entry[2]):
        (across, up), half = canvas.at(x, y), LETTER * (len(str(count)) + 0.5) / 2
        if all(abs(across - a) >= half + h or abs(up - u) >= LINE for a, u, h in kept):
            kept.append((across, up, half))
            shown.append((x, count))
    return shown


def plume(
    steps: Sequence[tuple[float, Sequence[float]]],
    models: Sequence[tuple[str, str, Sequence[Point]]],
    y_title: str,
    marks: Marks,
) -> Drawing:
    """Return a drawing of the medians of all models over the bands of the energy model.

    ``steps`` are (x, (q05, q25, q50, q75, q95)) of the energy model and ``models`` are (CSS class, label,
    points). Labels stand beside the last points, one below the other.
    """

    def draw(width: int) -> Canvas:
        ys = [v for _, q in steps for v in q] + [p[1] for *_, points in models for p in points]
        right = 20 + math.ceil(DIGIT * max(len(label) for _, label, _ in models))
        across = widened([x for x, _ in steps], 0.02)
        canvas = Canvas(width, 380, across, spread([*ys, 0.0]), right=right, bottom=28)
        canvas.y_axis(y_title)
        for low, high, css in ((0, 4, "fan1"), (1, 3, "fan2")):
            edge = [(x, q[low]) for x, q in steps] + [(x, q[high]) for x, q in reversed(steps)]
            canvas.path(edge, css, close=True)
        canvas.line((canvas.x[0], 0), (canvas.x[1], 0), "zero")
        for css, _, points in models:
            canvas.path(points, f"stroke {css}")
            for p in points:
                canvas.dot(p, f"fill {css}", 3)
        lowest = -math.inf
        for _, label, points in sorted(models, key=lambda m: -m[2][-1][1]):
            height = max(canvas.at(*points[-1])[1] + 4, lowest + 14)
            canvas.parts.append(
                f'<text class="tick" x="{canvas.at(*points[-1])[0] + 14:.1f}" y="{height:.1f}">'
                f"{escape(label)}</text>"
            )
            lowest = height
        canvas.x_axis("", marks(width))
        return canvas

    return draw


def shares(columns: Sequence[tuple[str, Sequence[float]]], classes: Sequence[str], y_title: str) -> Drawing:
    """Return stacked columns of probabilities in per cent, one for each (label, probabilities).

    ``classes`` are the CSS classes from bottom to top. A part that is high enough has its number.
    """

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, 260, (0, len(columns)), (0, 100), bottom=28)
        canvas.y_axis(y_title, 4)
        for place, (_, parts) in enumerate(columns):
            bottom = 0.0
            for css, part in zip(classes, parts, strict=True):
                canvas.box((place + 0.12, bottom), (place + 0.88, bottom + part), css, 1)
                if part >= 7 and len(columns) <= 12:
                    canvas.label((place + 0.5, bottom + part / 2), f"{part:.0f}", "row", dy=4)
                bottom += part
            values = [(css, f"{part:.1f}") for css, part in zip(classes, parts, strict=True)]
            canvas.show((place, 0), (place + 1, 100), place + 0.5, columns[place][0], *values)
        step = -(-len(columns) // (4 if width == NARROW else 6))
        canvas.x_axis("", [(i + 0.5, label) for i, (label, _) in enumerate(columns) if i % step == 0])
        return canvas

    return draw


def widened(xs: Sequence[float], margin: float = 0.0) -> tuple[float, float]:
    """Return the range of ``xs`` with a margin, or a range around it if all are the same."""
    low, high = min(xs), max(xs)
    pad = (high - low) * margin or (0.0 if high > low else 0.02)
    return low - pad, high + pad
