"""One figure that a benchmark measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure beside its target.

    Parameters
    ----------
    what: what is measured, complete in itself.
    target: the target in words, or ``shown`` where there is none.
    measured: the figure as text, with its peers where there are any.
    met: whether the target is met; true where there is none.
    value: the figure as a number.
    unit: the unit of ``value``, such as ``s`` or ``nats``.
    interval: lower and upper bound of ``value``.
    """

    what: str
    target: str
    measured: str
    met: bool
    value: float | None = None
    unit: str | None = None
    interval: tuple[float, float] | None = None
