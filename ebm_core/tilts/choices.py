"""Choices among candidates: scores of a base model tilted by an energy, learned by ranking."""

import math

import torch
from torch import Tensor, nn

ABSENT = -1e4
"""Base score of a padded place without a candidate. It is finite, because 0 · ∞ would give NaN gradients."""


class ChoiceEnergy(nn.Module):
    """Energy E(x) = −(w·x + v·tanh(A x + b)) of the features x of a user and an item.

    A user u chooses item i with p(i | u) ∝ exp(β s(u, i) − E(x_ui)), where s is the score of the base model
    and β its scale (``log_scale`` is log β). w and v start at zero, so an untrained energy ranks like the
    base.

    Maps features ``(*batch, inputs)`` to energies ``(*batch,)``, in nats.
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
        """Return β s − E ``(*batch,)``, the log-probability of each candidate up to log Z.

        ``base`` holds the scores s ``(*batch,)`` and ``x`` the features ``(*batch, inputs)``.
        """
        return self.log_scale.exp() * base - self(x)


def ranking_nce(logits: Tensor, chosen: Tensor, log_noise: Tensor | None = None) -> Tensor:
    """Compute −log p(chosen | candidates) for each row, the ranking form of noise-contrastive estimation.

    ``logits`` and ``chosen`` are ``(n, candidates)``. A row with several chosen items gives the mean of their
    losses, each against the candidates that were not chosen. ``log_noise`` is the log-probability with which
    each candidate was proposed, up to a constant. By default all were equally likely. If all items are
    candidates, this is the exact likelihood. Raises ``ValueError`` if nothing is chosen in a row.

    Reference: Ma and Collins (2018), Noise contrastive estimation and negative sampling for conditional
    models, EMNLP.
    """
    if not chosen.any(-1).all():
        raise ValueError("chosen: a row has no chosen candidate; expected one or more in each row")
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
    """Train ``energy`` in place by :func:`ranking_nce` with AdamW and return the mean loss of each epoch.

    ``base`` and ``chosen`` are ``(n, candidates)``, and ``features`` is ``(n, candidates, inputs)``. Rows
    with fewer candidates are padded with base scores :data:`ABSENT`. The learning rate follows a cosine
    schedule. Raises ``ValueError`` for non-finite features and ``FloatingPointError``, which names the epoch,
    if training diverges.
    """
    if not torch.isfinite(features).all():
        raise ValueError("features: non-finite values; drop or correct those candidates before training")
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
