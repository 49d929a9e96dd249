"""Odd media: containers x codecs x timing x sound x colour x geometry, each with what must come out of it.

Every picture has four coloured quarters, which tell orientation and colour, and a grey block in the middle
that tells its number.  A click begins with one of the pictures.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import av
import numpy as np
from media_factory import Rgb, click_at, make_clip

FRAMES = 12
CLICK = 6
"""The picture with which the click begins."""


@dataclass(frozen=True)
class Container:
    """What a container takes; ``tick``: seconds by which its timestamps may be off."""

    suffix: str
    videos: tuple[str, ...]
    sounds: tuple[str, ...] = ()
    timings: tuple[str, ...] = ("25", "ntsc", "10", "60", "50", "uneven", "pause", "late")
    geometries: tuple[str, ...] = ("plain", "odd", "aspect", "tall")
    tick: float = 0.0011


_EVEN = ("25", "ntsc", "10", "60", "50")
_TURNED = ("plain", "odd", "aspect", "tall", "turned90", "turned180", "turned270")
CONTAINERS = {
    "mp4": Container(
        "mp4",
        ("libx264", "libx265", "mpeg4", "libvpx-vp9", "mjpeg"),
        ("aac", "libmp3lame", "ac3", "libopus", "alac", "flac"),
        geometries=_TURNED,
    ),
    "mov": Container(
        "mov",
        ("libx264", "prores_ks", "mjpeg", "qtrle"),
        ("pcm_s16le", "pcm_s24le", "aac", "alac"),
        geometries=_TURNED,
    ),
    "3gp": Container("3gp", ("libx264", "mpeg4"), ("aac",)),
    "mkv": Container(
        "mkv",
        ("libx264", "libx265", "ffv1", "libvpx", "libvpx-vp9", "mpeg2video", "mjpeg"),
        ("aac", "flac", "libopus", "pcm_s16le", "ac3", "eac3", "libmp3lame"),
    ),
    "webm": Container("webm", ("libvpx", "libvpx-vp9"), ("libopus",)),
    "nut": Container("nut", ("ffv1", "mpeg4", "rawvideo"), ("pcm_s16le", "flac")),
    "ts": Container("ts", ("libx264", "libx265", "mpeg2video"), ("aac", "mp2", "ac3", "libmp3lame")),
    "mpg": Container("mpg", ("mpeg2video", "mpeg1video"), ("mp2", "ac3"), ("25", "ntsc", "60", "50")),
    "flv": Container("flv", ("flv", "libx264"), ("aac", "libmp3lame"), (*_EVEN, "uneven", "pause")),
    "avi": Container(
        "avi",
        ("mpeg4", "msmpeg4v3", "mjpeg", "huffyuv", "ffv1", "libx264"),
        ("libmp3lame", "pcm_s16le", "ac3"),
        _EVEN,
        ("plain", "odd", "tall"),
    ),
    "asf": Container("asf", ("wmv2", "msmpeg4v3"), ("wmav2", "libmp3lame"), (*_EVEN, "uneven")),
    "gif": Container(
        "gif", ("gif",), (), ("25", "10", "50", "uneven", "pause"), ("plain", "odd", "tall"), 0.011
    ),
    "apng": Container("apng", ("apng",), (), ("25", "10", "50", "uneven", "pause"), ("plain", "odd", "tall")),
}
LAYOUTS = {
    "mono": ("mono", 48000),
    "stereo": ("stereo", 44100),
    "low": ("mono", 16000),
    "5.1": ("5.1", 48000),
}
_LOW = {"aac", "pcm_s16le", "pcm_s24le", "flac", "libopus", "alac"}
_SURROUND = {"aac", "ac3", "eac3", "flac", "libopus", "pcm_s16le"}
COLOURS = {
    "420": ("yuv420p", "yuvj420p"),
    "full": ("yuvj420p", "yuv420p"),
    "444": ("yuv444p", "yuvj444p"),
    "deep": ("yuv420p10le", "yuv422p10le"),
    "rgb": ("gbrp", "bgr0", "rgb24", "rgb8"),
    "grey": ("gray",),
}
"""By name: formats, of which the first that the codec has is taken; only in 420 the second one may do."""
_SAMPLES = {
    "libx264": ("yuv420p", "yuv444p", "yuvj420p", "yuv420p10le"),
    "libx265": ("yuv420p", "yuv444p", "yuv420p10le"),
    "mpeg4": ("yuv420p",),
    "libvpx": ("yuv420p",),
    "libvpx-vp9": ("yuv420p", "yuv444p"),
    "mjpeg": ("yuvj420p", "yuvj444p"),
    "prores_ks": ("yuv422p10le",),
    "qtrle": ("rgb24",),
    "ffv1": ("yuv420p", "yuv444p", "yuv420p10le", "bgr0", "gray"),
    "huffyuv": ("rgb24",),
    "mpeg2video": ("yuv420p",),
    "mpeg1video": ("yuv420p",),
    "rawvideo": ("yuv420p", "yuv444p", "rgb24"),
    "flv": ("yuv420p",),
    "msmpeg4v3": ("yuv420p",),
    "wmv2": ("yuv420p",),
    "gif": ("rgb8",),
    "apng": ("rgb24", "gray"),
}
_ODD_SIZES = {"ffv1", "libvpx", "libvpx-vp9", "mjpeg", "qtrle", "huffyuv", "rawvideo", "gif", "apng"}
_SAY_ASPECT = {"libx264", "libx265", "mpeg4"}
_BROADCAST_RATES = {"mpeg2video", "mpeg1video"}
SIZES = {"plain": (64, 48), "odd": (67, 49), "aspect": (80, 48), "tall": (48, 80)}
ASPECT = Fraction(4, 3)


@dataclass(frozen=True)
class Case:
    """One combination."""

    container: str
    video: str
    timing: str
    sound: str
    layout: str
    colour: str
    geometry: str

    @property
    def name(self) -> str:
        """All of it in words."""
        return "-".join(
            (
                self.container,
                self.video,
                self.timing,
                self.sound or "silent",
                self.layout,
                self.colour,
                self.geometry,
            )
        ).replace("--", "-")

    @property
    def pix_fmt(self) -> str | None:
        """The format of the samples; None where the codec has none of this colour."""
        return next((f for f in COLOURS[self.colour] if f in _SAMPLES[self.video]), None)

    @property
    def is_possible(self) -> bool:
        """Whether there can be such a file."""
        own = CONTAINERS[self.container]
        wide = self.layout == "5.1" and self.sound not in _SURROUND
        low = self.layout == "low" and self.sound not in _LOW
        low = low or (self.sound == "libopus" and self.layout == "stereo")  # Opus has no 44.1 kHz
        return not (
            (self.colour == "420" and self.pix_fmt == "yuvj420p")
            or (self.colour == "full" and self.pix_fmt != "yuvj420p")
            or self.pix_fmt is None
            or (self.geometry == "odd" and self.video not in _ODD_SIZES)
            or (self.geometry == "aspect" and self.video not in _SAY_ASPECT)
            # x265 4.1 writes beyond its memory for pictures narrower than 64
            or (self.geometry == "tall" and self.video == "libx265")
            or (self.video in _BROADCAST_RATES and self.timing == "10")
            or wide
            or low
            or (self.container == "flv" and self.layout == "mono")  # MP3 in FLV has 44.1 kHz
            or self.geometry not in own.geometries
        )

    @property
    def rate(self) -> Fraction:
        """Nominal pictures a second."""
        return {"ntsc": Fraction(30000, 1001)}.get(self.timing) or Fraction(
            int(self.timing) if self.timing.isdigit() else 25
        )

    @property
    def stamps(self) -> list[int]:
        """Timestamps in units of 1/rate."""
        stamps = list(range(FRAMES))
        if self.timing == "uneven":
            stamps = [sum(1 + k % 3 for k in range(n)) for n in range(FRAMES)]
        elif self.timing == "pause":
            stamps = [n + (40 if n > FRAMES // 3 else 0) for n in stamps]
        elif self.timing == "late":
            stamps = [n + 125 for n in stamps]
        return stamps

    @property
    def times(self) -> list[float]:
        """Seconds of each picture after the first."""
        return [float((s - self.stamps[0]) / self.rate) for s in self.stamps]

    @property
    def slack(self) -> float:
        """Seconds by which the times in the file may be off."""
        slack = CONTAINERS[self.container].tick
        if self.container == "avi" and self.sound in ("libmp3lame", "ac3"):
            # AVI counts pictures; sound that begins before them leaves a hole behind the first one
            slack += 2 * float(1 / self.rate)
        return slack

    @property
    def rotation(self) -> int:
        """Degrees clockwise that the file asks for."""
        return int(self.geometry[6:]) if self.geometry.startswith("turned") else 0

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as shown."""
        width, height = SIZES.get(self.geometry, (64, 48))
        return (height, width) if self.rotation in (90, 270) else (width, height)

    def picture(self, number: int) -> Rgb:
        """What must come out, (H,W,3)."""
        width, height = self.upright
        rgb = np.zeros((height, width, 3), np.uint8)
        grey = self.colour == "grey"
        quarters = ((200, 60, 60), (60, 180, 70), (60, 70, 190), (210, 210, 210))
        for k, colour in enumerate(quarters):
            rows = slice(0, height // 2) if k < 2 else slice(height // 2, None)
            columns = slice(0, width // 2) if k % 2 == 0 else slice(width // 2, None)
            rgb[rows, columns] = 60 + 40 * k if grey else colour
        rgb[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = block(number)
        return rgb

    def make(self, folder: Path) -> Path:
        """Write the file."""
        path = folder / f"{self.name}.{CONTAINERS[self.container].suffix}"
        layout, rate = LAYOUTS.get(self.layout, ("mono", 48000))
        begin = self.stamps[0] / self.rate
        form = self.pix_fmt
        assert form is not None

        def coded(number: int) -> av.VideoFrame:
            turned = np.ascontiguousarray(np.rot90(self.picture(number), self.rotation // 90))
            full = 2 if form.startswith(("yuvj", "rgb", "bgr", "gbr", "gray")) else 1
            frame = av.VideoFrame.from_ndarray(turned, format="rgb24")
            return frame.reformat(
                format=form, src_color_range=2, dst_color_range=full, dst_colorspace=5, interpolation="AREA"
            )

        made: Path = make_clip(
            path,
            width=SIZES.get(self.geometry, (64, 48))[0],
            height=SIZES.get(self.geometry, (64, 48))[1],
            fps=self.rate,
            frames=FRAMES,
            pts=self.stamps,
            picture=coded,
            codec=self.video,
            pix_fmt=form,
            options=_OPTIONS.get(self.video, {"b": "4M"}),
            sar=ASPECT if self.geometry == "aspect" else None,
            rotation=self.rotation,
            audio=self.sound or None,
            audio_rate=rate,
            audio_layout=layout,
            audio_bitrate=_BIT_RATES.get(self.layout, 96000),
            audio_start=float(begin),
            audio_seconds=self.times[-1] + float(1 / self.rate) + 0.2,
            sound=click_at(float(begin) + self.times[CLICK]),
        )
        return made


_BIT_RATES = {"low": 32000, "5.1": 384000}
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "6", "preset": "ultrafast", "bf": "2"},
    "mpeg4": {"b": "4M", "bf": "2"},
    "libx265": {
        "crf": "6", "preset": "ultrafast",
        "x265-params": "log-level=error:pools=none:frame-threads=1:bframes=2",
    },
    "libvpx": {"crf": "4", "b": "4M", "deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"crf": "10", "b": "4M", "deadline": "realtime", "cpu-used": "8"},
    **{name: {} for name in ("ffv1", "huffyuv", "rawvideo", "qtrle", "gif", "apng", "prores_ks")},
    "mjpeg": {"qscale": "2", "flags": "+qscale", "global_quality": "236"},
}  # fmt: skip


def block(number: int) -> int:
    """The grey of the block in the middle of a picture."""
    return 30 + 16 * number


def all_cases() -> Iterator[Case]:
    """Every combination that can be."""
    for name, own in CONTAINERS.items():
        sounds = [("", ""), *product(own.sounds, LAYOUTS)]
        for video, timing, (sound, layout), colour, geometry in product(
            own.videos, own.timings, sounds, COLOURS, own.geometries
        ):
            case = Case(name, video, timing, sound, layout, colour, geometry)
            if case.is_possible:
                yield case


def some_cases(count: int, seed: int = 0) -> list[Case]:
    """So many combinations, every container about as often, and every value of every axis early on."""
    rng = random.Random(seed)
    by_container: dict[str, list[Case]] = {}
    for case in all_cases():
        by_container.setdefault(case.container, []).append(case)
    for cases in by_container.values():
        rng.shuffle(cases)
    out: list[Case] = []
    while len(out) < count and any(by_container.values()):
        for cases in by_container.values():
            if cases and len(out) < count:
                out.append(cases.pop())
    return out


def numbers(pictures: list[Any]) -> list[float]:
    """Which numbers the blocks of pictures (H,W,3) tell."""
    found = []
    for rgb in pictures:
        height, width = rgb.shape[:2]
        middle = rgb[height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
        found.append((float(middle.mean()) - 30) / 16)
    return found
