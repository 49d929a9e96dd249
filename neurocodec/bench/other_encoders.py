"""Encode a clip with x265 or SVT-AV1, as large as our networks see it.

``python -m neurocodec.bench.other_encoders x265|svt-av1 CLIP SIDE THREADS`` prints frames, seconds and kbit/s
as JSON.  THREADS 0: every core, as the encoders choose.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from neurocodec.media.frames import open_video
from neurocodec.references.ycbcr import rgb_to_frame


@dataclass(frozen=True)
class Encoder:
    """An encoder of FFmpeg at a low rate; ``threads`` is the parameter that limits it."""

    title: str
    codec: str
    preset: str
    option: str
    parameters: str
    threads: str


ENCODERS = {
    "x265": Encoder(
        "x265 veryslow, CRF 42", "libx265", "veryslow", "x265-params",
        "crf=42:keyint=-1:info=0:log-level=none", "pools",
    ),
    "svt-av1": Encoder(
        "SVT-AV1 preset 4, CRF 60", "libsvtav1", "4", "svtav1-params", "crf=60:keyint=-1:scd=0", "lp",
    ),
}  # fmt: skip


def encode(encoder: Encoder, clip: Path, side: int, threads: int) -> dict[str, Any]:
    """Frames, seconds that it took, and kbit/s of the stream."""
    began = time.perf_counter()
    with open_video(clip) as (video, pictures):
        context: Any = av.CodecContext.create(encoder.codec, "w")
        context.width = context.height = side
        context.pix_fmt, context.framerate, context.time_base = "yuv420p", video.fps, 1 / video.fps
        limit = f":{encoder.threads}={threads}" if threads else ""
        context.options = {"preset": encoder.preset, encoder.option: encoder.parameters + limit}
        frames = size = 0
        for picture in pictures:
            frame = rgb_to_frame(picture.to_rgb(side, side))
            frame.pts = frames
            frames += 1
            size += sum(p.size for p in context.encode(frame))
        size += sum(p.size for p in context.encode(None))
    seconds = time.perf_counter() - began
    kbps = 8 * size * float(video.fps) / frames / 1000
    return {"title": encoder.title, "frames": frames, "seconds": seconds, "kbps": kbps}


if __name__ == "__main__":
    name, clip, side, threads = sys.argv[1:]
    print(json.dumps(encode(ENCODERS[name], Path(clip), int(side), int(threads))))
