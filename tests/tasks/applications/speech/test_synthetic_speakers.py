"""Synthetic speakers: a speaker of zeros says the same again, the spreads follow energy and entropy."""

from typing import Any

import pytest
import torch

from ebm_core.energies.networks import ClassEnergy
from ebm_core.learning.fit import fit
from tasks.applications.speech.spectrograms import BANDS, FRAMES
from tasks.applications.speech.synthetic_speakers import (
    LATENT,
    SPREAD,
    DigitNetwork,
    JointSpeech,
    SyntheticSpeakers,
    heard_as,
    scrambled,
    spec_augment,
    spoken_by,
)


def speech(count: int = 8) -> torch.Tensor:
    """Smooth pictures: sums over both axes of noise."""
    x = torch.randn(count, BANDS, FRAMES, generator=torch.Generator().manual_seed(0)).cumsum(1).cumsum(2)
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


def test_noise_fills_the_quiet_cells_and_leaves_the_loud_ones() -> None:
    x = speech()
    speaker = torch.zeros(len(x), len(LATENT))
    speaker[:, LATENT.index("noise")] = 0.1
    flat = spoken_by(x, speaker).flatten(1)
    order = x.flatten(1).argsort(1)
    low, high = flat.gather(1, order[:, :20]), flat.gather(1, order[:, -20:])
    assert torch.allclose(low.amin(1), low.amax(1), atol=0.05) and (high.amax(1) > high.amin(1) + 0.05).all()


def test_a_word_that_begins_later_is_read_from_its_later_frames() -> None:
    x = torch.linspace(0, 1, FRAMES).expand(1, BANDS, FRAMES)
    speaker = torch.zeros(1, len(LATENT))
    speaker[0, LATENT.index("beginning")] = 0.5
    read = spoken_by(x, speaker)[0, 0]
    expected = torch.linspace(0.5, 1, FRAMES)
    assert torch.allclose(
        read, (expected - expected.mean()) / expected.expand(BANDS, FRAMES).std(), atol=0.01
    )


def test_scrambled_puts_frames_or_bands_in_another_order() -> None:
    x, generator = (10 * speech()).round(), torch.Generator().manual_seed(0)  # whose sums are exact
    kept = []
    for _ in range(20):
        other = scrambled(x, generator)
        same = [torch.equal(other.sum(a).sort(1).values, x.sum(a).sort(1).values) for a in (1, 2)]
        assert all(same) and not torch.equal(other, x)
        kept.append(torch.equal(other.sum(1), x.sum(1)))
    assert {True, False} == set(kept)  # of both axes


def test_latent_speakers_who_do_not_differ_leave_the_answer_and_others_average_it() -> None:
    x, generator = speech(), torch.Generator().manual_seed(0)
    energy = ClassEnergy(DigitNetwork(3, (BANDS, FRAMES), generator))
    alone = energy.logits(x).double().softmax(1)
    assert torch.allclose(heard_as(energy, x, torch.zeros(len(LATENT)), 1.0, generator), alone, atol=1e-4)
    averaged = heard_as(energy, x, torch.tensor(SPREAD), 0.0, generator)
    assert not torch.allclose(averaged, alone)
    assert float((averaged.sum(1) - 1).abs().max()) < 1e-12


def test_a_trusted_energy_hears_a_recording_as_whom_it_sounds_most_like_speech() -> None:
    """Far from the recording the energy is high and the other class sure: with trust it is not heard."""
    x = speech()
    for trust, second in ((0.0, 0.9), (100.0, 0.5)):
        energy: Any = Distance(x, (-2e3, -1e3))
        said = heard_as(energy, x, torch.tensor(SPREAD), trust, torch.Generator().manual_seed(0))
        assert said[:, 1].numpy() == pytest.approx(second, abs=0.09)


def test_training_puts_speech_below_scrambled_speech_and_tells_the_classes() -> None:
    x, generator = speech(64), torch.Generator().manual_seed(0)
    label = (x[:, :8].mean((1, 2)) > 0).long()
    energy = ClassEnergy(DigitNetwork(2, (BANDS, FRAMES), generator))
    objective = JointSpeech(SyntheticSpeakers(learning_rate=0.001, entropy_weight=0.05), weight=0.1)
    found = fit(
        energy, (x, label), objective, steps=100, batch=32, learning_rate=2e-3, generator=generator, decay=0.9
    ).averaged  # fmt: skip
    with torch.no_grad():
        assert found(x).mean() < found(scrambled(x, generator)).mean()
        assert (found.logits(x).argmax(1) == label).float().mean() > 0.8


class Distance:
    """Two logits: E(x) falls, or the first class becomes surer, with the distance from the recordings."""

    def __init__(self, x: torch.Tensor, slopes: tuple[float, float]) -> None:
        self.x, self.slopes = x, torch.tensor(slopes)

    def logits(self, y: torch.Tensor) -> torch.Tensor:
        return (y - self.x).square().mean((1, 2))[:, None] * self.slopes


@pytest.mark.parametrize(
    ("slopes", "label", "sign"),
    [
        ((0.0, 0.0), 0, 1),  # no energy: entropy widens
        ((-1e3, -1e3), 0, -1),  # what is far is no speech: narrower
        ((-1e3, 1e3), 0, 1),  # what is far is misheard and still speech: wider
    ],
)
def test_the_spreads_follow_entropy_energy_and_what_is_misheard(
    slopes: tuple[float, float], label: int, sign: int
) -> None:
    x, generator = speech(64), torch.Generator().manual_seed(0)
    speakers = SyntheticSpeakers(learning_rate=0.01, entropy_weight=1.0)
    before = speakers.log_spread.detach().clone()
    energy: Any = Distance(x, slopes)
    for _ in range(10):
        speakers.draw(energy, x, torch.full((len(x),), label), generator)
    assert (sign * (speakers.log_spread.detach() - before) > 0).all()


def test_specaugment_masks_bands_and_frames_and_nothing_else() -> None:
    x = torch.ones(50, BANDS, FRAMES)
    kept = spec_augment(x, torch.Generator().manual_seed(0))
    rows, columns = kept.amax(2), kept.amax(1)
    assert torch.equal(kept, rows[:, :, None] * columns[:, None])
    assert (rows == 0).sum(1).max() <= 12 and float((kept == 0).float().mean()) == pytest.approx(
        0.33, abs=0.08
    )
