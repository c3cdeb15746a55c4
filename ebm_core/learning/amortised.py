"""EBM–GAN hybrid: a generator network learns to sample from the energy, so training needs no chains."""

import torch
from torch import Tensor, nn

from ebm_core.base.arguments import check_finite, check_positive, check_whole
from ebm_core.base.files import Tree, optimiser_state, restore_optimiser
from ebm_core.energies.gradients import Energy, evaluation_mode, frozen_gradient, named_failure
from ebm_core.energies.noise import normal_like
from ebm_core.learning.negatives import Negatives

SPREAD_DECAY = 0.98
"""Decay of the running mean of η² at each step."""


class AmortisedSampler(nn.Module, Negatives):
    """Generator x = g(z) + σ ξ with z ~ N(0, I) and ξ ~ N(0, I), trained to sample exp(−E)/Z as E changes.

    Each ``draw`` makes one Adam step that lowers KL(q ‖ exp(−E)/Z) = E_q[E] − H(q) + log Z, where q is the
    density of x. The gradient of the entropy H in the weights of g is −E[∇ log q(x) · ∂x], with

        ∇ log q(x) = E[(g(z) − x)/σ² | x]

    estimated by importance sampling with ``proposals`` draws z_k ~ N(z₀, diag η²) around the z₀ that
    generated x. η² is a running mean of the weighted mean of (z_k − z₀)², which minimises
    KL(p(z | x) ‖ proposal) averaged over x. The evidence bound of VERA makes η² too small, and x then varies
    too little. Without the entropy term g collapses onto the lowest energies. With few proposals for a large
    latent space the entropy is too small.

    Pass the sampler as the ``negatives`` of an objective, with a ``learning_rate`` above the energy's. When
    training has ended, draw with ``sample``.

    Parameters
    ----------
    network : nn.Module
        Generator g, ``(B, latent)`` → ``(B, *shape)``.
    latent : int
        Dimension of z.
    noise_scale : float
        Standard deviation σ of the noise, in the data's units. Choose it smaller than the finest structure to
        be resolved. A smaller value is harder to learn.
    learning_rate : float, default 1e-3
        Learning rate of Adam.
    entropy_weight : float, default 1.0
        Factor of the entropy term. One gives the KL divergence.
    proposals : int, default 32
        Number of draws z_k for each x.

    Raises
    ------
    ValueError
        If a number is not positive, or the entropy weight not finite, or if the network has no parameters,
        fails on inputs of width ``latent`` or does not return one row for each of them.

    References
    ----------
    Grathwohl, Kelly, Hashemi, Norouzi, Swersky and Duvenaud (2021), No MCMC for me (VERA), ICLR.

    Kumar, Ozair, Goyal, Courville and Bengio (2019), Maximum entropy generators for energy-based models.

    Cappé, Douc, Guillin, Marin and Robert (2008), Adaptive importance sampling in general mixture classes,
    Statistics and Computing 18, for η.

    Examples
    --------
    A linear generator learns to sample N(3, 1).

    >>> import torch
    >>> from ebm_core import AmortisedSampler, GaussianEnergy
    >>> from ebm_core.energies.networks import initialise
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = torch.nn.Linear(1, 1)
    >>> initialise(network, generator)
    >>> sampler = AmortisedSampler(network, latent=1, noise_scale=0.5, learning_rate=0.05)
    >>> energy = GaussianEnergy(torch.tensor([3.0]), torch.eye(1))
    >>> for _ in range(200):
    ...     x = sampler.draw(energy, torch.empty(64, 1), generator)
    >>> x = sampler.sample(1000, generator)
    >>> bool((x.mean() - 3).abs() < 0.3), bool((x.std() - 1).abs() < 0.3)
    (True, True)
    """

    def __init__(
        self,
        network: nn.Module,
        latent: int,
        noise_scale: float,
        *,
        learning_rate: float = 1e-3,
        entropy_weight: float = 1.0,
        proposals: int = 32,
    ) -> None:
        super().__init__()
        check_whole("latent", latent, 1)
        check_positive("noise_scale", noise_scale)
        check_positive("learning_rate", learning_rate)
        check_finite("entropy_weight", entropy_weight)
        check_whole("proposals", proposals, 1)
        parameters = list(network.parameters())
        if not parameters:
            raise ValueError("network: has no parameters; expected a network with parameters to train")
        self.network, self.latent, self.noise_scale = network, latent, noise_scale
        self.entropy_weight, self.proposals = entropy_weight, proposals
        device = parameters[0].device
        self.spread: Tensor
        self.register_buffer("spread", torch.ones(latent, device=device))
        self.optimiser = torch.optim.Adam(parameters, lr=learning_rate)

    def extra_repr(self) -> str:
        rate = self.optimiser.param_groups[0]["lr"]
        return (
            f"latent={self.latent}, noise_scale={self.noise_scale}, learning_rate={rate}, "
            f"entropy_weight={self.entropy_weight}, proposals={self.proposals}"
        )

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw ``count`` samples of q, ``(count, *shape)``."""
        check_whole("count", count, 0)
        image = self._image(self._latents((count, self.latent), generator))
        return image + self.noise_scale * normal_like(image, generator)

    def draw(self, energy: Energy, x: Tensor, generator: torch.Generator) -> Tensor:
        """Draw as many samples of q as ``x`` has rows, and make one training step of g towards ``energy``.

        Raises ``ValueError`` if the outputs of g do not have the shape of ``x``.
        """
        z = self._latents((len(x), self.latent), generator)
        with torch.enable_grad():
            image = self._image(z)
        if image.shape != x.shape:
            raise ValueError(
                f"network: gave shape {tuple(image.shape)}; expected that of the data, {tuple(x.shape)}"
            )
        noise = normal_like(image, generator)
        samples = image.detach() + self.noise_scale * noise
        with evaluation_mode(energy):
            pull = frozen_gradient(energy, samples)(samples)
        pull = pull + self.entropy_weight * self._score(samples, z, generator)
        self.optimiser.zero_grad()
        image.backward(pull / len(x))
        self.optimiser.step()
        return samples

    @torch.no_grad()
    def _score(self, x: Tensor, z: Tensor, generator: torch.Generator) -> Tensor:
        """Estimate ∇ log q(x), of the shape of ``x``, for the samples x generated from z, and update η²."""
        variance = self.noise_scale**2
        around = self._latents((self.proposals, *z.shape), generator)
        proposed = z + self.spread.sqrt() * around
        missed = self.network(proposed.flatten(0, 1)).view(self.proposals, *x.shape) - x
        log_joint = -missed.square().flatten(2).sum(2) / (2 * variance) - proposed.square().sum(2) / 2
        weight = torch.softmax(log_joint + around.square().sum(2) / 2, 0)
        found = (weight[..., None] * (proposed - z).square()).sum(0).mean(0)
        self.spread.lerp_(found, 1 - SPREAD_DECAY)
        return (weight.view(*weight.shape, *(1,) * (x.dim() - 1)) * missed).sum(0) / variance

    def _image(self, z: Tensor) -> Tensor:
        """Return g(z), or raise ``ValueError`` if it does not map ``(B, latent)`` to ``(B, *shape)``."""
        with named_failure("network", f"failed on latents of shape {tuple(z.shape)}"):
            image: Tensor = self.network(z)
        if image.dim() < 2 or len(image) != len(z):
            raise ValueError(
                f"network: gave {tuple(image.shape)}; expected one row per latent, ({len(z)}, *shape)"
            )
        return image

    def _latents(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        like = self.spread
        return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)

    def state(self) -> Tree:
        return {"sampler": self.state_dict(), "optimiser": optimiser_state(self.optimiser)}

    def restore(self, saved: Tree) -> None:
        self.load_state_dict(saved["sampler"])
        restore_optimiser(self.optimiser, saved["optimiser"])
