"""Expectations by quadrature, with a check that they are finite and resolved."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ebm_core.tilts.normalised import LAST_SCORE
from ebm_core.tilts.quadrature import MOST_PANELS, ROUNDING, TOLERATED, Panels

SMALL = 1e-9
"""Share of an expectation in the outermost panels above which the panels are extended."""


def expectation(
    rule: Panels, terms: Callable[[Panels], tuple[Tensor, Tensor]], name: str, smooth: bool = False
) -> Tensor:
    """Return an expectation, the sum of its terms, on panels that reach out to where they are small.

    ``terms(rule)`` returns the weighted terms ``(nodes, *batch)`` and which of them belong to the last
    quantiles of an unbounded outcome. Raises ``ValueError`` if more than ``TOLERATED`` of the expectation is
    there, as if it is infinite, or if it changes by more than that share when the panels are halved. With
    ``smooth`` the panels are not halved, because a rule that resolves log Z resolves the terms.
    """
    found, share, _ = _summed(rule, terms)
    while share > SMALL and 2 * rule.reach <= LAST_SCORE:
        rule = rule.wider()
        found, share, _ = _summed(rule, terms)
    if not share <= TOLERATED:
        raise ValueError(
            f"{name}: infinite or not resolved, because a share {share:.1g} of it comes from the last "
            "quantiles in float64; use quantiles, or a base with lighter tails"
        )
    while found.numel() and not smooth:
        rule = rule.finer()
        halved, _, size = _summed(rule, terms)
        change = float(((halved - found).detach().abs() / size).max())
        if change <= ROUNDING or (rule.count > MOST_PANELS and change <= TOLERATED):
            return halved
        if rule.count > MOST_PANELS:
            raise ValueError(
                f"{name}: not resolved, because it changes by a share {change:.1g} with {rule.count} panels; "
                "use a smoother energy or base"
            )
        found = halved
    return found


def _summed(rule: Panels, terms: Callable[[Panels], tuple[Tensor, Tensor]]) -> tuple[Tensor, float, Tensor]:
    """Return the sum of the terms, the largest share at the ends, and the sum of their sizes."""
    values, ends = terms(rule)
    outermost = torch.from_numpy(np.abs(rule.score) > rule.reach - rule.width)
    ends = ends | outermost.reshape(-1, *(1,) * (values.dim() - 1))
    size = values.detach().abs()
    total = size.sum(0).clamp_min(1e-300)
    share = (size * ends).sum(0) / total
    return values.sum(0), float(share.max()) if share.numel() else 0.0, total
