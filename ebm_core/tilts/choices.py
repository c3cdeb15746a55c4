"""Choices among candidates: a base's scores tilted by an energy of the pair, learned by ranking NCE."""

import math

import torch
from torch import Tensor, nn

ABSENT = -1e4
"""The base's score of a place without a candidate: finite, since 0 · ∞ has no gradient."""


class ChoiceEnergy(nn.Module):
    """E(x) = −(w·x + v·tanh(A x + b)) of a pair (who chooses, what is chosen); w and v start at zero.

    The chosen item then follows p(i | u) ∝ exp(β s(u, i) − E(x_ui)) with the base's score s and its scale β
    (``log_scale`` is log β), so an untrained energy ranks as the base does.

    Shapes: features ``(*batch, inputs)`` give energies ``(*batch,)``.
    """

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner_weight = nn.Parameter(torch.randn(inputs, hidden, generator=generator) / math.sqrt(inputs))
        self.inner_bias = nn.Parameter(torch.randn(hidden, generator=generator))
        self.outer_weight = nn.Parameter(torch.zeros(hidden))
        self.linear_weight = nn.Parameter(torch.zeros(inputs))
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(x @ self.inner_weight + self.inner_bias)
        return -(x @ self.linear_weight + hidden @ self.outer_weight)

    def logits(self, base: Tensor, x: Tensor) -> Tensor:
        """β s − E, the log-probability of each candidate up to log Z; ``(*batch,)`` both."""
        return self.log_scale.exp() * base - self(x)


def ranking_nce(logits: Tensor, chosen: Tensor, log_noise: Tensor | None = None) -> Tensor:
    """−log p(chosen | candidates), one a row: the ranking form of noise-contrastive estimation.

    ``logits`` and ``chosen`` are ``(n, candidates)``; a row with several chosen items gives the mean of
    their losses, each against the candidates that were not chosen. ``log_noise`` is the log-probability with
    which a candidate was proposed, up to a constant (default: all alike). With all items as candidates this
    is the exact likelihood. Raises ``ValueError`` for a row where nothing is chosen.

    Reference: Ma and Collins (2018), Noise contrastive estimation and negative sampling for conditional
    models, EMNLP.
    """
    if not chosen.any(-1).all():
        raise ValueError("chosen: every row must hold a chosen candidate")
    if log_noise is not None:
        logits = logits - log_noise
    others = torch.logsumexp(logits.masked_fill(chosen, -torch.inf), -1, keepdim=True)
    each = nn.functional.softplus(others - logits.masked_fill(~chosen, 0))
    return each.masked_fill(~chosen, 0).sum(-1) / chosen.sum(-1)


def fit_choices(
    energy: ChoiceEnergy,
    base: Tensor,
    features: Tensor,
    chosen: Tensor,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    generator: torch.Generator,
    batch: int = 64,
) -> list[float]:
    """Train ``energy`` in place by :func:`ranking_nce` with AdamW and a cosine schedule; the loss an epoch.

    ``base`` and ``chosen`` are ``(n, candidates)``, ``features`` ``(n, candidates, inputs)``; rows with
    fewer candidates are filled up with base :data:`ABSENT`. Raises ``ValueError`` for non-finite features,
    ``FloatingPointError`` naming the epoch when training diverges.
    """
    if not torch.isfinite(features).all():
        raise ValueError("features has non-finite values; drop or mend those candidates before training")
    optimiser = torch.optim.AdamW(energy.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(base), generator=generator).split(batch):
            loss = ranking_nce(energy.logits(base[rows], features[rows]), chosen[rows]).mean()
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the ranking loss is not finite in epoch {epoch + 1}; try a smaller learning_rate"
                )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        schedule.step()
        losses.append(total / len(base))
    return losses
