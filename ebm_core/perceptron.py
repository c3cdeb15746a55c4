"""∇ₓE of a SiLU perceptron for losses, with the derivatives in the weights written by hand.

Score matching differentiates twice, for which autograd goes over the activations about twice as often.
"""

from typing import Any

import torch
from torch import Tensor

sigmoid_backward = torch.ops.aten.sigmoid_backward
"""v ∘ σ (1 − σ) of ``(v, σ)``."""


class PerceptronGradient(torch.autograd.Function):
    """∇ₓE of E = w · h_L + b, differentiable in w, W_l, b_l: h_l = s(a_l), a_l = W_l h_{l−1} + b_l, h_0 = x.

    s is the SiLU. Called with x ``(B, d)``, which gets no gradient, and W_1, b_1, …, W_L, b_L, w
    ``(1, width)``. Gives v_0 ``(B, d)`` of v_L = w, u_l = v_l ∘ s′(a_l), v_{l−1} = u_l W_l.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        *inner, last = parameters
        weights, biases = inner[::2], inner[1::2]
        h, gates, slopes, bends = [x], [], [], []
        for weight, bias in zip(weights, biases, strict=True):
            a = torch.mm(h[-1], weight.T).add_(bias)  # on CPUs a third of the time of functional.linear
            gates.append(torch.sigmoid(a))
            h.append(a * gates[-1])
            # s′ = σ + s − s σ and s″ = σ (1 − σ) (2 + a − 2 s), of which here the last factor
            slopes.append(torch.add(gates[-1], h[-1]).addcmul_(h[-1], gates[-1], value=-1))
            bends.append(a.add_(2).sub_(h[-1], alpha=2))
        u, v = [], [last.expand_as(h[-1])]
        for weight, slope in zip(reversed(weights), reversed(slopes), strict=True):
            u.append(v[-1] * slope)
            v.append(u[-1] @ weight)
        ctx.save_for_backward(*weights, *gates, *slopes, *bends, *reversed(u), *reversed(v[:-1]), *h[:-1])
        return v[-1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """From v_0 up the pulls to w, then from a_L down the layers to x."""
        saved = ctx.saved_tensors
        depth = len(saved) // 7
        weights, gates, slopes, bends, u, v, h = (saved[k * depth : (k + 1) * depth] for k in range(7))
        of_weights, of_a = [], []
        for layer in range(depth):
            of_weights.append(u[layer].T @ gradient)
            of_u = gradient @ weights[layer].T
            of_a.append(sigmoid_backward((of_u * bends[layer]).mul_(v[layer]), gates[layer]))
            gradient = of_u.mul_(slopes[layer])
        found: list[Tensor] = [gradient.sum(0, keepdim=True)]
        for layer in reversed(range(depth)):
            of_weights[layer].addmm_(of_a[layer].T, h[layer])
            found = [of_weights[layer], of_a[layer].sum(0), *found]
            if layer:
                of_a[layer - 1].addcmul_(of_a[layer] @ weights[layer], slopes[layer - 1])
        return None, *found
