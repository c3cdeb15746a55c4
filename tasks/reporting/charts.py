"""Small inline SVG charts, without scripts and with the same bytes for the same numbers.

Colours come from the page's style sheet through CSS classes, for light and dark mode. Each chart is drawn
twice, wide and narrow, and the style sheet shows the one that fits, so that text keeps its size.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

from tasks.reporting.labels import text

Point = tuple[float, float]
WIDE, HALF, NARROW = 980, 470, 330
"""Widths in pixels: of the page, of one chart of a pair, and of a phone."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` round numbers in the interval [low, high]."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if raw <= m * power * (1 + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, all_ticks: Sequence[float]) -> str:
    digits = max((len(f"{t:.10f}".rstrip("0").split(".")[1]) for t in all_ticks), default=0)
    return text(value, digits)


@dataclass
class Canvas:
    """Plot area with linear scales, whose ``y`` grows upwards. Shapes beyond the scales are not clipped."""

    width: int
    height: int
    x: tuple[float, float]
    y: tuple[float, float]
    left: int = 52
    right: int = 14
    top: int = 12
    bottom: int = 40
    parts: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            self.left + across * (self.width - self.left - self.right),
            self.height - self.bottom - up * (self.height - self.top - self.bottom),
        )

    def path(self, points: Sequence[Point], css: str, close: bool = False) -> None:
        steps = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(*p) for p in points))
        tag = "polygon" if close else "polyline"
        self.parts.append(f'<{tag} class="{css}" points="{steps}"/>')

    def line(self, a: Point, b: Point, css: str) -> None:
        (x1, y1), (x2, y2) = self.at(*a), self.at(*b)
        self.parts.append(f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def box(self, low: Point, high: Point, css: str, rounding: float = 0) -> None:
        (x1, y1), (x2, y2) = self.at(*low), self.at(*high)
        self.parts.append(
            f'<rect class="{css}" x="{min(x1, x2):.1f}" y="{min(y1, y2):.1f}" width="{abs(x2 - x1):.1f}" '
            f'height="{abs(y2 - y1):.1f}" rx="{rounding:g}"/>'
        )

    def dot(self, p: Point, css: str, radius: float = 3) -> None:
        x, y = self.at(*p)
        self.parts.append(f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>')

    def label(
        self, p: Point, words: str, css: str = "tick", anchor: str = "middle", dx: float = 0, dy: float = 0
    ) -> None:
        x, y = self.at(*p)
        self.parts.append(
            f'<text class="{css}" x="{x + dx:.1f}" y="{y + dy:.1f}" '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def y_axis(self, title: str, count: int = 5) -> None:
        marks = ticks(*self.y, count)
        for mark in marks:
            self.line((self.x[0], mark), (self.x[1], mark), "grid")
            self.label((self.x[0], mark), tick_text(mark, marks), anchor="end", dx=-8, dy=4)
        middle = self.height - self.bottom - (self.height - self.top - self.bottom) / 2
        self.parts.append(
            f'<text class="axis" x="12" y="{middle:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 12 {middle:.1f})">{escape(title)}</text>'
        )

    def x_axis(self, title: str, marks: Sequence[tuple[float, str]] | None = None, count: int = 6) -> None:
        if marks is None:
            numbers = ticks(*self.x, count if self.width > NARROW else 4)
            marks = [(m, tick_text(m, numbers)) for m in numbers]
        for place, words in marks:
            at_edge = self.at(place, 0)[0] + 3.5 * len(words) > self.width
            self.label(
                (place, self.y[0]), words, anchor="end" if at_edge else "middle", dx=12 * at_edge, dy=17
            )
        centre = (self.left + self.width - self.right) / 2
        self.parts.append(
            f'<text class="axis" x="{centre:.1f}" y="{self.height - 5}" '
            f'text-anchor="middle">{escape(title)}</text>'
        )

    def svg(self, description: str) -> str:
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" role="img" '
            f'aria-label="{escape(description)}" class="{"narrow" if self.width == NARROW else "wide"}">'
            + "".join(self.parts)
            + "</svg>"
        )


def figure(
    draw: Callable[[int], Canvas],
    caption: str,
    description: str,
    legend: Sequence[tuple[str, str]] = (),
    wide: int = HALF,
) -> str:
    """Return a chart as HTML, with a legend of (CSS class, words) and a caption of HTML that is not escaped.

    ``draw`` is called with the width ``wide`` and with that of a phone.
    """
    keys = "".join(
        f'<span class="key"><i class="swatch {css}"></i>{escape(words)}</span>' for css, words in legend
    )
    drawn = draw(wide).svg(description) + draw(NARROW).svg(description)
    shown = f"<div class=legend>{keys}</div>" if keys else ""
    return f"<figure>{shown}{drawn}<figcaption>{caption}</figcaption></figure>"


def spread(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Return the range of the finite ``values``, widened by a margin so that it is never empty."""
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    pad = (high - low) * margin or max(abs(high), 1.0) * 0.05
    return low - pad, high + pad


def lines(
    series: Sequence[tuple[str, Sequence[Point]]],
    y_title: str,
    x_title: str,
    x_marks: Callable[[int], Sequence[tuple[float, str]]] | None = None,
    zero: bool = False,
    dots: bool = False,
    height: int = 300,
) -> Callable[[int], Canvas]:
    """Return a drawing of lines (CSS class, points) on common axes. ``zero`` adds a dashed line at 0."""

    def draw(width: int) -> Canvas:
        xs = [p[0] for _, points in series for p in points]
        ys = [p[1] for _, points in series for p in points] + ([0.0] if zero else [])
        across = spread(xs, 0.04) if dots or min(xs) == max(xs) else (min(xs), max(xs))
        canvas = Canvas(width, height, across, spread(ys), bottom=40 if x_title else 24)
        canvas.y_axis(y_title)
        if zero:
            canvas.line((canvas.x[0], 0), (canvas.x[1], 0), "zero")
        for css, points in series:
            canvas.path(points, f"stroke {css}")
            if dots:
                for p in points:
                    canvas.dot(p, f"fill {css}", 3.2)
        canvas.x_axis(x_title, x_marks(width) if x_marks else None)
        return canvas

    return draw


def intervals(rows: Sequence[tuple[str, str, float, float]], x_title: str) -> Callable[[int], Canvas]:
    """Return a drawing of a dot with whiskers for each row (CSS class, label, value, half-width)."""

    def draw(width: int) -> Canvas:
        reach = spread([v + s * e for _, _, v, e in rows for s in (-1, 1)] + [0.0])
        narrow = width < WIDE
        step = 46 if narrow else 34
        canvas = Canvas(
            width, 52 + step * len(rows), reach, (len(rows), 0), left=14 if narrow else 230, right=22, top=8
        )
        canvas.x_axis(x_title)
        for mark in ticks(*reach, 4 if narrow else 6):
            canvas.line((mark, 0), (mark, len(rows)), "grid")
        canvas.line((0, 0), (0, len(rows)), "zero")
        for i, (css, label, value, half) in enumerate(rows):
            height = i + (0.68 if narrow else 0.5)
            if narrow:
                canvas.label((reach[0], i), label, "row", "start", dy=14)
            else:
                canvas.label((reach[0], height), label, "row", "end", dx=-14, dy=4)
            canvas.line((value - half, height), (value + half, height), f"whisker {css}")
            canvas.dot((value, height), f"fill {css}", 5)
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
        return canvas

    return draw


def fan(
    history: Sequence[tuple[float, float, float, float]],
    steps: Sequence[tuple[float, Sequence[float]]],
    y_title: str,
    marks: Callable[[int], Sequence[tuple[float, str]]],
) -> Callable[[int], Canvas]:
    """Return a drawing of observed values with the 90 % intervals forecast for them, and of the forecast.

    ``history`` are (x, observed, low, high), and ``steps`` are (x, (q05, q25, q50, q75, q95)). One step is
    drawn as a box, several as a fan from the last observation.
    """

    def draw(width: int) -> Canvas:
        xs = [h[0] for h in history] + [s[0] for s in steps]
        ys = [v for h in history for v in h[1:]] + [v for s in steps for v in s[1]]
        gap = (max(xs) - min(xs)) * 0.02
        canvas = Canvas(width, 320, (min(xs), max(xs) + gap), spread(ys), bottom=24)
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
        return canvas

    return draw


def density(y: Sequence[float], p: Sequence[float], event: str, x_title: str) -> Callable[[int], Canvas]:
    """Return a drawing of a density, with the part of ``event`` (such as ``<= x``) in a warning colour."""
    sign, edge = event.split()[0], float(event.split()[1])
    lower = sign == "<="

    def draw(width: int) -> Canvas:
        canvas = Canvas(width, 320, (y[0], y[-1]), (0, max(p) * 1.08), left=30)
        points = list(zip(y, p, strict=True))
        canvas.line((y[0], 0), (y[-1], 0), "grid")
        canvas.path([(y[0], 0), *points, (y[-1], 0)], "fan2", close=True)
        tail = [q for q in points if (q[0] <= edge if lower else q[0] >= edge)]
        if len(tail) > 1:
            canvas.path([(tail[0][0], 0), *tail, (tail[-1][0], 0)], "danger", close=True)
        canvas.path(points, "stroke ebm")
        if y[0] < edge < y[-1]:
            canvas.line((edge, 0), (edge, canvas.y[1]), "now")
            words = f"{'below' if lower else 'above'} {text(edge, 1 if edge % 1 else 0)}"
            left_of = canvas.at(edge, 0)[0] > (120 if lower else width - 120)
            canvas.label(
                (edge, canvas.y[1]),
                words,
                anchor="end" if left_of else "start",
                dx=-6 if left_of else 6,
                dy=12,
            )
        canvas.x_axis(x_title)
        canvas.parts.append(
            '<text class="axis" transform="translate(14 150) rotate(-90)" text-anchor="middle">density</text>'
        )
        return canvas

    return draw
