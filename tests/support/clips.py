"""Clips made of clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.media.writer import MediaWriter
from neurocodec.types import Picture


def cut(source: Path, target: Path, frames: int) -> Path:
    """The first frames of a clip with the sound of that time, recoded almost losslessly."""
    with MediaReader(source, audio_mode="copy") as reader:
        v = reader.video
        with MediaWriter(
            target, width=v.width, height=v.height, time_base=v.time_base, fps=v.fps, color=v.color,
            crf=4, audio=reader.audio, sar=v.sar,
        ) as writer:  # fmt: skip
            count, end = 0, frames / float(v.fps)
            for item in reader:
                if isinstance(item, AudioPacket):
                    assert reader.audio is not None
                    if item.pts * reader.audio.time_base < end:
                        writer.write_audio(item)
                elif count < frames:
                    writer.write_video(item.to_rgb(), item.pts)
                    count += 1
    return target


def copy_clip(source: Any, destination: Any, audio_mode: Any = "copy", **options: Any) -> None:
    """Reader to writer, nothing in between."""
    with MediaReader(source, audio_mode=audio_mode) as reader:
        video = reader.video
        with MediaWriter(
            destination,
            width=video.width,
            height=video.height,
            sar=video.sar,
            fps=video.fps,
            time_base=video.time_base,
            color=video.color,
            audio=reader.audio,
            **{"preset": "ultrafast", **options},
        ) as writer:
            for item in reader:
                if isinstance(item, AudioPacket):
                    writer.write_audio(item)
                else:
                    writer.write_video(item.to_rgb(), item.pts, item.duration)


def frames_of(path: Path) -> list[tuple[Fraction, Picture]]:
    """Times in seconds and pictures (H,W,3) of a clip."""
    with MediaReader(path, audio=False) as reader:
        return [(i.pts * reader.video.time_base, i.to_rgb()) for i in reader if isinstance(i, VideoPicture)]
