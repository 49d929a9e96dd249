"""A video as every codec of a comparison gets it: the same RGB frames in memory."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import InputError
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader


def lossless(frames: Frames, fps: Fraction) -> io.BytesIO:
    """The frames as a lossless clip in memory, which our encoder reads as a user's file."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264rgb", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "rgb24"
        stream.options = {"crf": "0", "preset": "ultrafast"}
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    out.seek(0)
    return out


Frames = NDArray[np.uint8]
"""Pictures (N,H,W,3) RGB with even sides."""


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
    """The frames (``count`` of them), and what is needed to count bits against the source.

    ``source_bytes`` are the compressed video packets of these frames in the source file; ``synthetic``
    says that the file calls itself synthesized or generated.
    """

    name: str
    frames: Frames
    count: int
    fps: Fraction
    source_bytes: int
    source_size: tuple[int, int]
    source_codec: str
    synthetic: bool
    digest: str

    @property
    def seconds(self) -> float:
        """Playing time."""
        return float(self.count / self.fps)


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
    pictures: list[NDArray[np.uint8]] = []
    with MediaReader(path, audio=False) as reader:
        video = reader.video
        size = fitted_size(video.width, video.height, video.sar, source.side)
        limit = max(1, round(source.seconds * float(video.fps)))
        coded: tuple[int, int] | None = None
        for item in reader:
            if not isinstance(item, VideoPicture):
                continue
            if coded not in (None, item.coded_size):
                a, b = (f"{w}x{h}" for w, h in (coded or (0, 0), item.coded_size))
                raise InputError(f"{path} changes its picture size from {a} to {b}; compare its parts")
            coded = item.coded_size
            pictures.append(item.to_rgb(*size))
            if len(pictures) >= limit:
                break
    if len(pictures) < 2:
        raise InputError(f"{path} has only one frame in the compared part; a comparison needs two")
    frames = np.stack(pictures)
    digest = hashlib.sha256(f"{frames.shape} {video.fps}".encode())
    digest.update(frames.tobytes())
    packets, synthetic = _packets(path, len(frames))
    return Clip(
        path.stem, frames, len(frames), video.fps, packets, (video.width, video.height), video.codec,
        synthetic,        digest.hexdigest(),
    )  # fmt: skip


def _packets(path: Path, frames: int) -> tuple[int, bool]:
    """Bytes of the best video track's packets that show the first frames, and whether it is synthetic."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            text = " ".join(container.metadata.values()).lower()
            synthetic = any(
                word in text for word in ("synthesized", "synthetic", "generative reconstruction")
            )
            tracks = [s for s in container.streams.video if s.codec_context is not None]
            best = max(tracks, key=lambda s: s.codec_context.width * s.codec_context.height)
            shown = [
                (p.pts if p.pts is not None else k, p.size)
                for k, p in enumerate(container.demux(best))
                if p.size
            ]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"cannot read the packets of {path}: {error}") from error
    return sum(size for _, size in sorted(shown)[:frames]), synthetic
