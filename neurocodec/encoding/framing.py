"""Framing: a video's pictures brought to the model's square and divided into blocks, beside its sound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from neurocodec.faces.region import FaceRegion
from neurocodec.format.block import BLOCK_SECONDS, Region, SoundPacket
from neurocodec.format.header import FINEST_TIME_BASE, Fit, content_rectangle
from neurocodec.media.picture import VideoPicture
from neurocodec.media.source import MediaSource
from neurocodec.media.square import cut, pad
from neurocodec.media.types import AudioPacket
from neurocodec.options import EncodeSettings
from neurocodec.types import Picture

_MOST_FRAMES = 600
"""Frames of a block, which are held in memory."""
_LONG = Fraction(1, 10)
"""Seconds from which on it matters that a last picture stays longer than others."""


@dataclass
class Frame:
    """A picture ready for the networks, ``square``; where whole frames are coded, (height,width,3).

    ``starts_block`` says that a block begins with it, ``moved`` that its region is not that of the frame
    before.
    """

    pts: int
    square: Picture
    region: Region | None
    starts_block: bool
    moved: bool


class Framing:
    """Frames and sound packets of a video, in the order in which they come.

    Args:
        reader: the video.
        side: of the model's square, in pixels.
        settings: of the encode.
    """

    def __init__(self, reader: MediaSource, side: int, settings: EncodeSettings) -> None:
        self._reader, self._side = reader, side
        self._chosen = settings.audio_track is not None
        self._described = settings.metadata != "none"
        self._face = FaceRegion() if settings.region == "face" else None
        self._uncut = settings.region == "frames"
        whole = Fit.SQUASH if settings.profile == "original" else Fit.LETTERBOX
        self.fit = Fit.REGION if self._face or self._uncut else whole
        self.time_base = max(reader.video.time_base, Fraction(1, FINEST_TIME_BASE))
        info = reader.audio
        self.has_sound = info is not None and info.sample_rate > 0 and info.channels > 0
        # what is decoded begins at zero, whatever the source's clock says
        self._begin = round(reader.begin / self.time_base)
        self._sound_begin = round(reader.begin / info.time_base) if info and self.has_sound else 0

    def frames(self) -> Iterator[Frame]:
        """The pictures alone."""
        return (item for item in self if isinstance(item, Frame))

    def __iter__(self) -> Iterator[Frame | SoundPacket]:
        last: int | None = None
        frame: Frame | None = None
        begun, count, step = 0, 0, 0
        length = math.ceil(BLOCK_SECONDS / self.time_base)
        region: Region | None = None
        for item in self._reader:
            if isinstance(item, AudioPacket):
                if item.data and self.has_sound:
                    yield SoundPacket(item.data, item.pts - self._sound_begin, item.duration)
                continue
            pts = self._pts(item, last)
            starts = last is None or pts - begun >= length or count >= _MOST_FRAMES
            if starts:
                begun, count = pts, 0
            step = 0 if last is None else pts - last
            last, count = pts, count + 1
            before = region
            if self._face:
                picture = item.to_rgb()
                region = self._face.update(picture) if starts or region is None else region
                square = cut(picture, region, self._side)
            else:
                square = item.to_rgb() if self._uncut else self._whole(item)
            frame = Frame(pts, square, region, starts, region != before)
            yield frame
        if frame is not None and (later := self._held(frame.pts, step)) is not None:
            yield Frame(later, frame.square, region, later - begun >= length or count >= _MOST_FRAMES, False)

    def _held(self, pts: int, step: int) -> int | None:
        """When a last picture that stays for long is shown again, for the file to last as long as its source.

        A file does not say how long its last picture stays: readers take a frame at its rate, or the ``step``
        from the picture before (0: there is none) where that is shorter.
        """
        shortest = 1 / self._reader.video.fps
        stays = self._reader.last_duration * self._reader.video.time_base
        if stays - min(shortest, step * self.time_base if step else shortest) < _LONG:
            return None
        return pts + max(1, int((stays - min(shortest, stays / 2)) / self.time_base))

    def _pts(self, picture: VideoPicture, last: int | None) -> int:
        """The timestamp in units of the file's time base, later than the last one."""
        source = self._reader.video.time_base
        pts = picture.pts if self.time_base == source else round(picture.pts * source / self.time_base)
        pts -= self._begin
        return pts if last is None else max(pts, last + 1)

    def _whole(self, picture: VideoPicture) -> Picture:
        video = self._reader.video
        place = content_rectangle(video.width, video.height, video.sar, self.fit, self._side)
        return pad(picture.to_rgb(place.width, place.height), place, self._side)

    @property
    def notes(self) -> list[str]:
        """What a user should know of the source, once it has been read."""
        notes: list[str] = []
        if self._reader.framed:
            notes.append("the source's pictures change their shape; others have black beside them")
        if self._reader.interlaced:
            notes.append("the source is interlaced; whole pictures were made of it (bwdif)")
        if len(self._reader.sound_tracks) > 1 and not self._chosen:
            tracks = "; ".join(self._reader.sound_tracks)
            notes.append(f"the source has several sound tracks ({tracks}); --audio-track chooses one")
        if breaks := self._reader.breaks:
            more = f", and {len(breaks) - 1} times more" if breaks[1:] else ""
            notes.append(
                f"the source's clock breaks at {breaks[0]:.2f} s{more}; what follows was moved there, "
                "pictures and sound alike"
            )
            if self._described and self._reader.description.chapters:
                notes.append(
                    "chapters stay at the times that the source gives them, also behind such a break"
                )
        if self._described:
            notes += (f"of the source's description, {text}" for text in self._reader.shortened)
        if self._reader.skipped:
            notes.append(f"{self._reader.skipped} damaged pictures of the source were left out")
        if self._face and self._face.most_faces > 1:
            notes.append(f"up to {self._face.most_faces} faces were seen at once; the largest is coded")
        if self._face and self._face.blocks_without_face:
            notes.append(
                f"no face was found at the start of {self._face.blocks_without_face} blocks; "
                "the square stayed where it was (at first: the middle of the picture)"
            )
        return notes
