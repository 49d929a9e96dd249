"""Whether sound can be played from what an ``.nfc`` file keeps of its description.

The reader asks before it hands out packets for copying, the writer when it opens its output.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import av

from neurocodec.errors import UnsupportedError
from neurocodec.media.audio import layout_name
from neurocodec.media.types import AudioInfo


def as_kept(info: AudioInfo) -> AudioInfo:
    """``info`` as a file gives it back: with the usual layout for its channels, and no bit rate.

    Raises:
        UnsupportedError: there is no layout for so many channels.
    """
    layout = layout_name("channels", info.channels)
    if layout == "channels":
        raise UnsupportedError(f"sound with {info.channels} channels cannot be written")
    return replace(info, layout=layout, bit_rate=0)


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
