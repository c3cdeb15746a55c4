"""Energies composed of other energies: weighted sums (products of experts), scaling and temperature."""

from collections.abc import Sequence

from torch import Tensor, nn

from ebm_core.base.arguments import check_finite, check_positive
from ebm_core.energies.gradients import Energy, Gradient, checked, frozen_gradient, input_gradient


class SumEnergy(nn.Module):
    """Weighted sum E(x) = Σ wᵢ Eᵢ(x) of energies, which is the product of experts Π pᵢ(x)^wᵢ.

    Energies that are modules are trained with the sum. Any other callable is used as it is. The sum maps
    ``(B, *shape)`` to ``(B,)``, in nats.

    Parameters
    ----------
    energies : sequence of callables
        Energies Eᵢ, each ``(B, *shape)`` → ``(B,)``.
    weights : sequence of float, optional
        Weights wᵢ, one for each energy. They are one by default.

    Raises
    ------
    ValueError
        If there are no energies, another number of weights, or a weight that is not finite.

    References
    ----------
    Hinton (2002), Training products of experts by minimizing contrastive divergence, Neural
    Computation 14(8).

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, SumEnergy
    >>> at_zero = GaussianEnergy(torch.zeros(1), torch.eye(1))
    >>> at_two = GaussianEnergy(torch.full((1,), 2.0), torch.eye(1))

    The product of N(0, 1) and N(2, 1) has its mode at 1.

    >>> energy = SumEnergy([at_zero, at_two])
    >>> energy(torch.tensor([[0.0], [1.0], [2.0]]))
    tensor([2., 1., 2.])
    """

    def __init__(self, energies: Sequence[Energy], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = [1.0] * len(energies) if weights is None else list(weights)
        if not energies or len(weights) != len(energies):
            raise ValueError(f"weights: {len(weights)} for {len(energies)} energies; expected one for each")
        for weight in weights:
            check_finite("weights", weight)
        self.weights = weights
        self.experts = nn.ModuleList(energy for energy in energies if isinstance(energy, nn.Module))
        self._others = [None if isinstance(energy, nn.Module) else energy for energy in energies]

    @property
    def energies(self) -> tuple[Energy, ...]:
        """The energies in their order, of which the modules are those that ``experts`` holds at present."""
        expected = self._others.count(None)
        if len(self.experts) != expected:
            raise ValueError(f"experts: {len(self.experts)} modules; expected {expected}, make a new sum")
        experts = iter(self.experts)
        return tuple(next(experts) if other is None else other for other in self._others)

    def forward(self, x: Tensor) -> Tensor:
        values = [w * checked(energy, x) for w, energy in zip(self.weights, self.energies, strict=True)]
        return sum(values[1:], values[0])

    def input_gradient(self, x: Tensor) -> Tensor:
        """Compute Σ wᵢ ∇Eᵢ(x), with the explicit gradient of each energy that has one."""
        pulls = [w * input_gradient(energy, x) for w, energy in zip(self.weights, self.energies, strict=True)]
        return sum(pulls[1:], pulls[0])

    def frozen_gradient(self, x: Tensor) -> Gradient:
        parts = [
            (w, frozen_gradient(energy, x)) for w, energy in zip(self.weights, self.energies, strict=True)
        ]

        def gradient(at: Tensor) -> Tensor:
            pulls = [w * part(at) for w, part in parts]
            return sum(pulls[1:], pulls[0])

        return gradient


class ScaledEnergy(SumEnergy):
    """Scaled energy λ E(x), where λ > 1 sharpens exp(−E) and λ < 1 flattens it.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    factor : float
        Positive factor λ.

    Raises
    ------
    ValueError
        If the factor is not positive and finite.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import GaussianEnergy, ScaledEnergy
    >>> energy = GaussianEnergy(torch.zeros(1), torch.eye(1))
    >>> sharp = ScaledEnergy(energy, 4.0)  # exp(−4E) is N(0, 1/4)
    >>> sharp(torch.tensor([[0.0], [2.0]]))
    tensor([0., 8.])
    """

    def __init__(self, energy: Energy, factor: float) -> None:
        check_positive("factor", factor)
        super().__init__([energy], [factor])


class TemperedEnergy(ScaledEnergy):
    """Tempered energy E(x)/T, whose density is that of E at temperature T.

    Parameters
    ----------
    energy : callable
        Energy E, ``(B, *shape)`` → ``(B,)``.
    temperature : float
        Positive temperature T. Above one, barriers are lower and chains cross them more often.

    Raises
    ------
    ValueError
        If the temperature is not positive and finite.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DoubleWellEnergy, TemperedEnergy
    >>> energy = DoubleWellEnergy(1, height=8.0)
    >>> hot = TemperedEnergy(energy, 4.0)
    >>> barrier = torch.zeros(1, 1)
    >>> energy(barrier), hot(barrier)
    (tensor([8.]), tensor([2.]))
    """

    def __init__(self, energy: Energy, temperature: float) -> None:
        check_positive("temperature", temperature)
        super().__init__(energy, 1 / temperature)
