"""Synthetic speakers: a speaker of zeros says the same again, the spreads follow energy and entropy."""

import pytest
import torch

from tasks.applications.speakers import LATENT, SyntheticSpeakers, spec_augment, spoken_by
from tasks.applications.speech_features import BANDS, FRAMES


def speech(count: int = 8) -> torch.Tensor:
    x = torch.randn(count, BANDS, FRAMES, generator=torch.Generator().manual_seed(0))
    x = x - x.mean((1, 2), keepdim=True)
    return x / x.std((1, 2), keepdim=True)


def test_a_speaker_of_zeros_says_the_same_again() -> None:
    x = speech()
    assert torch.allclose(spoken_by(x, torch.zeros(len(x), len(LATENT))), x, atol=1e-4)


def test_a_longer_vocal_tract_moves_every_band() -> None:
    """A peak at band 20 of the recording is read at the place p for which p · exp(tract) is 20."""
    x = torch.zeros(1, BANDS, FRAMES)
    x[:, 20] = 1.0
    tract = torch.zeros(1, len(LATENT))
    tract[0, 0] = torch.tensor(20 / 16).log()
    assert int(spoken_by(x, tract)[0].mean(1).argmax()) == 16


def test_without_an_energy_entropy_widens_the_spreads_and_a_steep_energy_narrows_them() -> None:
    x, generator = speech(64), torch.Generator().manual_seed(0)
    for slope, sign in ((0.0, 1), (1e3, -1)):
        speakers = SyntheticSpeakers(learning_rate=0.01, entropy_weight=1.0)
        before = speakers.log_spread.detach().clone()
        for _ in range(10):
            speakers.draw(lambda y, slope=slope: slope * (y - x).square().mean((1, 2)), x, generator)
        assert (sign * (speakers.log_spread.detach() - before) > 0).all()


def test_specaugment_masks_bands_and_frames_and_nothing_else() -> None:
    x = torch.ones(50, BANDS, FRAMES)
    kept = spec_augment(x, torch.Generator().manual_seed(0))
    rows, columns = kept.amax(2), kept.amax(1)
    assert torch.equal(kept, rows[:, :, None] * columns[:, None])
    assert (rows == 0).sum(1).max() <= 12 and float((kept == 0).float().mean()) == pytest.approx(
        0.33, abs=0.08
    )
