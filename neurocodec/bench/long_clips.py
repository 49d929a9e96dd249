"""A very long clip, there and back: does memory stay what it was?"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from neurocodec.bench.process import watched
from neurocodec.media.frames import open_video
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.types import AudioPacket
from neurocodec.media.writer import MediaWriter


def write_long(source: Path, target: Path, seconds: float, fps: Fraction) -> int:
    """``source`` to and fro again and again, with its sound from its beginning each time; frames written.

    Args:
        source: a clip of some seconds, which is held in memory.
        target: an MP4 of ``seconds`` at ``fps``.
    """
    with MediaReader(source, audio_mode="copy") as reader:
        video, sound = reader.video, reader.audio
        items = list(reader)
    pictures = [x.to_rgb() for x in items if isinstance(x, VideoPicture)]
    packets = [x for x in items if isinstance(x, AudioPacket) and x.pts >= 0]
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    count = max(1, round(seconds * fps))
    with MediaWriter(
        target, width=video.width, height=video.height, time_base=1 / fps, fps=fps, color=video.color,
        sar=video.sar, crf=23, preset="ultrafast", audio=sound if packets else None, force=True,
    ) as writer:  # fmt: skip
        end, turn = Fraction(0), 0
        for k in range(count):
            writer.write_video(pictures[order[k % len(order)]], k)
            while packets and sound is not None and end <= (k + 1) / fps:
                packet = packets[turn % len(packets)]
                writer.write_audio(AudioPacket(packet.data, round(end / sound.time_base), packet.duration))
                end += max(1, packet.duration) * sound.time_base
                turn += 1
    return count


def there_and_back(source: Path, folder: Path, minutes: float, fps: Fraction | None) -> dict[str, Any]:
    """Encode (on schedule and looking ahead) and decode ``minutes`` of video; memory of each.

    ``fps`` (None: the source's) of the long clip: fewer frames a second make an hour shorter to compute.
    """
    with open_video(source) as (video, _):
        rate = fps or video.fps
    clip, coded, out = folder / "long.mp4", folder / "long.nfc", folder / "long-out.mp4"
    frames = write_long(source, clip, 60 * minutes, rate)
    commands = {
        "encode, on schedule": ["encode", str(clip), str(coded), "--refresh", "schedule"],
        "encode, looking ahead": ["encode", str(clip), str(coded)],
        "decode": ["decode", str(coded), str(out)],
    }
    found: dict[str, Any] = {"minutes": minutes, "fps": float(rate), "frames": frames}
    for name, command in commands.items():
        done = watched([*command, "-f", "-q", "--json"], folder)
        report = json.loads(done.printed)
        if report["frames"] != frames:
            raise RuntimeError(f"{report['frames']} frames came of {frames}")
        memory = {key: done.noted[key] for key in ("peak", "resident")}
        found[name] = {"fps": frames / done.wall, **memory}
    found["bytes"] = coded.stat().st_size
    for path in (clip, coded, out):
        path.unlink()
    return found
