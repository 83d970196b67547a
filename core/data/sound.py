"""One recording: from bytes that nobody vouches for to mono samples. Only wav is read; no decoder is run for others."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import resample_poly

from core.data.picture import bytes_of
from core.data.showing import MAX_BYTES
from core.errors import DataError

MAX_MINUTES = 5
# How other recordings begin, to name what was given.
_KINDS = {b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mp3", b"\xff\xfb": "mp3", b"\xff\xf3": "mp3", b"FORM": "aiff"}
_SPREAD = {"u1": 128.0, "i2": 2.0**15, "i4": 2.0**31, "i8": 2.0**63}


@dataclass(frozen=True)
class Sound:
    """Samples [N] in −1 … 1 of one channel, `rate` a second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def at(self, rate: int) -> Sound:
        """The same sound with another number of samples a second (polyphase filter)."""
        if rate == self.rate:
            return self
        shared = gcd(rate, self.rate)
        samples = resample_poly(self.samples, rate // shared, self.rate // shared)
        return Sound(np.asarray(samples, np.float32), rate)


def read_sound(source: bytes | Path | Any, name: str = "") -> Sound:
    """A wav recording (PCM or float, any number of channels), told by its content. Raises `DataError`."""
    name = name or (source.name if isinstance(source, Path) else "")
    data = bytes_of(source)
    if len(data) > MAX_BYTES:
        raise DataError("sound.too_large", name=name, limit=MAX_BYTES // 10**6)
    if data[:4] not in (b"RIFF", b"RIFX", b"RF64") or data[8:12] != b"WAVE":
        kind = next((kind for sign, kind in _KINDS.items() if data.startswith(sign)), "")
        kind = kind or ("m4a" if data[4:8] == b"ftyp" else "?")
        raise DataError("sound.not_wav", name=name, format=kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of chunks it does not know, which are no sound
            rate, samples = wavfile.read(io.BytesIO(data))
        if not 1000 <= rate <= 400_000:
            raise ValueError(f"{rate} samples a second")
        if not samples.size:
            raise DataError("sound.empty", name=name)
        mono = _mono(samples)
    except DataError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a reader of a damaged file fails in many ways
        raise DataError("sound.damaged", name=name, detail=str(error)[:200] or type(error).__name__) from error
    sound = Sound(mono, int(rate))
    if sound.seconds > 60 * MAX_MINUTES:
        raise DataError("sound.too_long", name=name, minutes=f"{sound.seconds / 60:.1f}", limit=MAX_MINUTES)
    return sound


def _mono(samples: NDArray[Any]) -> NDArray[np.float32]:
    """One channel in −1 … 1; what is not a number is silence."""
    spread = _SPREAD.get(samples.dtype.str[1:], 1.0)
    values = samples.astype(np.float32)
    if spread == 128.0:  # 8 bits are counted from 128
        values -= 128
    values /= spread
    mono = values.mean(axis=1) if values.ndim > 1 else values
    return np.nan_to_num(mono, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
