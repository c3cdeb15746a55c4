"""Growing an energy without changing it: more hidden units, added where they cannot be seen yet."""

import torch

from ebm_core.tilts.bilinear import BilinearEnergy


def widened(energy: BilinearEnergy, hidden: int, generator: torch.Generator) -> BilinearEnergy:
    """Widen an energy to more hidden units without changing its function.

    The new units have random inputs and zero output. Training goes on from the result of the smaller energy,
    so that a step up can only improve the fit or be undone by early stopping. A linear energy has no hidden
    units.

    Parameters
    ----------
    energy : BilinearEnergy
        Energy to be widened. It is not changed.
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
        If ``hidden`` is fewer than the energy has.

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
    if hidden < energy.hidden:
        raise ValueError(f"hidden={hidden}: fewer than the {energy.hidden} units of the energy to be widened")
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
