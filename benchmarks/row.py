"""One figure that a benchmark measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured figure and its target.

    Parameters
    ----------
    what: description of the figure that can be understood by itself.
    target: target as text, or ``shown`` if there is none.
    measured: figure as text, with those of peers if there are any.
    met: whether the target is met; true if there is none.
    value: figure as a number.
    unit: unit of ``value``, such as ``s`` or ``nats``.
    interval: lower and upper bound of a confidence interval for ``value``.
    """

    what: str
    target: str
    measured: str
    met: bool
    value: float | None = None
    unit: str | None = None
    interval: tuple[float, float] | None = None
