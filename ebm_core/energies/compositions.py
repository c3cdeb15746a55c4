"""Energies made of energies: products of experts and temperature."""

from collections.abc import Sequence

from torch import Tensor, nn

from ebm_core.energies.gradients import Energy, Gradient, checked, frozen_gradient, input_gradient


class SumEnergy(nn.Module):
    """E(x) = Σ wᵢ Eᵢ(x): the product of experts Π pᵢ(x)^wᵢ. Weights are one unless given.

    Energies that are modules are trained with it; any callable will do. Raises ``ValueError`` without
    energies or with another number of weights. Reference: Hinton (2002), Training products of experts by
    minimizing contrastive divergence, Neural Computation 14(8).
    """

    def __init__(self, energies: Sequence[Energy], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = [1.0] * len(energies) if weights is None else list(weights)
        if not energies or len(weights) != len(energies):
            raise ValueError(f"weights: {len(weights)} for {len(energies)} energies; expected one each")
        self.energies, self.weights = list(energies), weights
        self.experts = nn.ModuleList(energy for energy in energies if isinstance(energy, nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        values = [w * checked(energy, x) for w, energy in zip(self.weights, self.energies, strict=True)]
        return sum(values[1:], values[0])

    def input_gradient(self, x: Tensor) -> Tensor:
        """Σ wᵢ ∇Eᵢ(x), each by its own formula where it has one."""
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
    """λ E(x): λ > 1 sharpens exp(−E), λ < 1 flattens it. Raises ``ValueError`` for λ ≤ 0."""

    def __init__(self, energy: Energy, factor: float) -> None:
        if not factor > 0:
            raise ValueError(f"factor: {factor}; expected a positive number")
        super().__init__([energy], [factor])


class TemperedEnergy(ScaledEnergy):
    """E(x)/T, the law at temperature T. Raises ``ValueError`` for T ≤ 0."""

    def __init__(self, energy: Energy, temperature: float) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature: {temperature}; expected a positive number")
        super().__init__(energy, 1 / temperature)
