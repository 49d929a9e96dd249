"""Decoded pictures on their way to upright RGB: colour, scaling and orientation."""

from __future__ import annotations

from functools import lru_cache

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, VideoReformatter

from neurocodec.errors import InputError, NeurocodecError, UnsupportedError
from neurocodec.media.color import (
    BT709,
    SAYING_NOTHING,
    UNSPECIFIED,
    ColorInfo,
    frame_to_rgb,
    normalize_color,
    specified,
)
from neurocodec.media.hdr import tone_map
from neurocodec.media.orientation import orientation_of, side_data


def has_dolby_vision(frame: av.VideoFrame) -> bool:
    """Whether the frame carries Dolby Vision metadata."""
    return not {"DOVI_METADATA", "DOVI_RPU_BUFFER"}.isdisjoint(side_data(frame) or ())


def is_rgb(frame: av.VideoFrame) -> bool:
    """Whether the samples are RGB (or palette entries) rather than luma and chroma."""
    name = frame.format.name
    return frame.format.is_rgb or name.startswith(("gbr", "pal8", "mono"))


class PictureConverter:
    """Turns frames of one track into upright RGB; keeps the scaler contexts between frames."""

    def __init__(self, first: av.VideoFrame, fallback: ColorInfo, *, dolby_vision: bool = False) -> None:
        """``first``: first decoded frame. ``fallback``: the track's colour tags, for what frames leave open.
        ``dolby_vision``: the container says that the track is Dolby Vision.

        Raises UnsupportedError for colours that cannot be converted.
        """
        self._fallback = fallback
        self._scaler = lru_cache(6)(lambda *conversion: VideoReformatter())
        self.orientation = orientation_of(first)
        size = self._first = (first.width, first.height)
        self.framed = False
        """Whether a picture of another shape than the first one's has come."""
        self.width, self.height = size[::-1] if self.orientation.transpose else size
        source = self.source_color(first)
        self.hdr = source.hdr
        transfer = specified(int(first.color_trc), fallback.transfer)
        if (dolby_vision or has_dolby_vision(first)) and transfer in SAYING_NOTHING:
            raise UnsupportedError("Dolby Vision without an HDR10 or HLG base layer is not supported")
        if self.hdr:
            tone_map(np.zeros((1, 1, 3), np.uint16), source)
        self.color = BT709 if self.hdr else source

    def source_color(self, frame: av.VideoFrame) -> ColorInfo:
        """The normalised colour of a frame's samples."""
        rgb = is_rgb(frame)
        tagged = int(frame.color_range)
        full = tagged == ColorRange.JPEG if tagged else self._fallback.full_range
        color = ColorInfo(
            specified(int(frame.color_primaries), self._fallback.primaries),
            specified(int(frame.color_trc), self._fallback.transfer),
            UNSPECIFIED if rgb else specified(int(frame.colorspace), self._fallback.matrix),
            full or frame.format.name.startswith("yuvj"),
        )
        return normalize_color(color, frame.width, frame.height, rgb=rgb)

    def convert(self, frame: av.VideoFrame, width: int, height: int) -> npt.NDArray[np.uint8]:
        """Upright ``height x width x 3`` uint8 RGB of a frame; one of another shape has black beside it."""
        color = self.source_color(frame)
        whole = (height, width) if self.orientation.transpose else (width, height)
        coded = self._fitted(frame, *whole)
        scaler = self._scaler(frame.format.name, frame.width, frame.height, *coded, color)
        try:
            rgb = frame_to_rgb(frame, color, *coded, deep=color.hdr, rgb=is_rgb(frame), reformatter=scaler)
        except NeurocodecError:
            raise
        except (av.FFmpegError, ValueError, MemoryError) as error:
            name = frame.format.name
            raise InputError(f"a picture in format {name} cannot be converted: {error}") from error
        if color.hdr:
            rgb = tone_map(rgb, color)
        if coded != whole:
            left, top = (whole[0] - coded[0]) // 2, (whole[1] - coded[1]) // 2
            framed = np.zeros((whole[1], whole[0], 3), np.uint8)
            framed[top : top + coded[1], left : left + coded[0]] = rgb
            rgb = framed
        return self.orientation.apply(rgb)

    def _fitted(self, frame: av.VideoFrame, width: int, height: int) -> tuple[int, int]:
        """The size of a frame in pictures of ``width`` x ``height``, which the first one fills."""
        if (frame.width, frame.height) == self._first:
            return width, height
        scale = min(self._first[0] / frame.width, self._first[1] / frame.height)
        across, down = (
            max(1, round(size * scale / whole * out))
            for size, whole, out in zip(
                (frame.width, frame.height), self._first, (width, height), strict=True
            )
        )
        other = min(across, width), min(down, height)
        if abs(other[0] - width) <= 1 and abs(other[1] - height) <= 1:
            return width, height
        self.framed = True
        return other


class VideoPicture:
    """One decoded picture.

    ``pts``: presentation time in ``VideoInfo.time_base`` units. ``duration``: nominal display time in the
    same units (of use for the last picture; between pictures the difference of their pts counts).
    It holds the decoder's frame, a few megabytes for large video: convert and let go.
    """

    __slots__ = ("_converter", "_frame", "duration", "is_keyframe", "pts")

    def __init__(self, frame: av.VideoFrame, pts: int, duration: int, converter: PictureConverter) -> None:
        self._frame = frame
        self._converter = converter
        self.pts = pts
        self.duration = duration
        self.is_keyframe = bool(frame.key_frame)

    def begun_at(self, pts: int) -> VideoPicture:
        """The same picture, shown from ``pts`` on to the same end."""
        length = max(1, self.pts + self.duration - pts)
        return VideoPicture(self._frame, pts, length, self._converter)

    def at(self, pts: int) -> VideoPicture:
        """The same picture, shown at ``pts`` for as long."""
        return VideoPicture(self._frame, pts, self.duration, self._converter)

    @property
    def coded_size(self) -> tuple[int, int]:
        """Width and height in the stream, before rotation; it may change within a file."""
        return self._frame.width, self._frame.height

    def to_rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """Upright ``height x width x 3`` uint8 RGB, scaled straight from the decoded samples.

        Without a size: the size of ``VideoInfo`` (pictures whose size changes mid-stream are fitted into it).
        Area averaging when shrinking, bicubic when growing. Raises ValueError if only one of the two is
        given or one is below 1, InputError or UnsupportedError if the picture cannot be converted.
        """
        if (width is None) != (height is None):
            raise ValueError("give both width and height, or neither")
        if width is None or height is None:
            width, height = self._converter.width, self._converter.height
        if width < 1 or height < 1:
            raise ValueError("width and height must be at least 1")
        return self._converter.convert(self._frame, width, height)
