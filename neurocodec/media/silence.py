"""Leaves packets of silence out of a stream of Opus; who plays it fills the gaps with silence again.

FFmpeg's Opus encoder has no discontinuous transmission, and codes digital silence at 3 kbit/s and more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neurocodec.media.types import AudioPacket

_CELT_SAMPLES = (960, 480, 240, 120)
"""Durations of a CELT frame in 1/48000 s; Opus's configurations 31 down to 28 (RFC 6716, section 3.1)."""
_SILENT = 1e-4
"""Largest sample (full scale: 1) that is always silence, -80 dB: dither, or what codecs make of zeros."""
_QUIET = 10 ** (-50 / 20)
"""Largest sample that may count as silence: noise of about -61 dB."""
_BELOW_LOUDEST = 10 ** (-45 / 20)
"""How far below the loudest sample so far silence must be, for recordings that are quiet throughout."""
_BEFORE, _AFTER = 0.12, 0.06
"""Seconds coded before sound, for encoder and decoder to come together again, and after it, as it fades."""


def opus_silence(samples: int) -> bytes | None:
    """An Opus packet of silence that lasts ``samples`` at 48 kHz; None where there is no such packet.

    RFC 6716: CELT frames whose first symbol is the silence flag, in a packet of code 0 (one frame) or 3.
    """
    base = next((n for n in _CELT_SAMPLES if samples % n == 0), None)
    if base is None or not 120 <= samples <= 5760:
        return None
    count, config = samples // base, 31 - _CELT_SAMPLES.index(base)
    if count == 1:
        return bytes([config << 3, 0xFF, 0xFE])
    return bytes([config << 3 | 3, count]) + b"\xff\xfe" * count


class SilenceGate:
    """What is heard goes in, and packets of it; those of sound come out, each as soon as that is clear.

    Silence stays below -50 dB, and 45 dB below the loudest sample so far.  120 ms before sound and 60 ms
    after it are kept.  The first and the last packet stay, as packets of silence, to say where the stream
    begins and ends.  All times count samples at ``rate``.
    """

    def __init__(self, rate: int) -> None:
        self._before, self._after = round(_BEFORE * rate), round(_AFTER * rate)
        self._loudest = 0.0
        self._known = 0  # up to here it is known what is heard
        self._loud: deque[tuple[int, int]] = deque()
        self._waiting: deque[AudioPacket] = deque()
        self._begun = False

    def hear(self, samples: npt.NDArray[np.float32], start: int) -> None:
        """Samples (N, channels) of which the first lies at ``start``."""
        peaks = np.abs(samples).max(axis=1)
        self._loudest = max(self._loudest, float(peaks.max()))
        limit = max(_SILENT, min(_QUIET, _BELOW_LOUDEST * self._loudest))
        if len(loud := np.flatnonzero(peaks > limit)):
            self._loud.append((start + int(loud[0]), start + int(loud[-1]) + 1))
        self._known = start + len(samples)

    def sift(self, packet: AudioPacket) -> Iterator[AudioPacket]:
        """Take the next packet; give those that are due and not silent."""
        self._waiting.append(packet)
        while self._waiting and self._end(self._waiting[0]) + self._before <= self._known:
            yield from self._decided(self._waiting.popleft(), last=False)

    def finish(self) -> Iterator[AudioPacket]:
        """The rest, when nothing more is heard."""
        while self._waiting:
            packet = self._waiting.popleft()
            yield from self._decided(packet, last=not self._waiting)

    def _end(self, packet: AudioPacket) -> int:
        return packet.pts + packet.duration

    def _decided(self, packet: AudioPacket, last: bool) -> Iterator[AudioPacket]:
        while self._loud and self._loud[0][1] + self._after <= packet.pts:
            self._loud.popleft()
        if self._loud and self._loud[0][0] < self._end(packet) + self._before:
            yield packet
        elif last or not self._begun:
            yield replace(packet, data=opus_silence(packet.duration) or packet.data)
        self._begun = True
