"""What is known of a sound stream, and whether it can be played from what an ``.nfc`` file keeps of that.

The reader asks before it hands out packets for copying, the writer when it opens its output.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import av

from neurocodec.errors import UnsupportedError
from neurocodec.media.types import AudioInfo

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's name of the usual layout of speakers for a number of channels."""


def layout_name(name: str, channels: int) -> str:
    """``name``, or the usual layout for the number of channels where it only repeats that number."""
    return LAYOUTS.get(channels, name) if name.endswith("channels") else name


def opus_pre_skip(extradata: bytes) -> int:
    """The pre-skip (48 kHz samples) of an OpusHead (RFC 7845), 0 if there is none."""
    if extradata[:8] == b"OpusHead" and len(extradata) >= 12:
        return int.from_bytes(extradata[10:12], "little")
    return 0


def as_kept(info: AudioInfo) -> AudioInfo:
    """``info`` as a file gives it back: with the usual layout for its channels, and no bit rate.

    Raises:
        UnsupportedError: there is no layout for so many channels.
    """
    if info.channels not in LAYOUTS:
        raise UnsupportedError(f"sound with {info.channels} channels cannot be written")
    return replace(info, layout=LAYOUTS[info.channels], bit_rate=0)


def sound_decoder(info: AudioInfo) -> Any:
    """A decoder for the sound, open; where there is none, players cannot play it either.

    Raises:
        UnsupportedError: no such codec, or it needs more than ``info`` says (WMA the size of its blocks).
    """
    try:
        decoder: Any = av.CodecContext.create(info.codec, "r")
        if not isinstance(decoder, av.AudioCodecContext):
            raise ValueError("not a codec for sound")
        if info.sample_rate > 0:
            decoder.sample_rate = info.sample_rate
        if info.layout:
            decoder.layout = info.layout
        if info.extradata:
            decoder.extradata = info.extradata
        decoder.open()
    except (av.FFmpegError, ValueError, LookupError) as error:
        raise UnsupportedError(f"sound in codec {info.codec!r} cannot be written") from error
    return decoder


def check_copied(info: AudioInfo, name: str) -> None:
    """Refuse sound that could not be played again if the packets of ``name`` were copied.

    Raises:
        UnsupportedError: says what to do instead.
    """
    try:
        sound_decoder(as_kept(info))
    except UnsupportedError as error:
        raise UnsupportedError(f"the sound of {name} cannot be copied: {error}; use --audio opus") from error
