"""Encode a clip with x265 or SVT-AV1, as large as our networks see it.

``python -m neurocodec.bench.peer x265|svt-av1 CLIP SIDE THREADS`` prints frames, seconds and kbit/s as JSON.
THREADS 0: every core, as the encoders choose.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.references.ycbcr import rgb_to_frame


@dataclass(frozen=True)
class Peer:
    """An encoder of FFmpeg at a low rate; ``threads`` is the parameter that limits it."""

    title: str
    codec: str
    preset: str
    parameters: str
    text: str
    threads: str


PEERS = {
    "x265": Peer(
        "x265 veryslow, CRF 42", "libx265", "veryslow", "x265-params",
        "crf=42:keyint=-1:info=0:log-level=none", "pools",
    ),
    "svt-av1": Peer(
        "SVT-AV1 preset 4, CRF 60", "libsvtav1", "4", "svtav1-params", "crf=60:keyint=-1:scd=0", "lp",
    ),
}  # fmt: skip


def encode(peer: Peer, clip: Path, side: int, threads: int) -> tuple[int, int, Fraction]:
    """Frames, bytes of the stream, and the clip's frame rate."""
    with MediaReader(clip, audio=False) as reader:
        rate = reader.video.fps
        context: Any = av.CodecContext.create(peer.codec, "w")
        context.width = context.height = side
        context.pix_fmt, context.framerate, context.time_base = "yuv420p", rate, 1 / rate
        limit = f":{peer.threads}={threads}" if threads else ""
        context.options = {"preset": peer.preset, peer.parameters: peer.text + limit}
        frames = size = 0
        for item in reader:
            if isinstance(item, VideoPicture):
                frame = rgb_to_frame(item.to_rgb(side, side))
                frame.pts = frames
                frames += 1
                size += sum(p.size for p in context.encode(frame))
        size += sum(p.size for p in context.encode(None))
    return frames, size, rate


def main() -> None:
    """What the module says."""
    name, clip, side, threads = sys.argv[1:]
    peer = PEERS[name]
    began = time.perf_counter()
    frames, size, rate = encode(peer, Path(clip), int(side), int(threads))
    seconds = time.perf_counter() - began
    kbps = 8 * size * float(rate) / frames / 1000
    print(json.dumps({"title": peer.title, "frames": frames, "seconds": seconds, "kbps": kbps}))


if __name__ == "__main__":
    main()
