"""Growing an energy without changing it: more hidden units, added where they cannot be seen yet."""

import torch

from ebm_core.tilts.bilinear import BilinearEnergy


def widened(energy: BilinearEnergy, hidden: int, generator: torch.Generator) -> BilinearEnergy:
    """The same function with ``hidden`` units, those that are new with random inputs and zero output.

    Training goes on from where the leaner energy had come to, so that a step up can only pay or be undone
    by early stopping. A linear energy has no hidden units. Raises ``ValueError`` where ``hidden`` is fewer
    than the energy has.

    Reference: Chen, Goodfellow and Shlens (2016), Net2Net, ICLR; zero output as in Fahlman and Lebiere
    (1990), The cascade-correlation learning architecture.
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
