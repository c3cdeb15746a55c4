"""Learned energies: perceptrons, convolutional networks, classifiers and a restricted Boltzmann machine.

The activations are smooth, because Langevin steps and score matching need derivatives in x. Initial weights
are drawn from the ``generator`` argument. Energies with explicit gradients have two further methods:
``input_gradient`` for losses, which is differentiable in the parameters, and ``frozen_gradient`` for
samplers.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebm_core.base.arguments import check_generator, check_whole
from ebm_core.base.formulas import altered
from ebm_core.energies.frozen_gradient import frozen_mlp_gradient
from ebm_core.energies.gradients import (
    Gradient,
    NotFiniteError,
    autograd_gradient,
    check_precision,
    differentiated,
    full_precision,
    without_autocast,
)
from ebm_core.energies.mlp_gradient import PerceptronGradient


class MLPEnergy(nn.Module):
    """Multilayer perceptron E(x) = w · h_L + b with h_l = SiLU(W_l h_{l−1} + b_l) and h_0 = x.

    The energy maps ``(B, d)`` to ``(B,)``, in nats. ``layers`` holds the linear maps. ``input_gradient`` and
    ``frozen_gradient`` compute ∇ₓE by explicit formulas.

    Parameters
    ----------
    d : int
        Dimension of x.
    hidden : sequence of int, default (128, 128)
        Widths of the hidden layers.
    generator : torch.Generator
        Source of the initial weights.

    Raises
    ------
    ValueError
        If there is no hidden layer or a width is below 1, and if ``x`` is not ``(B, d)``.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import MLPEnergy
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = MLPEnergy(2, (32, 32), generator=generator)
    >>> x = torch.randn(5, 2, generator=generator)
    >>> tuple(energy(x).shape), tuple(energy.input_gradient(x).shape)
    ((5,), (5, 2))
    """

    def __init__(self, d: int, hidden: Sequence[int] = (128, 128), *, generator: torch.Generator) -> None:
        super().__init__()
        check_widths(generator, d=[d], hidden=hidden)
        if not hidden:
            raise ValueError("hidden: is empty; expected the widths of one or more hidden layers")
        self.d = d
        self.layers = nn.ModuleList(nn.Linear(*widths) for widths in pairwise([d, *hidden, 1]))
        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        h = self._checked(x)
        for layer in self.layers[:-1]:
            h = functional.silu(layer(h))
        return readout(self.layers[-1], h)

    def input_gradient(self, x: Tensor) -> Tensor:
        """Compute ∇ₓE ``(B, d)``, differentiable in the parameters, and in x if x requires a gradient."""
        if not self._is_plain():
            return differentiated(self, x)
        h, slopes = self._checked(x), []
        transformed = torch._C._are_functorch_transforms_active()  # as by vmap, which the function has not
        if not (x.requires_grad or transformed or torch.is_autocast_enabled(x.device.type)):
            weights = [tensor for layer in self.layers for tensor in (layer.weight, layer.bias)]
            product: Tensor = PerceptronGradient.apply(x, *weights[:-1])
            return product
        for layer in self.layers[:-1]:
            before = layer(h)
            gate = torch.sigmoid(before)
            h = before * gate
            slopes.append(gate + h * (1 - gate))
        last: Any = self.layers[-1]
        gradient = last.weight
        for layer, slope in zip(reversed(self.layers[:-1]), reversed(slopes), strict=True):
            gradient = (gradient * slope) @ layer.weight
        result: Tensor = gradient
        return result

    def frozen_gradient(self, x: Tensor) -> Gradient:
        """Return a function that computes ∇ₓE for batches like ``x`` with the present weights.

        The computation uses the floating-point type of the weights. Raises ``ValueError`` if b is not finite,
        because the gradient does not depend on b and would not show it.
        """
        self._checked(x)
        if not self._is_plain():
            return autograd_gradient(self)
        last: Any = self.layers[-1]
        if not torch.isfinite(last.bias.detach()).all():
            raise NotFiniteError(
                "energy: not finite, because the bias of its last layer is not finite; train it again"
            )
        return frozen_mlp_gradient(self.layers, x)

    def _is_plain(self) -> bool:
        """Return whether the explicit gradients hold, as no layer was replaced, parametrised or hooked."""
        linear = all(type(layer) is nn.Linear and layer.bias is not None for layer in self.layers)
        return linear and not altered(self.layers)

    def _checked(self, x: Tensor) -> Tensor:
        if x.dim() != 2 or x.shape[1] != self.d:
            raise ValueError(f"x: shape {tuple(x.shape)}; expected (B, {self.d})")
        return x


class ConvEnergy(nn.Module):
    """Convolutional energy of images, E(x) = Σₚ w · h(p) + b, a sum over the positions p of a feature map.

    The features h come from 3 × 3 convolutions of stride 2 with SiLU. Images may have any size, because the
    positions are summed. The energy maps ``(B, channels, height, width)`` to ``(B,)``, in nats.

    Parameters
    ----------
    channels : int
        Channels of the images.
    hidden : sequence of int, default (32, 64, 128)
        Channels after each convolution.
    generator : torch.Generator
        Source of the initial weights.

    Raises
    ------
    ValueError
        If a width is below 1, and if ``x`` is not ``(B, channels, height, width)``.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import ConvEnergy
    >>> generator = torch.Generator().manual_seed(0)
    >>> energy = ConvEnergy(1, (8, 16), generator=generator)
    >>> tuple(energy(torch.randn(4, 1, 12, 12, generator=generator)).shape)
    (4,)
    >>> tuple(energy(torch.randn(4, 1, 20, 28, generator=generator)).shape)
    (4,)
    """

    def __init__(
        self, channels: int, hidden: Sequence[int] = (32, 64, 128), *, generator: torch.Generator
    ) -> None:
        super().__init__()
        check_widths(generator, channels=[channels], hidden=hidden)
        self.channels = channels
        maps: list[nn.Module] = []
        for before, after in pairwise([channels, *hidden]):
            maps += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.SiLU()]
        self.features = nn.Sequential(*maps)
        self.last = nn.Linear([channels, *hidden][-1], 1)
        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or x.shape[1] != self.channels or not x.shape[2] * x.shape[3]:
            raise ValueError(f"x: shape {tuple(x.shape)}; expected (B, {self.channels}, height, width)")
        features = self.features(x)
        return readout(self.last, features.to(_dtype(self.last, features)).sum((2, 3)))


class DenoisingEnergy(nn.Module):
    """Reconstruction energy E(x) = ½ ‖x − f(x)‖², which is low where the network f leaves x as it is.

    The energy maps ``(B, *shape)`` to ``(B,)``, in nats.

    Parameters
    ----------
    network : nn.Module
        Map f, ``(B, *shape)`` → the same shape.

    Raises
    ------
    ValueError
        If f changes the shape of x.

    References
    ----------
    Salimans and Ho (2021), Should EBMs model the energy or the score?, ICLR workshop.

    Examples
    --------
    >>> import torch
    >>> from ebm_core import DenoisingEnergy
    >>> energy = DenoisingEnergy(torch.nn.ReLU())  # leaves positive coordinates as they are
    >>> energy(torch.tensor([[1.0, 3.0], [-2.0, 3.0]]))
    tensor([0., 2.])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        image = self.network(x)
        if image.shape != x.shape:
            raise ValueError(
                f"network: gave shape {tuple(image.shape)} for x of shape {tuple(x.shape)}; expected the same"
            )
        check_precision("network", image)
        energy: Tensor = full_precision(x - image).square().flatten(1).sum(1) / 2
        return energy


class ClassEnergy(nn.Module):
    """Joint energy of a classifier, E(x, y) = −f_y(x) and E(x) = −log Σ_y exp f_y(x).

    The class probabilities p(y | x) are the softmax of the logits f. Called with x ``(B, *shape)`` it gives
    E(x) ``(B,)``, and called with labels ``(B,)`` as well it gives E(x, y) ``(B,)``, in nats.

    Parameters
    ----------
    network : nn.Module
        Network of the logits f, ``(B, *shape)`` → ``(B, classes)``.

    Raises
    ------
    ValueError
        If the network does not give logits ``(B, classes)``, or if a label is not one of its classes.

    References
    ----------
    Grathwohl et al. (2020), Your classifier is secretly an energy based model and you should treat it like
    one (JEM), ICLR.

    Examples
    --------
    The energies give the probabilities of the classifier: log p(y | x) = E(x) − E(x, y).

    >>> import torch
    >>> from ebm_core import ClassEnergy
    >>> from ebm_core.energies.networks import initialise
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = torch.nn.Linear(2, 3)
    >>> initialise(network, generator)
    >>> energy = ClassEnergy(network)
    >>> x, label = torch.randn(4, 2, generator=generator), torch.tensor([0, 1, 2, 0])
    >>> softmax = network(x).softmax(1)[torch.arange(4), label]
    >>> torch.allclose(torch.exp(energy(x) - energy(x, label)), softmax)
    True
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits f(x) ``(B, classes)``, or raise ``ValueError`` if they have another shape."""
        logits: Tensor = self.network(x)
        if logits.dim() != 2:
            raise ValueError(f"network: gave shape {tuple(logits.shape)}; expected logits (B, classes)")
        check_precision("network", logits)
        return full_precision(logits)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Return E(x) ``(B,)``, or E(x, y) if labels y ``(B,)`` are given."""
        logits = self.logits(x)
        if label is None:
            return -logits.logsumexp(1)
        check_labels(label, *logits.shape)
        return -logits.gather(1, label[:, None])[:, 0]


def check_labels(label: Tensor, count: int, classes: int) -> None:
    """Raise ``ValueError`` unless the labels are int64 ``(count,)`` from 0 to ``classes`` − 1."""
    if not isinstance(label, Tensor) or label.dtype != torch.int64 or label.shape != (count,):
        found = f"{label.dtype} {tuple(label.shape)}" if isinstance(label, Tensor) else type(label).__name__
        raise ValueError(f"label: {found}; expected int64 ({count},), one label for each row")
    if count and (label.min() < 0 or label.max() >= classes):
        found = f"{int(label.min())} to {int(label.max())}"
        raise ValueError(f"label: {found}; expected 0 to {classes - 1}, one for each logit")


class FullPrecision(nn.Module):
    """Module that is computed in the type of its own weights, also in mixed precision.

    It is for the last layer of a network whose output is an energy, or is made into one. A loss compares
    energies, and a bfloat16 has too few digits for a difference of a few nats between energies of several
    hundred.

    Parameters
    ----------
    module : nn.Module
        Module with at least one parameter, which takes one tensor.

    Raises
    ------
    ValueError
        If the module has no parameters.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ebm_core import FullPrecision
    >>> network = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), FullPrecision(nn.Linear(16, 1)), nn.Flatten(0))
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     energy = network(torch.zeros(5, 2))
    >>> energy.dtype, tuple(energy.shape)
    (torch.float32, (5,))
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if next(module.parameters(), None) is None:
            raise ValueError(
                "module: has no parameters; expected one or more, whose type is that of the output"
            )
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        with without_autocast(x):
            found: Tensor = self.module(x.to(next(self.module.parameters()).dtype))
        return found


def readout(layer: nn.Module, h: Tensor) -> Tensor:
    """Return the energies ``(B,)`` of a last layer with one unit, in the precision of its weights."""
    with without_autocast(h):
        energy: Tensor = layer(h.to(_dtype(layer, h))).squeeze(-1)
    return energy


def _dtype(layer: nn.Module, h: Tensor) -> torch.dtype:
    """Return the type of a layer's weights, or that of h for a layer without weights."""
    return next(layer.parameters(), h).dtype


def check_widths(generator: torch.Generator, **widths: Sequence[int]) -> None:
    """Check the widths of the layers of a network, and the source of its initial weights."""
    check_generator(generator)
    for name, of in widths.items():
        if not isinstance(of, Sequence):
            raise ValueError(f"{name}: {of!r}; expected a sequence of widths, such as (64, 64)")
        for width in of:
            check_whole(name, width, 1)


@torch.no_grad()
def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw linear and convolutional parameters from U(±1/√fan-in), PyTorch's default, by ``generator``."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            bound = 1 / math.sqrt(module.weight[0].numel())
            for parameter in module.parameters(recurse=False):
                parameter.uniform_(-bound, bound, generator=generator)
