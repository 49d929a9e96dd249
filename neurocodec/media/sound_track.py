"""The sound of an MP4: packets as they are where MP4 can hold them, else AAC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av

from neurocodec.media.sound import sound_decoder
from neurocodec.media.sound_encoder import SoundEncoder, aac_encoder
from neurocodec.media.stream_template import REMUXED, add_audio_stream
from neurocodec.media.types import AudioInfo, AudioPacket


class SoundTrack:
    """A track of an output container for packets of the stream ``info``, with tags of its own."""

    def __init__(self, container: Any, info: AudioInfo, tags: Mapping[str, str] | None = None) -> None:
        """Raises UnsupportedError for sound that cannot be decoded, av errors and ValueError for AAC's."""
        self.info = info
        self._decoder = sound_decoder(info)
        self._encoder: SoundEncoder | None = None if _can_remux(info) else aac_encoder(info)
        self._stream = add_audio_stream(container, info if self._encoder is None else self._encoder.info)
        self._stream.metadata.update(tags or {})

    def packets(self, packet: AudioPacket | None) -> Iterator[Any]:
        """What to put into the container for the next packet; None: at the end."""
        if self._encoder is None:
            if packet is not None:
                yield self._muxed(packet, self.info.time_base)
            return
        frames: list[av.AudioFrame] = []
        with contextlib.suppress(av.FFmpegError):  # a damaged packet is a gap
            frames = self._decoder.decode(None if packet is None else _av_packet(packet, self.info.time_base))
        for frame in frames:
            tick = Fraction(frame.time_base or self.info.time_base)
            for made in self._encoder.push(frame, None if frame.pts is None else frame.pts * tick):
                yield self._muxed(made, self._encoder.info.time_base)
        if packet is None:
            for made in self._encoder.finish():
                yield self._muxed(made, self._encoder.info.time_base)

    def _muxed(self, packet: AudioPacket, time_base: Fraction) -> Any:
        out = _av_packet(packet, time_base)
        out.stream = self._stream
        out.is_keyframe = packet.is_keyframe
        return out


def _av_packet(packet: AudioPacket, time_base: Fraction) -> Any:
    """A packet with its own, padded copy of the data (decoders may read past the end)."""
    out: Any = av.Packet(len(packet.data))
    out.update(packet.data)
    out.time_base = time_base
    out.pts = out.dts = packet.pts
    out.duration = packet.duration
    return out


def _can_remux(info: AudioInfo) -> bool:
    if info.codec not in REMUXED or info.sample_rate <= 0 or info.channels <= 0:
        return False
    if info.codec == "mp3":
        return info.sample_rate >= 16000  # MP4 has no lower rates for MP3
    return bool(info.extradata) or info.codec == "ac3"
