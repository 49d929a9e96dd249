"""What reader and writer exchange about streams and packets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from neurocodec.media.color import ColorInfo


@dataclass(frozen=True)
class VideoInfo:
    """The video track, as the pictures of the reader come out.

    ``width``/``height``: picture size in samples, upright (after rotation), before pixel aspect.
    ``sar``: pixel aspect ratio after rotation. ``rotation``: degrees clockwise that are applied to get
    upright pictures; ``mirrored``: a left-right flip is applied after that. ``time_base``: seconds per pts
    unit. ``fps``: average pictures per second. ``duration``: seconds, or None. ``color``: what the RGB
    pictures should be tagged with when written (BT.709 for tone-mapped HDR). ``hdr``: the source is PQ or
    HLG. ``frames``: estimated number of pictures, or None.
    """

    width: int
    height: int
    sar: Fraction
    rotation: int
    mirrored: bool
    time_base: Fraction
    fps: Fraction
    duration: float | None
    color: ColorInfo
    hdr: bool
    codec: str
    frames: int | None


@dataclass(frozen=True)
class AudioInfo:
    """An audio stream: enough to write its packets into a container or to decode them.

    ``extradata`` is the codec's header (OpusHead, AudioSpecificConfig...); ``initial_padding`` the samples
    at the start which a decoder drops; the pts of the first packet already counts them (it lies that much
    before the first audible sample). ``bit_rate`` in bit/s, 0 if unknown.
    """

    codec: str
    sample_rate: int
    channels: int
    layout: str
    time_base: Fraction
    extradata: bytes = b""
    bit_rate: int = 0
    initial_padding: int = 0


@dataclass(frozen=True)
class AudioPacket:
    """One compressed audio packet; ``pts`` and ``duration`` in units of ``AudioInfo.time_base``."""

    data: bytes
    pts: int
    duration: int
    is_keyframe: bool = True
