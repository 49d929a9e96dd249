"""Sound through the codec as files hold it, every byte counted, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from neurocodec.decoding.filling import fill
from neurocodec.errors import InputError
from neurocodec.format.block import BLOCK_SECONDS, Block, SoundPacket
from neurocodec.format.block_writer import write_block
from neurocodec.format.chunks import BLOCK_CHUNK, chunk
from neurocodec.format.header import AudioTrack, Colour, Fit, Header, LandmarkCode, write_header
from neurocodec.media.sound import sound_decoder
from neurocodec.media.sound_encoder import SoundEncoder, opus_encoder
from neurocodec.media.types import AudioInfo, AudioPacket

Samples = NDArray[np.float32]
RATE = 48000
_HEADER = Header(
    width=256, height=256, sar=Fraction(1), rotation=0, fit=Fit.LETTERBOX, time_base=Fraction(1, 1000),
    fps=Fraction(25), start=0, colour=Colour(1, 1, 1), model="", model_hash=bytes(32), model_size=256,
    keypoints=1, quantization=1, landmark_code=LandmarkCode.RANGE, version=4,
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A way to code mono sound with Opus: ``rate`` in bit/s; other arguments as ``opus_encoder`` has them."""

    rate: int
    options: Mapping[str, str] = field(default_factory=dict)
    gated: bool = True


def mono(path: Path) -> Samples:
    """The sound of a clip as the encoder hears it: 48 kHz, mixed down.

    Raises:
        InputError: the clip cannot be read, or has no sound.
    """
    encoder = SoundEncoder("pcm_f32le", rate=RATE, channels=1, bit_rate=0, sample_format="flt")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path} has no sound")
            data = [p.data for frame in container.decode(audio=0) for p in encoder.push(frame, None)]
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    data += [p.data for p in encoder.finish()]
    return np.frombuffer(b"".join(data), np.float32)


def coded(samples: Samples, setting: Setting) -> tuple[AudioInfo, list[AudioPacket]]:
    """The stream that ``samples`` (N,) become."""
    encoder = opus_encoder(1, setting.rate, options=setting.options, gated=setting.gated)
    frame: Any = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = RATE
    return encoder.info, [*encoder.push(frame, Fraction(0)), *encoder.finish()]


def file_bytes(info: AudioInfo, packets: list[AudioPacket]) -> int:
    """By how many bytes an ``.nfc`` file grows by this sound: header, blocks of five seconds, packets."""
    header = _with(info, packets)
    total = len(write_header(header)) - len(write_header(_HEADER))
    blocks: dict[int, list[SoundPacket]] = {}
    for p in packets:
        number = max(0, int(p.pts * info.time_base / BLOCK_SECONDS))
        blocks.setdefault(number, []).append(SoundPacket(p.data, p.pts, p.duration))
    for sound in blocks.values():
        block = Block(0, (), 0, (), (), b"", guarded=True)
        with_sound = write_block(replace(block, audio=tuple(sound)), header)
        total += len(chunk(BLOCK_CHUNK, with_sound)) - len(chunk(BLOCK_CHUNK, write_block(block, header)))
    return total


def decoded(info: AudioInfo, packets: list[AudioPacket], length: int) -> Samples:
    """What a player makes of the stream: ``length`` samples."""
    decoder = sound_decoder(info)
    out = np.zeros(length + RATE, np.float32)
    sound = (SoundPacket(p.data, p.pts, p.duration) for p in packets)
    for item in [*fill(sound, _with(info, packets)), None]:
        packet = None
        if isinstance(item, SoundPacket):
            packet = av.Packet(item.data)
            packet.pts, packet.time_base = item.pts, info.time_base
        for frame in decoder.decode(packet):
            place = max(0, frame.pts)
            values = frame.to_ndarray()[0, max(0, -frame.pts) :]
            kept = values[: max(0, len(out) - place)]
            out[place : place + len(kept)] = kept
    return out[:length]


def _with(info: AudioInfo, packets: list[AudioPacket]) -> Header:
    usual = packets[0].duration if packets else 0
    track = AudioTrack(
        info.codec,
        info.sample_rate,
        info.channels,
        info.time_base,
        info.initial_padding,
        usual,
        info.extradata,
    )
    return replace(_HEADER, audio=track)
