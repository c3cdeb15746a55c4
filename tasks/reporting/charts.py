"""Small inline SVG charts, without scripts and with the same bytes for the same numbers.

Colours come from the page's style sheet through CSS classes, for light and dark mode. Each chart is drawn
twice, wide and narrow, and the style sheet shows the one that fits, so that text keeps its size. A chart with
more points than there is room for is drawn a third time, larger, for readers who unfold it.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from tasks.reporting.axes import DateAxis, Mark, spread, tick_text, ticks, value_text
from tasks.reporting.canvas import HALF, NARROW, WIDE, Canvas, Point, Value, swatch
from tasks.reporting.labels import text

__all__ = [
    "HALF", "NARROW", "WIDE", "Canvas", "Point", "Value", "density", "fan", "figure", "histogram",
    "intervals", "lines", "ticks",
]  # fmt: skip

ENLARGED = 3
"""Factor by which an enlarged chart is wider."""

ROW_LETTER = 7.4
"""Mean width in pixels of a letter of the name of a row."""

DISCRETE = 12
"""Most different places of dots that are ticked each."""


def figure(
    draw: Callable[[int], Canvas],
    caption: str,
    description: str,
    legend: Sequence[tuple[str, str]] = (),
    wide: int = HALF,
) -> str:
    """Return a chart as HTML, with a legend of (CSS class, words) and a caption.

    ``draw`` is called with the width ``wide``, with that of a phone and, if there are more points than room,
    with a larger one. The words of the legend also name the values that appear under the pointer.
    """
    keys = "".join(f'<span class="key">{swatch(css)}{escape(words)}</span>' for css, words in legend)
    names, canvas = dict(legend), draw(wide)
    drawn = canvas.svg(description, names, "wide") + draw(NARROW).svg(description, names, "narrow")
    if canvas.thinned:
        large = draw(ENLARGED * wide).svg(description, names, "large")
        drawn += (
            f'<details class="zoom"><summary>Enlarge</summary><div class="scroll" tabindex="0" role="region" '
            f'aria-label="{escape(description)}, enlarged">{large}</div></details>'
        )
    shown = f"<div class=legend>{keys}</div>" if keys else ""
    return f"<figure>{shown}{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def lines(
    series: Sequence[tuple[str, Sequence[Point]]],
    y_title: str,
    x_title: str,
    x_marks: Callable[[int], Sequence[Mark]] | None = None,
    zero: bool = False,
    dots: bool = False,
    height: int = 300,
) -> Callable[[int], Canvas]:
    """Return a drawing of lines (CSS class, points) on common axes. ``zero`` adds a dashed line at 0.

    Lines with ``dots`` are of discrete places, each of which has a tick unless ``x_marks`` are given.
    """
    xs = [p[0] for _, points in series for p in points]
    ys = [p[1] for _, points in series for p in points] + ([0.0] if zero else [])
    across = spread(xs, 0.04) if dots or min(xs) == max(xs) else (min(xs), max(xs))
    up = spread(ys)
    if dots and x_marks is None:
        places = sorted(set(xs))
        x_marks = _every(places[:: -(-len(places) // DISCRETE)])
    # Lines of two points are bounds and marks, and have no values of their own.
    valued = [(css, points) for css, points in series if len(points) > 2] or list(series)
    shown = [x for x, _ in max((points for _, points in valued), key=len)]

    def describe(i: int) -> tuple[str, list[Value]]:
        found = [(css, _height(points, shown[i])) for css, points in valued]
        values = [(css, value_text(y, up[1] - up[0])) for css, y in found if y is not None]
        return _place_text(shown[i], across, x_title, x_marks), values

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, height, across, up, bottom=44 if x_title else 28)
        canvas.y_axis(y_title)
        if zero:
            canvas.line((canvas.x[0], 0), (canvas.x[1], 0), "zero")
        for css, points in series:
            canvas.path(points, f"stroke {css}")
            if dots:
                for p in points:
                    canvas.dot(p, f"fill {css}", 3.6)
        canvas.x_axis(x_title, x_marks(width) if x_marks else None)
        canvas.show_at(shown, describe)
        return canvas

    return draw


def _every(places: Sequence[float]) -> Callable[[int], list[Mark]]:
    return lambda _: [(x, tick_text(x, places)) for x in places]


def _height(points: Sequence[Point], x: float) -> float | None:
    """Return the height of a line at ``x``, or None beyond its ends."""
    after = bisect_right(points, x, key=lambda p: p[0])
    if not after or (after == len(points) and points[-1][0] < x):
        return None
    (x0, y0), (x1, y1) = points[after - 1], points[min(after, len(points) - 1)]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _place_text(x: float, across: Point, title: str, marks: Callable[[int], Sequence[Mark]] | None) -> str:
    """Return a place on the axis as text: a date, the label of its tick, or the title with a number."""
    if isinstance(marks, DateAxis):
        return marks.text(x)
    label = dict(marks(WIDE)).get(x) if marks else None
    return f"{title.split(',')[0]} {label or value_text(x, across[1] - across[0])}".strip()


def intervals(rows: Sequence[tuple[str, str, float, float]], x_title: str) -> Callable[[int], Canvas]:
    """Return a drawing of a dot for each row (CSS class, label, value, half-width of its interval).

    The whiskers of a dot show its interval. If the half-width is 0, a line connects it with zero.
    """
    reach = spread([v + s * e for _, _, v, e in rows for s in (-1, 1)] + [0.0])

    longest = max(len(label) for _, label, _, _ in rows)

    def draw(width: int) -> Canvas:
        narrow = width < WIDE
        step = 46 if narrow else 34
        left = 14 if narrow else min(30 + int(ROW_LETTER * longest), width // 2)
        canvas = Canvas(width, 56 + step * len(rows), reach, (len(rows), 0), left=left, right=22, top=8)
        canvas.x_axis(x_title, count=4 if narrow else 6, grid=True)
        canvas.line((0, 0), (0, len(rows)), "zero")
        room = int(((width if narrow else left) - 20) / ROW_LETTER)
        for i, (css, label, value, half) in enumerate(rows):
            height = i + (0.68 if narrow else 0.5)
            words = label if len(label) <= room else f"{label[: room - 1]}…"
            if narrow:
                canvas.label((reach[0], i), words, "row", "start", dy=14)
            else:
                canvas.label((reach[0], height), words, "row", "end", dx=-14, dy=4)
            ends = (value - half, value + half) if half else (0, value)
            canvas.line((ends[0], height), (ends[1], height), f"whisker {css}")
            canvas.dot((value, height), f"fill {css}", 5)
            low, middle, high = (value_text(v, reach[1] - reach[0]) for v in (ends[0], value, ends[1]))
            shown = f"{middle}, interval {low} to {high}" if half else middle
            canvas.show((reach[0], i), (reach[1], i + 1), value, label, ("", shown))
        return canvas

    return draw


def histogram(
    shares: Sequence[float], band: tuple[float, float], y_title: str, x_title: str
) -> Callable[[int], Canvas]:
    """Return a histogram of equal bins on [0, 1], with the ``band`` in which bars of a calibrated model lie.

    ``shares`` are frequencies relative to those of a uniform distribution.
    """

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, 250, (0, 1), (0, max(1.6, max(shares) * 1.08)))
        canvas.y_axis(y_title, 4)
        canvas.box((0, band[0]), (1, band[1]), "band")
        for i, share in enumerate(shares):
            canvas.box(((i + 0.08) / len(shares), 0), ((i + 0.92) / len(shares), share), "bar", 2)
        canvas.line((0, 1), (1, 1), "zero")
        canvas.x_axis(x_title)
        for i, share in enumerate(shares):
            low, high = i / len(shares), (i + 1) / len(shares)
            title = f"{text(low)} to {text(high)}"
            canvas.show((low, 0), (high, canvas.y[1]), (low + high) / 2, title, ("bar", text(share)))
        return canvas

    return draw


def fan(
    history: Sequence[tuple[float, float, float, float]],
    steps: Sequence[tuple[float, Sequence[float]]],
    y_title: str,
    marks: Callable[[int], Sequence[Mark]],
) -> Callable[[int], Canvas]:
    """Return a drawing of observed values with the 90 % intervals forecast for them, and of the forecast.

    ``history`` are (x, observed, low, high), and ``steps`` are (x, (q05, q25, q50, q75, q95)). One step is
    drawn as a box, several as a fan from the last observation.
    """
    xs = [h[0] for h in history] + [s[0] for s in steps]
    up = spread([v for h in history for v in h[1:]] + [v for s in steps for v in s[1]])
    gap = (max(xs) - min(xs)) * 0.02
    across = min(xs), max(xs) + gap

    def describe(i: int) -> tuple[str, list[Value]]:
        title, size = _place_text(xs[i], across, "", marks), up[1] - up[0]
        if i < len(history):
            _, observed, low, high = history[i]
            values = [("observed", value_text(observed, size))]
            if math.isfinite(low):
                values.append(("band", f"{value_text(low, size)} to {value_text(high, size)}"))
            return title, values
        q05, q25, q50, q75, q95 = (value_text(q, size) for q in steps[i - len(history)][1])
        return title, [("ebm", q50), ("fan2", f"{q25} to {q75}"), ("fan1", f"{q05} to {q95}")]

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, 320, across, up, bottom=28)
        canvas.y_axis(y_title)
        banded = [h for h in history if math.isfinite(h[2])]
        if banded:
            outline = [(h[0], h[2]) for h in banded] + [(h[0], h[3]) for h in reversed(banded)]
            canvas.path(outline, "band", close=True)
        last_x, last = history[-1][:2]
        if len(steps) == 1:
            ((x, (q05, q25, q50, q75, q95)),) = steps
            canvas.box((x - gap / 2, q05), (x + gap / 2, q95), "fan1", 2)
            canvas.box((x - gap / 2, q25), (x + gap / 2, q75), "fan2", 2)
            canvas.line((x - gap / 2, q50), (x + gap / 2, q50), "stroke ebm")
        else:
            whole = [(last_x, (last,) * 5), *steps]
            for low, high, css in ((0, 4, "fan1"), (1, 3, "fan2")):
                edge = [(x, q[low]) for x, q in whole] + [(x, q[high]) for x, q in reversed(whole)]
                canvas.path(edge, css, close=True)
            canvas.path([(x, q[2]) for x, q in whole], "stroke ebm")
        canvas.line((last_x, canvas.y[0]), (last_x, canvas.y[1]), "now")
        canvas.path([(h[0], h[1]) for h in history], "stroke observed")
        canvas.x_axis("", marks(width))
        canvas.show_at(xs, describe)
        return canvas

    return draw


def density(y: Sequence[float], p: Sequence[float], event: str, x_title: str) -> Callable[[int], Canvas]:
    """Return a drawing of a density, with the part of ``event`` (such as ``<= x``) in a warning colour.

    A density that ends before the threshold of the event is continued to it.
    """
    sign, edge = event.split()[0], float(event.split()[1])
    lower = sign == "<="
    points = continued(list(zip(y, p, strict=True)), edge)
    below = [0.0]
    for (x0, p0), (x1, p1) in pairwise(points):
        below.append(below[-1] + (x1 - x0) * (p0 + p1) / 2)
    across, at_edge = (points[0][0], points[-1][0]), (edge, _height(points, edge) or 0.0)

    def describe(i: int) -> tuple[str, list[Value]]:
        chance = f"{100 * min(below[i] / below[-1], 1):.1f} %"
        return value_text(points[i][0], across[1] - across[0]), [("", f"P(lower) {chance}")]

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, 320, across, (0, max(p) * 1.08), left=30)
        canvas.line((across[0], 0), (across[1], 0), "grid")
        canvas.path([(across[0], 0), *points, (across[1], 0)], "fan2", close=True)
        tail = [q for q in points if (q[0] < edge if lower else q[0] > edge)]
        tail = [*tail, at_edge] if lower else [at_edge, *tail]
        canvas.path([(tail[0][0], 0), *tail, (tail[-1][0], 0)], "danger", close=True)
        canvas.path(points, "edge")
        canvas.line((edge, 0), (edge, canvas.y[1]), "now")
        words = f"{'below' if lower else 'above'} {text(edge, 1 if edge % 1 else 0)}"
        left_of = canvas.at(edge, 0)[0] > (120 if lower else width - 120)
        canvas.label(
            (edge, canvas.y[1]), words, anchor="end" if left_of else "start", dx=-6 if left_of else 6, dy=12
        )
        canvas.x_axis(x_title)
        canvas.y_title("density")
        canvas.show_at([x for x, _ in points], describe)
        return canvas

    return draw


def continued(points: list[Point], to: float) -> list[Point]:
    """Return a density continued a little beyond ``to`` by exponential tails, if it ends before."""
    first, last = points[0][0], points[-1][0]
    if first < to < last:
        return points
    ahead = points[::-1] if to <= first else points
    (x0, p0), (x1, p1) = ahead[-2:]
    rate = math.log(p0 / p1) / (x1 - x0) if p0 > p1 > 0 else math.inf
    end = to + math.copysign(0.05 * (max(to, last) - min(to, first)), to - x1)
    tail = [x1 + (end - x1) * k / 20 for k in range(1, 21)]
    found = [*ahead, *((x, p1 * math.exp(-rate * (x - x1)) if p0 > p1 > 0 else 0.0) for x in tail)]
    return found[::-1] if to <= first else found
