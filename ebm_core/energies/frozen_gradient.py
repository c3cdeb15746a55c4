"""Fast input gradient of a multilayer perceptron with fixed weights, for use in samplers."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ebm_core.energies.gradients import Gradient

silu_backward = torch.ops.aten.silu_backward.grad_input


def frozen_mlp_gradient(layers: Iterable[Any], x: Tensor) -> Gradient:
    """Return a function that computes ∇ₓE of a SiLU perceptron, for inputs of the shape of ``x``.

    ``layers`` are its linear layers, the last of which has one unit. The forward and backward passes are
    written by hand and use buffers that are allocated once. A call builds no graph and computes neither the
    energy nor gradients of the weights. Exponentials would cost up to a third of the time of the matrix
    products, so h = a σ(a) and its slope h′ = h + σ(a) (1 − h) share one.
    """
    *inner, (last, _) = [(layer.weight.detach(), layer.bias.detach()) for layer in layers]
    weights = [weight.T.contiguous() for weight, _ in inner]
    before = [bias.new_empty(len(x), len(bias)) for _, bias in inner]
    after = [torch.empty_like(buffer) for buffer in before[:-1]]
    slopes = [torch.empty_like(buffer) for buffer in before[:-1]]
    result, top, one = last.new_empty(x.shape), last.expand_as(before[-1]), last.new_ones(())

    def gradient(at: Tensor) -> Tensor:
        h = at.detach().to(last)
        for i, (_, bias) in enumerate(inner):
            torch.addmm(bias, h, weights[i], out=before[i])
            if i < len(after):
                gate = torch.sigmoid(before[i], out=slopes[i])
                h = torch.mul(before[i], gate, out=after[i])
                torch.lerp(h, one, gate, out=slopes[i])
        pull = silu_backward(top, before[-1], grad_input=before[-1])
        for i in reversed(range(len(after))):
            pull = torch.mm(pull, weights[i + 1].T, out=before[i]).mul_(slopes[i])
        return torch.mm(pull, weights[0].T, out=result).to(at)

    return gradient
