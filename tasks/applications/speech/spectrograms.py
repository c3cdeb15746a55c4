"""Log-mel spectrograms of equal size from WAV files ``LABEL_SPEAKER_N.wav``."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import stft

from tasks.runtime.errors import BasinError

RATE = 8000
"""Sampling rate of all recordings in Hz."""
WINDOW, HOP, FFT = 200, 80, 256
"""Window (25 ms), hop (10 ms) and FFT length in samples."""
BANDS, FRAMES = 32, 32
"""Size of a spectrogram: mel bands and time frames."""
LOWEST, HIGHEST = 60.0, 3800.0
"""Range of the mel bands in Hz."""
QUIET = 35.0
"""Beginning and end are cut off where they are more than this many dB below the loudest frame."""
FLOOR = 60.0
"""Power more than this many dB below the loudest cell is raised to that level."""
SHORTEST = 0.05
"""Shortest accepted recording in seconds."""


@dataclass(frozen=True)
class Recordings:
    """Spectrograms ``(n, BANDS, FRAMES)`` with label, speaker, file and original length in seconds.

    ``left_out`` is the number of recordings that were not read because of the limit per word and speaker.
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
    """Read all files ``LABEL_SPEAKER_N.wav`` of a folder, at most ``most`` per label and speaker.

    Raises ``BasinError`` for a file with another name, sampling rate or number of channels, and for one that
    is empty or silent.
    """
    if not folder.is_dir():
        raise BasinError(f"{folder}: not a folder; expected one with WAV files LABEL_SPEAKER_N.wav")
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
    """Return the samples of a mono recording at ``RATE`` as floats; raises ``BasinError`` for other files."""
    if path.stat().st_size == 0:
        raise BasinError(f"{path}: is empty; record it again or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # about chunks without sound
            rate, sound = wavfile.read(path)
    except (OSError, ValueError, EOFError) as error:
        raise BasinError(
            f"{path}: not readable as WAV ({' '.join(str(error).split())[:100]}); repair or remove it"
        ) from error
    if rate != RATE:
        raise BasinError(f"{path}: {rate} Hz, expected {RATE}; resample it (`sox IN -r {RATE} OUT`)")
    if sound.ndim != 1:
        raise BasinError(f"{path}: {sound.shape[1]} channels, expected one; mix it down (`sox IN -c 1 OUT`)")
    sound = sound.astype(float)
    if len(sound) < SHORTEST * RATE:
        raise BasinError(
            f"{path}: {len(sound) / RATE:.3f} s of sound, expected {SHORTEST} or more; remove it"
        )
    if not np.isfinite(sound).all() or np.ptp(sound) == 0:
        raise BasinError(f"{path}: the sound is silent or not finite; remove the file")
    return sound


def mel_filters() -> np.ndarray:
    """Return triangular filters ``(BANDS, FFT // 2 + 1)``, evenly spaced on the scale 2595 log₁₀(1 + f/700).

    Reference: Davis and Mermelstein (1980), IEEE Trans. ASSP 28(4).
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST, HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    frequency = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rise = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def log_mel(sound: np.ndarray) -> np.ndarray:
    """Return the log-mel spectrogram ``(BANDS, FRAMES)`` without silent ends, with mean 0 and s.d. 1.

    Half of each band's mean over time is subtracted. Subtracting all of it would remove much of the vowels,
    and subtracting none would keep the characteristics of microphone and voice.
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
