"""What an encoder reads: a media file, or stretches of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from neurocodec.format.description import Description
from neurocodec.media.picture import VideoPicture
from neurocodec.media.types import AudioInfo, AudioPacket, VideoInfo


class MediaSource(Protocol):
    """As :class:`neurocodec.media.reader.MediaReader` has it, item by item."""

    name: str
    video: VideoInfo
    audio: AudioInfo | None
    begin: Fraction
    skipped: int
    sound_tracks: list[str]
    description: Description
    shortened: list[str]

    def __iter__(self) -> Iterator[VideoPicture | AudioPacket]: ...

    @property
    def breaks(self) -> Sequence[float]:
        """Where breaks of the source's clock were closed."""

    @property
    def last_duration(self) -> int:
        """How long the last picture is on screen; known at the end."""

    @property
    def framed(self) -> bool:
        """Whether pictures of another shape than the first one's have come."""

    @property
    def interlaced(self) -> bool:
        """Whether pictures were made of interlaced ones."""
