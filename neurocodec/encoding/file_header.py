"""What a file says of its video: the header, made when the first frame is known, and a description."""

from __future__ import annotations

from dataclasses import replace

from neurocodec.encoding.framing import Frame, Framing
from neurocodec.format.description import Description
from neurocodec.format.header import HASH_BYTES, AudioTrack, Colour, Header, LandmarkCode
from neurocodec.media.source import MediaSource
from neurocodec.models.latent_engine import LatentEngine
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import EncodeSettings

_LARGEST_TERM = 1 << 20
_NEWEST, _LAYERED, _OLDEST = 4, 5, 1


def file_header(
    reader: MediaSource,
    engine: MotionEngine,
    settings: EncodeSettings,
    framing: Framing,
    first: Frame,
    packet_duration: int,
) -> Header:
    """The header of a file that begins with the frame ``first``.

    ``packet_duration`` is that of a usual sound packet, in units of the sound's time base (0: unknown).
    """
    video, model, color = reader.video, engine.description, reader.video.color
    width, height = (video.width, video.height) if first.region is None else (first.region.side,) * 2
    code = LandmarkCode[settings.landmark_code.upper()]
    latent = engine.latent_model if isinstance(engine, LatentEngine) else None
    layered = settings.region == "frames"
    # version 1 has all that the original's schedule with an old landmark code needs
    old = settings.refresh == "schedule" and code is not LandmarkCode.RANGE and not latent
    return Header(
        width=width,
        height=height,
        sar=video.sar.limit_denominator(_LARGEST_TERM),
        rotation=video.rotation,
        fit=framing.fit,
        time_base=framing.time_base,
        fps=video.fps.limit_denominator(_LARGEST_TERM),
        start=first.pts,
        colour=Colour(color.primaries, color.transfer, color.matrix, color.full_range),
        model=model.name,
        model_hash=bytes.fromhex(model.hash)[:HASH_BYTES],
        model_size=model.size,
        keypoints=model.keypoints,
        quantization=settings.quantization,
        landmark_code=code,
        audio=_track(reader, framing, packet_duration),
        version=_LAYERED if layered else _OLDEST if old else _NEWEST,
        transformed=not old and engine.basis is not None,
        latent=latent,
        layered=layered,
    )


def file_description(reader: MediaSource, settings: EncodeSettings, header: Header) -> Description:
    """What the file says of its source in words; of sound only where it has some."""
    told = Description() if settings.metadata == "none" else reader.description
    if settings.metadata == "keep":
        told = replace(told, comment="")
    return told if header.audio else replace(told, language="", sound_title="")


def _track(reader: MediaSource, framing: Framing, packet_duration: int) -> AudioTrack | None:
    info = reader.audio
    if info is None or not framing.has_sound:
        return None
    return AudioTrack(
        info.codec,
        info.sample_rate,
        info.channels,
        info.time_base,
        info.initial_padding,
        packet_duration,
        info.extradata,
    )
