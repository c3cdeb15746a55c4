"""Canvas of a chart as inline SVG, with values that appear under the pointer and the keyboard focus.

No script is needed for the values: the style sheet hides the text of a place until it is pointed at.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from tasks.reporting.axes import Mark, tick_text, ticks

Point = tuple[float, float]
Value = tuple[str, str]
"""CSS class of a series, whose name the legend has, or an empty string, and a value as text."""

WIDE, HALF, NARROW = 980, 470, 330
"""Widths in pixels: of the page, of one chart of a pair, and of a phone."""

APART = 12
"""Least distance in pixels between two places whose values appear."""

FEW = 12
"""Most places of a chart that can each be reached with the keyboard."""

LETTER, LINE = 7.3, 16
"""Mean width of a letter and height of a line of the values, in pixels."""

TITLE, DIGIT = 26, 7.1
"""Width of a title beside an axis with the gaps around it, and of a digit of the labels of ticks."""

AGAIN = 300
"""Distance in pixels at which the labels of gridlines are repeated on a chart that is wider than the page."""

AREAS = ("band", "unknown", "fan1", "fan2", "danger", "bar", "part low", "part middle", "part high")
"""Classes of filled areas. All other classes are those of lines."""


def marker(css: str, x: float, y: float, radius: float) -> str:
    """Return a dot, whose shape differs for base, reference and peers, so that colour alone tells nothing."""
    if "base" in css.split():
        side = 1.8 * radius
        place = f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"'
        return f'<rect class="{css}" {place}/>'
    if "reference" in css.split():
        side = 1.25 * radius
        steps = f"M{x - side:.1f},{y + radius:.1f}h{2 * side:.1f}l{-side:.1f},{-2.1 * radius:.1f}z"
        return f'<path class="{css}" d="{steps}"/>'
    if "peer" in css.split() or css.split() == ["fill"]:
        side = 1.3 * radius
        steps = (
            f"M{x - side:.1f},{y:.1f}l{side:.1f},{-side:.1f}l{side:.1f},{side:.1f}l{-side:.1f},{side:.1f}z"
        )
        return f'<path class="{css}" d="{steps}"/>'
    return f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def swatch(css: str) -> str:
    """Return a small picture of a class for the legend: an area, a marker (``fill NAME``) or a line."""
    if css in AREAS:
        drawn = f'<rect class="{css}" width="22" height="12" rx="2"/>'
    elif css.startswith("fill "):
        drawn = marker(css, 11, 6, 4)
    else:
        line = css if css == "now" else f"stroke {css}"
        drawn = f'<line class="{line}" x2="22" y1="6" y2="6"/>'
    return f'<svg class="swatch" width="22" height="12" aria-hidden="true">{drawn}</svg>'


@dataclass(frozen=True)
class Place:
    """Area of a chart, in pixels, and the values that appear beside ``x`` when it is pointed at."""

    left: float
    top: float
    width: float
    height: float
    x: float
    title: str
    values: Sequence[Value]

    def html(self, names: Mapping[str, str], bounds: tuple[int, int], focusable: bool) -> str:
        """Return a transparent area with its values in a box that lies inside ``bounds`` (width, height)."""
        words = [f"{names.get(css, '')} {value}".strip() for css, value in self.values]
        width = max(map(len, (self.title, *words))) * LETTER + 16
        height = (len(words) + 1) * LINE + 8
        x = self.x + 10 if self.x + 10 + width < bounds[0] else self.x - 10 - width
        x = min(max(x, 1), max(bounds[0] - width - 1, 1))
        y = self.top + 8 if self.height > height else self.top + self.height + 2
        y = max(min(y, bounds[1] - height - 1), 1)
        lines = "".join(f'<tspan x="{x + 8:.0f}" dy="{LINE}">{escape(line)}</tspan>' for line in words)
        spoken = f' tabindex="0" role="img" aria-label="{escape(": ".join((self.title, ", ".join(words))))}"'
        return (
            f'<g class="place"{spoken if focusable else ""}><rect x="{self.left:.1f}" y="{self.top:.0f}" '
            f'width="{self.width:.1f}" height="{self.height:.0f}"/><g><path '
            f'd="M{self.x:.1f},{self.top:.0f}v{self.height:.0f}"/><rect x="{x:.0f}" y="{y:.0f}" '
            f'width="{width:.0f}" height="{height}" rx="5"/><text x="{x + 8:.0f}" y="{y + LINE + 1:.0f}">'
            f"{escape(self.title)}{lines}</text></g></g>"
        )


def _fitted(title: str, low: float, high: float, length: float) -> tuple[float, str]:
    """Return the middle of an axis title and, if it is longer than the chart, attributes that squeeze it."""
    half = LETTER * len(title) / 2
    if 2 * half > length:
        return length / 2, f' textLength="{length - 4:.0f}" lengthAdjust="spacingAndGlyphs"'
    return min(max((low + high) / 2, half), length - half), ""


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
    bottom: int = 44
    parts: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    thinned: bool = False
    """Whether there are more points than places whose values appear."""

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
        self.parts.append(marker(css, *self.at(*p), radius))

    def label(
        self, p: Point, words: str, css: str = "tick", anchor: str = "middle", dx: float = 0, dy: float = 0
    ) -> None:
        x, y = self.at(*p)
        self.parts.append(
            f'<text class="{css}" x="{x + dx:.1f}" y="{y + dy:.1f}" '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def y_axis(self, title: str, count: int = 5) -> None:
        """Draw gridlines with labels, and widen the left margin if these would reach the title.

        It comes before anything else that is drawn.
        """
        marks = ticks(*self.y, count)
        longest = max((len(tick_text(mark, marks)) for mark in marks), default=0)
        self.left = max(self.left, TITLE + math.ceil(DIGIT * longest))
        for mark in marks:
            self.line((self.x[0], mark), (self.x[1], mark), "grid")
            self.label((self.x[0], mark), tick_text(mark, marks), anchor="end", dx=-8, dy=4)
            for x in range(AGAIN, self.width - AGAIN if self.width > WIDE else 0, AGAIN):
                self.label((self.x[0], mark), tick_text(mark, marks), anchor="start", dx=x, dy=-3)
        self.y_title(title)

    def y_title(self, title: str) -> None:
        middle, fitted = _fitted(title, self.top, self.height - self.bottom, self.height)
        self.parts.append(
            f'<text class="axis" x="12" y="{middle:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 12 {middle:.1f})"{fitted}>{escape(title)}</text>'
        )

    def x_axis(
        self, title: str, marks: Sequence[Mark] | None = None, count: int = 6, grid: bool = False
    ) -> None:
        """Draw labelled ticks at ``marks``, by default round numbers, and with ``grid`` vertical lines."""
        if marks is None:
            numbers = ticks(*self.x, count if self.width > NARROW else 4)
            marks = [(m, tick_text(m, numbers)) for m in numbers]
        for place, words in marks:
            x, y = self.at(place, self.y[0])
            if grid:
                self.line((place, self.y[0]), (place, self.y[1]), "grid")
            self.parts.append(f'<path class="grid" d="M{x:.1f},{y:.1f}v5"/>')
            # A label that would leave the chart is moved inwards, and its tick stays.
            half = 3.9 * len(words)
            inside = min(max(x, half + 1), self.width - half - 1)
            self.label((place, self.y[0]), words, dx=inside - x, dy=19)
        centre, fitted = _fitted(title, self.left, self.width - self.right, self.width)
        self.parts.append(
            f'<text class="axis" x="{centre:.1f}" y="{self.height - 5}" '
            f'text-anchor="middle"{fitted}>{escape(title)}</text>'
        )

    def show(self, low: Point, high: Point, x: float, title: str, *values: Value) -> None:
        """Let values appear beside ``x`` where the box from ``low`` to ``high`` is pointed at."""
        (x1, y1), (x2, y2) = self.at(*low), self.at(*high)
        area = min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)
        self.places.append(Place(*area, self.at(x, 0)[0], title, values))

    def show_at(self, xs: Sequence[float], describe: Callable[[int], tuple[str, Sequence[Value]]]) -> None:
        """Let values appear where a part of the chart around one of the sorted ``xs`` is pointed at.

        ``describe`` returns title and values of an element of ``xs``. Elements that are too close to their
        neighbours to be pointed at are left out.
        """
        across = [self.at(x, self.y[0])[0] for x in xs]
        kept = [0]
        for i in range(1, len(xs)):
            if across[i] - across[kept[-1]] >= APART:
                kept.append(i)
        self.thinned |= len(kept) < len(xs)
        middles = [(across[i] + across[j]) / 2 for i, j in pairwise(kept)]
        ends = [max(across[kept[0]] - APART, 0), *middles, min(across[kept[-1]] + APART, self.width)]
        height = self.height - self.top - self.bottom
        for i, left, right in zip(kept, ends[:-1], ends[1:], strict=True):
            self.places.append(Place(left, self.top, right - left, height, across[i], *describe(i)))

    def svg(self, description: str, names: Mapping[str, str], css: str) -> str:
        """Return the chart with the names of its series from the legend."""
        few = len(self.places) <= FEW
        role = "group" if few and self.places else "img"
        places = "".join(place.html(names, (self.width, self.height), few) for place in self.places)
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" role="{role}" '
            f'aria-label="{escape(description)}" class="{css}"><g aria-hidden="true">{"".join(self.parts)}'
            f"</g>{places}</svg>"
        )
