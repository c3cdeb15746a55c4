"""Widening of an energy network: hidden units are added in a way that leaves the function unchanged."""

import torch

from ebm_core.base.arguments import check_whole
from ebm_core.tilts.bilinear import BilinearEnergy


def widened(energy: BilinearEnergy, hidden: int, generator: torch.Generator) -> BilinearEnergy:
    """Widen an energy to more hidden units without changing its function.

    The new units have random input weights and zero output weights. Training continues from the smaller
    energy, so early stopping keeps the smaller energy if the new units do not help. A linear energy has no
    hidden units and can be widened too.

    Parameters
    ----------
    energy : BilinearEnergy
        Energy to widen. It is not changed.
    hidden : int
        Number of hidden units of the result.
    generator : torch.Generator
        Source of the weights of the new units.

    Returns
    -------
    BilinearEnergy
        The same function with ``hidden`` units.

    Raises
    ------
    ValueError
        If ``hidden`` is less than the number of hidden units of the energy.

    References
    ----------
    Chen, Goodfellow and Shlens (2016), Net2Net, ICLR.

    Fahlman and Lebiere (1990), The cascade-correlation learning architecture, NeurIPS, for the zero output.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import BilinearEnergy, widened
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = BilinearEnergy(3, hidden=4, features=2, seeds=1, generator=generator)
    >>> _ = torch.nn.init.normal_(energy.outer_weight, generator=generator)  # as if trained
    >>> wider = widened(energy, 16, generator)
    >>> score, x = torch.randn(10, generator=generator), torch.randn(10, 3, generator=generator)
    >>> wider.hidden, torch.allclose(wider(score, x), energy(score, x), atol=1e-5)
    (16, True)
    """
    if not isinstance(energy, BilinearEnergy):
        raise ValueError(f"energy: {type(energy).__name__}; expected a BilinearEnergy")
    check_whole("hidden", hidden, 0)
    if hidden < energy.hidden:
        raise ValueError(
            f"hidden: {hidden}; expected at least {energy.hidden}, the number of units of the energy"
        )
    wider = BilinearEnergy(energy.inputs, hidden, energy.features, energy.seeds, generator)
    wider.to(energy.bias)
    with torch.no_grad():
        for name, parameter in energy.named_parameters():
            grown = wider.get_parameter(name)
            if name in ("inner_weight", "inner_bias"):
                grown[..., : energy.hidden] = parameter
            elif name == "outer_weight":
                grown[:, : energy.hidden] = parameter
            else:
                grown.copy_(parameter)
    return wider
