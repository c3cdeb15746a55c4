"""Speech recognition with settings chosen on the other three speakers only (nested cross-validation).

Run with ``python -m benchmarks.applications.speech_choice``.

The settings in `tasks/applications/speech/application.py` were chosen by the mean over twelve folds, in which
each of the four speakers is tested. Here the settings for a speaker are those that are best on the three
folds without that speaker. These folds train on two of the other speakers and test on the third, with one
seed. The settings of SpecAugment are chosen in the same way.
"""

from functools import partial
from itertools import product

import numpy as np
import torch

from benchmarks.applications.applications import mirror
from tasks.applications.speech import application
from tasks.applications.speech.spectrograms import Recordings, read_folder
from tasks.applications.speech.synthetic_speakers import (
    JointSpeech,
    Recognition,
    SyntheticSpeakers,
    heard_as,
    spec_augment,
)
from tasks.runtime.parallel import run_units

SPREADS_AND_CONTRAST = {
    "as chosen": (application.SPREAD_RATE, application.CONTRAST_WEIGHT),
    "no contrast": (application.SPREAD_RATE, 0.0),
    "contrast .05": (application.SPREAD_RATE, 0.05),
    "fixed spreads": (0.0, application.CONTRAST_WEIGHT),
}
TRUSTS = (0.0, 0.05, 0.1, 0.2, 0.5)
MASKS = {"2 masks ≤ 6 wide": (2, 6), "2 masks ≤ 3 wide": (2, 3)}
SEEDS = 5

Choice = tuple[str, float]
Errors = dict[Choice, float]


def errors_of(heard: Recordings, without: tuple[str, ...], judged: str, setting: str, seed: int) -> Errors:
    """Return error rates for the speaker ``judged`` by ``(setting, trust)``, trained without ``without``."""
    classes = np.unique(heard.label)
    known, new = ~np.isin(heard.speaker, without), heard.speaker == judged
    x, words = torch.as_tensor(heard.spectrogram), np.searchsorted(classes, heard.label)
    joint = setting in SPREADS_AND_CONTRAST
    if joint:
        rate, contrast = SPREADS_AND_CONTRAST[setting]
        speakers = SyntheticSpeakers(rate, application.ENTROPY_WEIGHT)
        objective: JointSpeech | Recognition = JointSpeech(speakers, contrast)
    else:
        count, widest = MASKS[setting]
        objective = Recognition(partial(spec_augment, masks=count, widest=widest))
    label = torch.as_tensor(words[known])
    energy = application.fit_words(x[known], label, len(classes), objective, seed).averaged
    if not joint:
        with torch.no_grad():
            return {(setting, 0.0): _errors(energy.logits(x[new]), words[new])}
    spread = speakers.log_spread.detach().exp()
    return {
        (setting, trust): _errors(
            heard_as(energy, x[new], spread, trust, torch.Generator().manual_seed(seed)), words[new]
        )
        for trust in TRUSTS
    }


def _errors(said: torch.Tensor, words: np.ndarray) -> float:
    return float((said.argmax(1).numpy() != words).mean())


def best(found: list[Errors], among: dict[str, tuple]) -> Choice:
    """Return the setting and trust with the lowest mean error over the folds ``found``."""
    choices = {choice for each in found for choice in each if choice[0] in among}
    return min(sorted(choices), key=lambda c: float(np.mean([each[c] for each in found if c in each])))


def main() -> None:
    heard = read_folder(mirror("speech/recordings"), application.MOST)
    names = sorted(set(heard.speaker))
    settings = (*SPREADS_AND_CONTRAST, *MASKS)
    folds = [(left, judged) for left, judged in product(names, names) if left != judged]
    inner = [(heard, fold, fold[1], setting, 0) for fold, setting in product(folds, settings)]
    found = run_units(errors_of, inner, "folds")
    totals = []
    for name in names:
        mine = [errors for unit, errors in zip(inner, found, strict=True) if unit[1][0] == name]
        chosen = [best(mine, among) for among in (SPREADS_AND_CONTRAST, MASKS)]
        outer = [(heard, (name,), name, choice[0], seed) for choice in chosen for seed in range(SEEDS)]
        tested = run_units(errors_of, outer, "tests")
        of_each = zip(chosen, (tested[:SEEDS], tested[SEEDS:]), strict=True)
        totals.append([float(np.mean([errors[choice] for errors in part])) for choice, part in of_each])
        (setting, trust), (masks, _) = chosen
        print(f"{name:10} {setting}, trust {trust}: {totals[-1][0]:.3f}   {masks}: {totals[-1][1]:.3f}")
    ours, theirs = np.mean(totals, axis=0)
    print(f"errors {ours:.3f}, SpecAugment {theirs:.3f}: {1 - ours / theirs:.0%} fewer")


if __name__ == "__main__":
    main()
