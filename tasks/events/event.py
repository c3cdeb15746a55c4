"""Events on the path from an origin: ``min<=-0.08@21`` is a fall of 8 % within 21 steps."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.runtime.errors import BasinError

Array = NDArray[np.float64]

GRAMMAR = re.compile(r"(min|max|sum|end)(<=|>=)(-?\d+(?:\.\d+)?)@([1-9]\d*)")


@dataclass(frozen=True)
class Event:
    """``what`` of the path over ``steps`` steps lies at or beyond ``threshold``.

    With R_k the simple return from the origin to step k: ``min`` and ``max`` are those of R_1 … R_steps,
    ``end`` is R_steps, ``sum`` the sum of the single steps' returns.
    """

    what: str
    below: bool
    threshold: float
    steps: int

    def statistic(self, path: Array) -> Array:
        """The statistic of paths of R_k ``(..., steps)``."""
        if self.what == "sum":
            before = np.concatenate([np.zeros_like(path[..., :1]), path[..., :-1]], axis=-1)
            total: Array = ((1 + path) / (1 + before) - 1).sum(axis=-1)
            return total
        found: Array = {"min": path.min(-1), "max": path.max(-1), "end": path[..., -1]}[self.what]
        return found

    def happened(self, statistic: Array) -> NDArray[np.bool_]:
        """Whether a statistic is the event; false for NaN, an origin whose steps are not all known."""
        hit: NDArray[np.bool_] = statistic <= self.threshold if self.below else statistic >= self.threshold
        return hit

    def barrier(self, multiple: Array) -> Array:
        """The threshold with its log return (``sum``: its return) times ``multiple``, of any shape.

        A path whose log returns are all multiplied by f reaches the threshold if and only if the path as it
        was reaches ``barrier(1 / f)``; for ``sum`` nearly so.
        """
        if self.what == "sum":
            return self.threshold * multiple
        found: Array = np.expm1(multiple * np.log1p(max(self.threshold, -1 + 1e-9)))
        return found

    def observed(self, close: Array) -> Array:
        """The statistic from each row of prices ``(n,)``; NaN for the last ``steps`` rows."""
        n = len(close)
        found = np.full(n, np.nan)
        if n > self.steps:
            ahead = np.lib.stride_tricks.sliding_window_view(close, self.steps + 1)
            found[: n - self.steps] = self.statistic(ahead[:, 1:] / ahead[:, :1] - 1)
        return found

    def reached(self, close: Array, row: int) -> int:
        """Steps from ``row``, an origin from which the event happened, until it had: for ``min`` and ``max``
        the first step beyond the threshold, otherwise all of them."""
        path = close[row + 1 : row + 1 + self.steps] / close[row] - 1
        if self.what in ("min", "max"):
            return 1 + int(np.flatnonzero(self.happened(path))[0])
        return self.steps


def parse(text: str) -> Event:
    """The event of a text such as ``min<=-0.08@21``; raises ``BasinError`` for what is none."""
    found = GRAMMAR.fullmatch(text.replace(" ", ""))
    if not found:
        raise BasinError(
            f"--event {text}: expected min|max|sum|end, <= or >=, a return such as -0.08, @ and steps, "
            "e.g. min<=-0.08@21"
        )
    what, sign, threshold, steps = found.groups()
    if (sign == "<=") != (float(threshold) < 0):
        raise BasinError(
            f"--event {text}: a return of 0 lies beyond it at once; use <= with a negative number or >= with "
            "a positive one"
        )
    return Event(what, sign == "<=", float(threshold), int(steps))
