"""Random numbers of the shape of a tensor, which do not depend on its memory layout."""

import torch
from torch import Tensor


def normal_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal numbers of the shape of x, the same ones whatever its memory layout is."""
    return torch.empty_like(x, memory_format=torch.contiguous_format).normal_(generator=generator)


def uniform_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw numbers from U(0, 1) of the shape of x."""
    return torch.empty_like(x, memory_format=torch.contiguous_format).uniform_(generator=generator)
