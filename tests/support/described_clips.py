"""Sources that say something of themselves, made with PyAV, and what a container says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TAGS = {
    "title": "Ein Vortrag — Ü", "artist": "Ada", "comment": "one\ntwo", "copyright": "CC0",
    "date": "2020", "creation_time": "2021-03-04T05:06:07.000000Z", "location": "+48.1+11.5/",
    "encoder": "a camera", "serial": "1234567",
}  # fmt: skip
CHAPTERS = ((0, 400, "Anfang"), (400, 1200, "Mitte"), (1200, 2000, ""))


def described_clip(
    path: Path,
    tags: dict[str, str] | None = None,
    chapters: Any = CHAPTERS,
    begin: int = 0,
    sound_title: str = "Originalton",
) -> Path:
    """Two seconds at 10 frames/s with sound (German), by the name's format; ``begin``: of its clock (ms)."""
    with av.open(path, "w") as container:
        container.metadata.update(TAGS if tags is None else tags)
        container.set_chapters(
            [
                {"id": k, "start": a + begin, "end": b + begin, "time_base": Fraction(1, 1000),
                 "metadata": {"title": title} if title else {}}
                for k, (a, b, title) in enumerate(chapters, 1)
            ]
        )  # fmt: skip
        video: Any = container.add_stream("libx264", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        sound: Any = container.add_stream("aac", rate=48000)
        sound.metadata.update({"language": "deu", "title": sound_title})
        for k in range(20):
            y, x = np.mgrid[:64, :64]
            frame = av.VideoFrame.from_ndarray((x + 2 * y + 3 * k).astype(np.uint8)[..., None].repeat(3, 2))
            frame.pts, frame.time_base = k + begin // 100, Fraction(1, 10)
            container.mux(video.encode(frame))
        for k in range(90):
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            heard.sample_rate, heard.pts, heard.time_base = 48000, 1024 * k + 48 * begin, Fraction(1, 48000)
            container.mux(sound.encode(heard))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def told_by(path: Path) -> tuple[dict[str, str], list[tuple[float, float, str]], dict[str, str]]:
    """Tags (in small letters), chapters in seconds, tags of the sound."""
    with av.open(path) as container:
        chapters = [
            (
                float(c["start"] * c["time_base"]),
                float(c["end"] * c["time_base"]),
                c["metadata"].get("title", ""),
            )
            for c in container.chapters()
        ]
        sound = {k: v for s in container.streams.audio for k, v in s.metadata.items()}
        return {k.lower(): v for k, v in container.metadata.items()}, chapters, sound
