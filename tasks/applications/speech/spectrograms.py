"""Recordings as pictures: log-mel spectrograms of one size, from WAV files ``LABEL_SPEAKER_N.wav``."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import stft

from tasks.runtime.errors import BasinError

RATE = 8000
"""Hz; what the energy has learned of frequencies holds at one rate only."""
WINDOW, HOP, FFT = 200, 80, 256
"""Samples: 25 ms, 10 ms."""
BANDS, FRAMES = 32, 32
LOWEST, HIGHEST = 60.0, 3800.0
QUIET = 35.0
"""dB below the loudest frame: quieter beginnings and ends are cut off."""
FLOOR = 60.0
"""dB below the loudest cell at which a spectrogram ends."""
SHORTEST = 0.05
"""Seconds."""


@dataclass(frozen=True)
class Recordings:
    """Spectrograms ``(n, BANDS, FRAMES)`` with label, speaker and file of each; ``seconds`` as recorded.

    ``left_out``: recordings of the folder that were not read, as there were more than enough.
    """

    spectrogram: np.ndarray
    label: np.ndarray
    speaker: np.ndarray
    file: np.ndarray
    seconds: np.ndarray
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.label)


def read_folder(folder: Path, most: int | None = None) -> Recordings:
    """All ``LABEL_SPEAKER_N.wav`` of a folder; of each label and speaker the first ``most`` by number.

    Raises ``BasinError`` naming the file for another name, rate or layout, for silence and empty audio.
    """
    if not folder.is_dir():
        raise BasinError(f"{folder}: not a folder; expected one of WAV files LABEL_SPEAKER_N.wav")
    found = []
    for path in sorted(folder.glob("*.wav")):
        parts = path.stem.rsplit("_", 2)
        if len(parts) != 3 or not all(parts) or not parts[2].isdigit():
            raise BasinError(f"{path}: expected a name LABEL_SPEAKER_N.wav, such as 7_anna_12.wav")
        found.append((parts[0], parts[1], int(parts[2]), path))
    if not found:
        raise BasinError(f"{folder}: no WAV files; expected LABEL_SPEAKER_N.wav")
    found.sort(key=lambda each: each[:3])
    kept, count = [], dict[tuple[str, str], int]()
    for each in found:
        count[each[:2]] = count.get(each[:2], 0) + 1
        if most is None or count[each[:2]] <= most:
            kept.append(each)
    sounds = [read_wav(path) for *_, path in kept]
    return Recordings(
        np.stack([log_mel(sound) for sound in sounds]),
        np.array([label for label, *_ in kept]),
        np.array([speaker for _, speaker, *_ in kept]),
        np.array([path.name for *_, path in kept]),
        np.array([len(sound) / RATE for sound in sounds]),
        len(found) - len(kept),
    )


def read_wav(path: Path) -> np.ndarray:
    """Samples of a mono recording at ``RATE``, as floats. Raises ``BasinError`` for anything else."""
    if path.stat().st_size == 0:
        raise BasinError(f"{path}: is empty; record it again or leave it out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that are no sound
            rate, sound = wavfile.read(path)
    except (OSError, ValueError, EOFError) as error:
        raise BasinError(f"{path}: not readable as WAV ({' '.join(str(error).split())[:100]})") from error
    if rate != RATE:
        raise BasinError(f"{path}: {rate} Hz, expected {RATE}; resample it (`sox IN -r {RATE} OUT`)")
    if sound.ndim != 1:
        raise BasinError(f"{path}: {sound.shape[1]} channels, expected one; mix it down (`sox IN -c 1 OUT`)")
    sound = sound.astype(float)
    if len(sound) < SHORTEST * RATE:
        raise BasinError(f"{path}: {len(sound) / RATE:.3f} s of sound, expected {SHORTEST} or more")
    if not np.isfinite(sound).all() or np.ptp(sound) == 0:
        raise BasinError(f"{path}: silent or not finite; leave it out")
    return sound


def mel_filters() -> np.ndarray:
    """Triangles ``(BANDS, FFT // 2 + 1)`` evenly spaced on the mel scale 2595 log₁₀(1 + f/700).

    Reference: Davis and Mermelstein (1980), IEEE Trans. ASSP 28(4).
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST, HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    frequency = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rise = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def log_mel(sound: np.ndarray) -> np.ndarray:
    """Spectrogram ``(BANDS, FRAMES)``: log power without silent ends, of one length, with mean 0 and s.d. 1.

    Half of each band's mean over time is taken away: with all of it goes much of the vowel, with none the
    microphone and the voice stay.
    """
    padded = np.pad(sound, (0, max(0, FFT - len(sound))))
    _, _, spectrum = stft(padded, RATE, "hann", WINDOW, WINDOW - HOP, FFT)
    power = 10 * np.log10(mel_filters() @ np.abs(spectrum) ** 2 + 1e-12)
    power = np.maximum(power, power.max() - FLOOR)
    loud = np.flatnonzero(power.max(0) > power.max() - QUIET)
    power = power[:, loud[0] : loud[-1] + 1]
    places = np.linspace(0, power.shape[1] - 1, FRAMES)
    stretched = np.stack([np.interp(places, np.arange(power.shape[1]), band) for band in power])
    stretched -= stretched.mean()
    stretched -= stretched.mean(1, keepdims=True) / 2
    return (stretched / max(stretched.std(), 1e-6)).astype(np.float32)
