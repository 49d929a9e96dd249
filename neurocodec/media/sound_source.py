"""The sound of a media file as a reader hands it out: packets copied, or decoded and encoded anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

from neurocodec.errors import UnsupportedError
from neurocodec.media.adts import adts_config, is_adts, strip_adts
from neurocodec.media.sound import check_copied, layout_name, opus_pre_skip
from neurocodec.media.sound_encoder import opus_encoder
from neurocodec.media.timestamps import JUMP_SECONDS, CopyClock, TimestampRepair
from neurocodec.media.types import AudioInfo, AudioPacket

_FRAME_SIZES = {"aac": 1024, "mp3": 1152, "ac3": 1536, "eac3": 1536}
"""Samples a packet, for containers that do not say."""


def needs_first_packet(stream: Any) -> bool:
    """Whether what describes a copy of the stream is only found in its packets (AAC with ADTS headers)."""
    context = stream.codec_context
    return context.codec.canonical_name == "aac" and not context.extradata


def _tick(stream: Any) -> Fraction:
    return Fraction(stream.time_base or Fraction(1, 1000))


class CopiedSound:
    """Packets as they are, in units of one sample where the rate is known; AAC without ADTS headers."""

    def __init__(self, stream: Any, first_packet: bytes | None, shift: Fraction, name: str) -> None:
        """``first_packet``: see :func:`needs_first_packet`; ``shift``: seconds to add; ``name``: of the file.

        Raises UnsupportedError for sound that could not be played again; :meth:`packets` does so, too.
        """
        context, tick = stream.codec_context, _tick(stream)
        codec, rate, channels = (
            context.codec.canonical_name,
            int(context.sample_rate or 0),
            int(context.channels),
        )
        extradata = bytes(context.extradata or b"")
        if first_packet and needs_first_packet(stream) and is_adts(first_packet):
            extradata = adts_config(first_packet)
        self._config, self._other, self._name = extradata, b"", name
        out_tick = Fraction(1, rate) if rate > 0 else tick
        self._clock = CopyClock(tick, out_tick, int(context.frame_size or 0) or _FRAME_SIZES.get(codec, 0))
        self._shift = round(shift / tick)
        self.info = AudioInfo(
            codec=codec,
            sample_rate=rate,
            channels=channels,
            layout=layout_name(context.layout.name, channels),
            time_base=out_tick,
            extradata=extradata,
            bit_rate=int(context.bit_rate or 0),
            initial_padding=opus_pre_skip(extradata),
        )
        if rate > 0 and channels > 0:
            check_copied(self.info, name)

    def packets(self, packet: Any) -> Iterator[AudioPacket]:
        """What the next packet of the stream becomes; None: its end.

        Raises UnsupportedError where the sound changes to what its description does not fit.
        """
        if packet is None or not self._fits(packet):
            return
        pts = packet.pts if packet.pts is not None else packet.dts
        start, duration = self._clock(None if pts is None else pts + self._shift, int(packet.duration or 0))
        data = strip_adts(bytes(packet)) if self.info.codec == "aac" else bytes(packet)
        yield AudioPacket(data, start, duration, bool(packet.is_keyframe))

    def _fits(self, packet: Any) -> bool:
        """Whether the packet is of the configuration that holds for all; one alone that is not is damaged."""
        if self.info.codec != "aac":
            return True
        config = self._config
        if packet.has_sidedata("new_extradata"):
            config = bytes(packet.get_sidedata("new_extradata"))
        elif is_adts(head := bytes(packet)[:7]):
            config = adts_config(head)
        known = self._config[: len(config)]  # what follows these bytes, ADTS does not say
        if config == known or not known:
            self._other = b""
            return True
        if config == self._other or packet.has_sidedata("new_extradata"):
            raise UnsupportedError(
                f"the sound of {self._name} cannot be copied: its AAC changes its configuration on the way; "
                "use --audio opus"
            )
        self._other = config
        return False


class ReencodedSound:
    """Sound decoded and encoded to Opus; packets that cannot be decoded are left out."""

    def __init__(self, stream: Any, bit_rate: int, shift: Fraction) -> None:
        """``bit_rate``: in bit/s, see ``opus_encoder``; ``shift``: seconds to add."""
        self._decoder = stream.codec_context
        self._tick, self._shift = _tick(stream), shift
        self._clock = TimestampRepair(1, round(JUMP_SECONDS / self._tick))
        self._encoder = opus_encoder(int(self._decoder.channels) or 1, bit_rate)
        self.info = self._encoder.info

    def keep(self, start: Fraction | None, end: Fraction | None) -> None:
        """Leave out what lies before ``start`` and from ``end`` on (seconds, with the shift)."""
        self._encoder.keep(start, end)

    def packets(self, packet: Any) -> Iterator[AudioPacket]:
        """What the next packet of the stream becomes; None: its end."""
        frames: list[av.AudioFrame] = []
        with suppress(EOFError, av.FFmpegError, ValueError):
            frames = self._decoder.decode(packet)
        for frame in frames:
            start: Fraction | None = None
            if frame.pts is not None:
                start = self._clock(frame.pts) * Fraction(frame.time_base or self._tick) + self._shift
            yield from self._encoder.push(frame, start)
        if packet is None:
            yield from self._encoder.finish()
