"""The settings that are measured, and what clips need with each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from neurocodec.evaluation.sound.coding import RATE, Samples, Setting, coded, decoded, file_bytes
from neurocodec.evaluation.sound.scores import Scores, scores
from neurocodec.media.types import AudioPacket

RATES = (6000, 8000, 9000, 10000, 12000, 16000)
"""In bit/s, of the usual way."""
FEWER_RATES = (8000, 10000, 12000, 16000)
"""Of the other ways."""
USUAL = "60 ms, up to 8 kHz"
VARIANTS: dict[str, dict[str, Any]] = {
    USUAL: {},
    "20 ms": {"options": {"frame_duration": "20"}},
    "40 ms": {"options": {"frame_duration": "40"}},
    "120 ms": {"options": {"frame_duration": "120"}},
    "up to 4 kHz": {"options": {"cutoff": "4000"}},
    "any bandwidth": {"options": {"cutoff": "0"}},
    "set up for music": {"options": {"application": "audio"}},
    "silence coded": {"gated": False},
}
"""In what each way to code differs from the usual one, the first."""


class Figure(NamedTuple):
    """What one clip needs with one setting: kbit/s of all bytes, of Opus's alone, and its scores.

    ``silence`` is the part of its time that is left out, 0 to 1.
    ``hertz`` is the bandwidth that most of its packets have.
    """

    kbps: float
    payload: float
    hertz: int
    silence: float
    scores: Scores


_BANDWIDTHS = (*(4000,) * 4, *(6000,) * 4, *(8000,) * 4, 12000, 12000, 20000, 20000,
               *(4000,) * 4, *(8000,) * 4, *(12000,) * 4, *(20000,) * 4)  # fmt: skip
"""By an Opus packet's configuration, the first five bits (RFC 6716, table 2)."""


def measure(samples: Samples, setting: Setting) -> Figure:
    """Code and decode ``samples`` (N,) at 48 kHz; raises UnsupportedError without ``pystoi``."""
    info, packets = coded(samples, setting)
    scale = 8 * RATE / len(samples) / 1000
    bands = Counter(_BANDWIDTHS[p.data[0] >> 3] for p in packets)
    return Figure(
        file_bytes(info, packets) * scale,
        sum(len(p.data) for p in packets) * scale,
        bands.most_common(1)[0][0],
        _left_out(packets) / len(samples),
        scores(samples, decoded(info, packets, len(samples)), RATE),
    )


def _left_out(packets: list[AudioPacket]) -> int:
    """Samples between packets."""
    return sum(b.pts - a.pts - a.duration for a, b in pairwise(packets))


Table = dict[str, dict[int, dict[str, Figure]]]
"""By variant, rate in bit/s and clip."""


def run(clips: Mapping[str, Samples], progress: Callable[[str], None]) -> Table:
    """All variants on all clips, each at the rates that it is measured at."""
    table: Table = {}
    for name, changes in VARIANTS.items():
        progress(name)
        rates = RATES if name == USUAL else FEWER_RATES
        table[name] = {
            rate: {clip: measure(x, Setting(rate, **changes)) for clip, x in clips.items()} for rate in rates
        }
    return table
