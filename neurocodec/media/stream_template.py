"""Output streams for packets of which only an AudioInfo is at hand.

FFmpeg's muxers want codec parameters that Python cannot set one by one, but they can be copied from an
input stream. So a Matroska file that consists of a header only is made up in memory and opened.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import av

from neurocodec.media.types import AudioInfo

_MATROSKA_CODECS = {"opus": "A_OPUS", "aac": "A_AAC", "mp3": "A_MPEG/L3", "ac3": "A_AC3"}

#: Codecs whose packets go into an MP4 as they are.
REMUXED = frozenset(_MATROSKA_CODECS)


def add_audio_stream(container: Any, info: AudioInfo) -> Any:
    """Add a stream for packets of ``info.codec`` (one of ``REMUXED``) to an output container.

    Raises av errors and ValueError for parameters the container does not take.
    """
    with av.open(io.BytesIO(_header(info)), "r", format="matroska") as template:
        stream = container.add_stream_from_template(template.streams.audio[0])
    stream.time_base = info.time_base
    context = stream.codec_context
    if info.layout and not info.layout.endswith("channels"):
        context.layout = info.layout
    if info.bit_rate > 0:
        context.bit_rate = info.bit_rate
    return stream


def _header(info: AudioInfo) -> bytes:
    audio = _element(0xB5, struct.pack(">d", info.sample_rate)) + _number(0x9F, info.channels)
    track = (
        _number(0xD7, 1)  # number
        + _number(0x73C5, 1)  # uid
        + _number(0x83, 2)  # audio
        + _element(0x86, _MATROSKA_CODECS[info.codec].encode())
        + (_element(0x63A2, info.extradata) if info.extradata else b"")
        + _element(0xE1, audio)
    )
    application = b"neurocodec"
    segment = (
        _element(
            0x1549A966,
            _number(0x2AD7B1, 1_000_000) + _element(0x4D80, application) + _element(0x5741, application),
        )
        + _element(0x1654AE6B, _element(0xAE, track))
        + _element(0x1F43B675, _number(0xE7, 0))
    )
    return _element(0x1A45DFA3, _element(0x4282, b"matroska")) + _element(0x18538067, segment)


def _element(identifier: int, payload: bytes) -> bytes:
    code = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return code + (len(payload) | 1 << 56).to_bytes(8, "big") + payload


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))
