"""Events on the path after an origin, such as ``min<=-0.08@21``, a fall of 8 % or more within 21 steps."""

import re
from dataclasses import dataclass
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from tasks.runtime.errors import BasinError

Array = NDArray[np.float64]

GRAMMAR = re.compile(r"(min|max|sum|end)(<=|>=)(-?(?:\d+\.?\d*|\.\d+))@([1-9]\d*)")

HIGHEST = 700.0
"""Highest log return of a simulated path. The exponential of a higher one has no floating-point number."""


@dataclass(frozen=True)
class Event:
    """Event that a statistic of the path over the next ``steps`` steps lies at or beyond ``threshold``.

    R_k is the simple return from the origin to step k. The statistic ``what`` is the ``min`` or ``max`` of
    R_1 … R_steps, the last return R_steps for ``end``, or the sum of the returns of single steps for ``sum``.
    It must be at most the threshold if ``below``, otherwise at least the threshold.
    """

    what: str
    below: bool
    threshold: float
    steps: int

    def statistic(self, path: Array) -> Array:
        """Return the statistic ``(...)`` of paths of R_k ``(..., steps)``."""
        if self.what == "sum":
            before = np.concatenate([np.zeros_like(path[..., :1]), path[..., :-1]], axis=-1)
            total: Array = ((1 + path) / (1 + before) - 1).sum(axis=-1)
            return total
        found: Array = {"min": path.min(-1), "max": path.max(-1), "end": path[..., -1]}[self.what]
        return found

    def statistic_of_moves(self, moves: Array) -> Array:
        """Return the statistic ``(...)`` of log returns of single steps ``(..., steps)``, in per cent."""
        if self.what == "sum":
            summed: Array = np.expm1(np.minimum(moves / 100, HIGHEST)).sum(axis=-1)
            return summed
        path = moves.cumsum(axis=-1) / 100
        found: Array = {"min": path.min(-1), "max": path.max(-1), "end": path[..., -1]}[self.what]
        return np.expm1(np.minimum(found, HIGHEST))

    def happened(self, statistic: Array) -> NDArray[np.bool_]:
        """Return whether the event happened, given the statistic.

        It is False for NaN, the statistic of an origin whose steps are not all known.
        """
        hit: NDArray[np.bool_] = statistic <= self.threshold if self.below else statistic >= self.threshold
        return hit

    def barrier(self, multiple: Array) -> Array:
        """Return the threshold with its log return multiplied by ``multiple``, which may have any shape.

        For ``sum`` the simple return is multiplied. If all log returns of a path are multiplied by f, the new
        path reaches the threshold if and only if the original path reaches ``barrier(1 / f)``. For ``sum``
        this holds approximately.
        """
        if self.what == "sum":
            return self.threshold * multiple
        found: Array = np.expm1(multiple * np.log1p(self.threshold))
        return found

    def observed(self, close: Array) -> Array:
        """Return the statistic of the path after each row of prices ``(n,)``, NaN for the last rows."""
        n = len(close)
        found = np.full(n, np.nan)
        if n > self.steps:
            ahead = np.lib.stride_tricks.sliding_window_view(close, self.steps + 1)
            found[: n - self.steps] = self.statistic(ahead[:, 1:] / ahead[:, :1] - 1)
        return found

    def reached(self, close: Array) -> NDArray[np.int64]:
        """Return the number of steps from each row of prices ``(n,)`` until the event happened.

        For ``min`` and ``max`` this is the first step at or beyond the threshold, which may be known before
        the last step, otherwise the last step. It is 0 if the event did not happen or is not yet known.
        """
        if self.what not in ("min", "max"):
            return np.where(self.happened(self.observed(close)), self.steps, 0)
        later = np.append(close, np.full(self.steps, np.nan))
        ahead = np.lib.stride_tricks.sliding_window_view(later, self.steps + 1)
        beyond = self.happened(ahead[:, 1:] / ahead[:, :1] - 1)
        return np.where(beyond.any(axis=1), beyond.argmax(axis=1) + 1, 0)


def parse(text: str) -> Event:
    """Return the event that a text such as ``min<=-0.08@21`` describes, or raise ``BasinError``."""
    compact = text.replace(" ", "")
    found = GRAMMAR.fullmatch(compact)
    if not found:
        meant = re.sub("=?([<>])=?", r"\1=", compact.replace("≤", "<").replace("≥", ">").lower())
        raise BasinError(
            f"--event {quote(text)}: expected min, max, sum or end, then <= or >=, a return such as -0.08, "
            "@ and the number of steps, for example min<=-0.08@21"
            + (f" (did you mean {meant}?)" if GRAMMAR.fullmatch(meant) else "")
        )
    what, sign, threshold, steps = found.groups()
    if (sign == "<=") != (float(threshold) < 0):
        raise BasinError(
            f"--event {quote(text)}: a return of 0 would already meet the condition; use <= with a negative "
            "return or >= with a positive one"
        )
    event = Event(what, sign == "<=", float(threshold), int(steps))
    _refuse_impossible(event, text)
    return event


def _refuse_impossible(event: Event, text: str) -> None:
    """Raise ``BasinError`` for a fall of 100 % or more, which no price has. Rises have no limit."""
    least = -event.steps if event.what == "sum" else -1
    if event.threshold > least:
        return
    if event.what == "sum":
        reason = f"{event.steps} returns of a price, each above -1, sum to more than {least}"
    else:
        reason = "the return of a price is above -1, which is a fall of 100 %"
    remedy = f"give a threshold above {least}, such as {event.what}<=-0.08@{event.steps} for 8 %"
    if -100 < event.threshold <= -1:
        share = f"{event.threshold / 100:g}"
        remedy = (
            f"returns are fractions: write {share} for {-event.threshold:g} %, as in "
            f"{event.what}<={share}@{event.steps}"
        )
    raise BasinError(f"--event {quote(text)}: {reason}; {remedy}")
