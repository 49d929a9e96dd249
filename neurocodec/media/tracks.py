"""Which tracks of a media file are read, and what they say of themselves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from av.stream import Disposition
from av.video.reformatter import ColorRange

from neurocodec.errors import InputError, UsageError
from neurocodec.media.color import UNSPECIFIED, ColorInfo
from neurocodec.media.timeline import LEAP

_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
_DOLBY_TAGS = ("dvh1", "dvhe", "dva1", "dvav", "dav1")


def best_video(container: Any, name: str) -> Any:
    """The video track to read: the default flag counts first, then the size; cover art is skipped.

    Raises:
        InputError: the file, called ``name``, has none.
    """
    tracks = [s for s in container.streams.video if not s.disposition & _NO_VIDEO]
    known = [s for s in tracks if s.codec_context is not None]
    if not known:
        problem = "a video track of unknown codec only" if tracks else "no video track"
        raise InputError(f"{name} has {problem}")
    return max(known, key=lambda s: (_is_default(s), s.codec_context.width * s.codec_context.height))


def chosen_audio(container: Any, number: int | None, video: Any, name: str) -> Any:
    """The audio track to read beside a ``video`` track, None where there is none.

    ``number`` counts from 1, in the order of the file; None takes the best one: the default flag counts
    first, then the number of channels. In a transport stream, which may hold several programmes, it is
    FFmpeg's choice from the video's.

    Raises:
        UsageError: the file, called ``name``, has no track of that number, or its codec is not known.
    """
    known = [s for s in container.streams.audio if s.codec_context is not None]
    if number is not None:
        for index, stream in enumerate(container.streams.audio, 1):
            if index == number and stream in known:
                return stream
        has = "; ".join(described_audio(container)) or "no sound"
        raise UsageError(f"{name} has no sound track {number} that can be read (it has {has})")
    if container.format.name == "mpegts" and (own := container.streams.best("audio", video)) in known:
        return own
    return max(known, key=lambda s: (_is_default(s), int(s.codec_context.channels)), default=None)


def described_audio(container: Any) -> list[str]:
    """The audio tracks in words, in the order of the file: number, codec, layout, language."""
    described = []
    for number, stream in enumerate(container.streams.audio, 1):
        context = stream.codec_context
        facts = ["unknown codec"] if context is None else [context.codec.canonical_name, context.layout.name]
        language = stream.metadata.get("language", "und")
        facts += [] if language == "und" else [language]
        described.append(f"{number}: {' '.join(facts)}")
    return described


def _is_default(stream: Any) -> bool:
    return Disposition.default in stream.disposition


def frame_rate(stream: Any, container: str) -> Fraction:
    """Pictures a second of a video track; 25 if it does not say.

    Of a raw stream (the ``container`` is called as its codec) FFmpeg's average is always 25, whatever the
    stream itself says.
    """
    rates = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    if container == stream.codec_context.name:
        rates = rates[1:]
    elif rates[0] and rates[0] < 1:
        rates = [_rate_without_leaps(stream), *rates]
    for rate in rates:
        if rate and 0 < rate <= 1000:
            return Fraction(rate)
    return Fraction(25)


def _rate_without_leaps(stream: Any) -> Fraction | None:
    """The usual rate of a track in whose index the clock leaps ahead, which spoils the average."""
    tick = Fraction(stream.time_base or 0)
    times = [entry.timestamp for entry in stream.index_entries]
    steps = sorted((b - a) * tick for a, b in pairwise(times) if b > a)
    return 1 / steps[len(steps) // 2] if steps and steps[-1] > LEAP else None


def tagged_color(stream: Any) -> ColorInfo:
    """The colour tags of a video track, as they are."""
    context = stream.codec_context
    color = ColorInfo(
        int(context.color_primaries or 0),
        int(context.color_trc or 0),
        int(context.colorspace if context.colorspace is not None else UNSPECIFIED),
        int(context.color_range or 0) == ColorRange.JPEG,
    )
    return color if color.matrix != 0 else replace(color, matrix=UNSPECIFIED)


def is_dolby_vision(stream: Any) -> bool:
    """Whether the container says so of a video track."""
    return str(stream.codec_tag)[:4].lower() in _DOLBY_TAGS
