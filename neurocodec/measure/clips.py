"""A video as every codec of a comparison gets it: the same RGB frames in memory."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import InputError
from neurocodec.media.frames import open_video

Frames = NDArray[np.uint8]
"""Pictures (N,H,W,3) RGB with even sides."""
SYNTHETIC = ("synthesized", "synthetic", "generative reconstruction")
"""Words by which a file says that nobody was filmed."""


@dataclass(frozen=True)
class ClipSource:
    """Where a clip comes from: a file, its first ``seconds``, and the side of the model's square.

    With ``side`` None the frames have the source's own size (even sides).
    """

    path: str
    seconds: float
    side: int | None


@dataclass(frozen=True)
class Clip:
    """Frames of a video, their ``shape`` (N,H,W,3), and what is needed to count bits against the source.

    ``source_bytes`` are the compressed video packets of these frames in the source file; ``synthetic``
    says that the file calls itself synthesized or generated; ``digest`` is a hash of the frames.
    """

    frames: Frames
    shape: tuple[int, ...]
    fps: Fraction
    source_bytes: int
    source_size: tuple[int, int]
    source_codec: str
    synthetic: bool
    digest: str

    @property
    def width(self) -> int:
        """Width of the frames, in pixels."""
        return self.shape[2]

    @property
    def height(self) -> int:
        """Height of the frames, in pixels."""
        return self.shape[1]

    @property
    def seconds(self) -> float:
        """Playing time, in seconds."""
        return float(self.shape[0] / self.fps)


def lossless(frames: Frames, fps: Fraction) -> io.BytesIO:
    """The frames as a lossless clip in memory, which our encoder reads as a user's file."""
    return h264(frames, fps, "libx264rgb", {"crf": "0", "preset": "ultrafast"}, "rgb24")


def h264(
    frames: Frames, fps: Fraction, encoder: str, options: dict[str, str], pixel_format: str
) -> io.BytesIO:
    """The frames as an MP4 in memory, coded by x264 with these options."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream(encoder, rate=fps)
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        stream.pix_fmt, stream.options = pixel_format, options
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    out.seek(0)
    return out


def fitted_size(width: int, height: int, sar: Fraction, side: int | None) -> tuple[int, int]:
    """Even width and height of the compared frames: square pixels, the longer side ``side``."""
    shown = Fraction(width) * sar
    scale = Fraction(side) / max(shown, Fraction(height)) if side else Fraction(1)
    return max(2, 2 * round(shown * scale / 2)), max(2, 2 * round(height * scale / 2))


@lru_cache(maxsize=1)
def load_clip(source: ClipSource) -> Clip:
    """Read a clip; the last one is remembered.

    Raises:
        InputError: unreadable, shorter than two frames, or of frames of different sizes.
    """
    path = Path(source.path)
    frames = []
    with open_video(path) as (video, pictures):
        size = fitted_size(video.width, video.height, video.sar, source.side)
        coded: tuple[int, int] | None = None
        for picture in islice(pictures, max(1, round(source.seconds * float(video.fps)))):
            if coded not in (None, picture.coded_size):
                a, b = (f"{w}x{h}" for w, h in (coded or (0, 0), picture.coded_size))
                raise InputError(f"{path} changes its picture size from {a} to {b}; compare its parts")
            coded = picture.coded_size
            frames.append(picture.to_rgb(*size))
    if len(frames) < 2:
        raise InputError(f"{path} has only one frame in the compared part; a comparison needs two")
    stacked = np.stack(frames)
    digest = hashlib.sha256(f"{stacked.shape} {video.fps}".encode())
    digest.update(stacked.tobytes())
    size_in_source, synthetic = _packets(path, len(frames))
    return Clip(
        stacked, stacked.shape, video.fps, size_in_source, (video.width, video.height), video.codec,
        synthetic, digest.hexdigest(),
    )  # fmt: skip


def _packets(path: Path, count: int) -> tuple[int, bool]:
    """Bytes of the largest video track's packets that show the first frames, and whether it is synthetic."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            text = " ".join(container.metadata.values()).lower()
            tracks = [s for s in container.streams.video if s.codec_context is not None]
            largest = max(tracks, key=lambda s: s.codec_context.width * s.codec_context.height)
            shown = [
                (p.pts if p.pts is not None else k, p.size)
                for k, p in enumerate(container.demux(largest))
                if p.size
            ]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"cannot read the packets of {path}: {error}") from error
    return sum(size for _, size in sorted(shown)[:count]), any(word in text for word in SYNTHETIC)
