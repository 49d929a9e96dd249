#!/usr/bin/env python3
"""Make the sample clips: a still portrait, animated by a known warp.

The picture is ``skimage.data.astronaut()``: NASA's official portrait of Eileen Collins, in the public domain.
Nothing here was filmed. Every frame is that one picture, deformed by documented, seeded functions of time:

* :class:`Motion` says what the face does at time ``t``: head pose, jaw, lips, lids, gaze, brows
  (:class:`State`);
* :class:`Puppet` draws it: first the expression in the frame of the head (:meth:`Puppet.expression`), then
  the pose of the head, which is a matted layer with a depth of its own, over an (almost) still background;
* :meth:`Puppet.landmarks` sends hard-coded points of the picture through the same functions, so that the true
  position of each is known in every frame (``--landmarks``);
* :func:`voice` makes a voice-like sound from the same syllables that move the mouth.

All geometry is in *source coordinates*: pixels of the 512x512 picture, x to the right, y down, the centre
of the first pixel at (0, 0). "Left" and "right" in names are those of the viewer.

Without options it writes the shipped files, bit for bit: ``astronaut.mp4`` (10 s, silent) and
``astronaut_sound.mp4`` (5 s).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import click
import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Array = NDArray[np.floating]

SECONDS = 10.0
SOUND_SECONDS = 5.0
SIZE = 256
FPS = 25
SEED = 7
SAMPLE_RATE = 24000
TITLE = "Animated still portrait (synthetic)"
COMMENT = (
    "Synthesized: one still picture animated by a program, not filmed. Picture: NASA portrait of Eileen "
    "Collins, public domain, from scikit-image (skimage.data.astronaut). Made by samples/make_samples.py of "
    "neurocodec."
)

CROP = (113.0, 0.0, 224.0)  # left, top and side of the square that the clip shows
CANVAS = (90, 0, 270, 250)  # left, top, width and height of the working area: the crop and some margin
FACE = (180, 78, 270, 208)  # left, top, right and bottom of what an expression can change
CANVAS_SCALE = 2  # the working area is kept enlarged, so that resampling it twice does not blur it

# Head: a bump of depth. The silhouette of the hair spans about x 152..301, y 15..; the chin is at y 178.
HEAD_CENTRE = (226.0, 105.0)
HEAD_RADII = (80.0, 112.0, 62.0)  # in x, y and depth
HEAD_BASE = 14.0  # depth of the silhouette in front of the axis of the neck
NOSE_BUMP = (225.0, 121.0, 9.0, 13.0, 11.0)  # centre x, y, widths x, y, extra depth
PIVOT = (224.0, 168.0)  # roll, pitch and scale turn around the top of the neck
FOCAL = 1100.0  # distance of the camera, for a slight perspective
NECK_FADE = (174.0, 224.0)  # the head moves above, nothing below; black cloth hides the stretch
BODY_FADE = (135.0, 200.0)  # the sway of the body starts here, so that the wall above stays still

# A generous outline of the head: the matte is sought inside it, by the difference from the wall behind.
HEAD_OUTLINE = [
    (146, 75), (147, 55), (160, 34), (180, 20), (205, 9), (240, 8), (270, 18), (292, 38), (305, 70),
    (306, 95), (298, 118), (284, 135), (275, 143), (268, 152), (261, 170), (257, 178), (257, 190),
    (184, 182), (182, 160), (180, 142), (166, 125), (154, 112), (148, 95),
]  # fmt: skip
# The neck and the black collar, cut by hand: the helmet ring is too close to trust a difference of colours.
NECK_OUTLINE = [
    (181, 132), (183.5, 146), (185.3, 152), (185.3, 170), (187.5, 178), (184, 186), (176, 224), (268, 224),
    (262, 190), (254.3, 181), (254.8, 172), (257.5, 163), (262, 150), (266, 138), (262, 120), (190, 120),
]  # fmt: skip


# The helmet ring, as it would run behind the neck: its outer edge, about 5 pixels thick.
RING_X = (168.0, 178.0, 184.0, 200.0, 220.0, 240.0, 255.0, 262.0, 270.0)
RING_Y = (148.7, 147.9, 148.2, 150.5, 156.0, 164.4, 173.6, 178.1, 184.2)
RING_WIDTH = 5.1
RING_COLOURS = ((104.0, 92.0, 102.0), (138.0, 127.0, 144.0))  # at the left and at the right end


@dataclass(frozen=True)
class Eye:
    """An eye: the edges of both lids from one corner to the other, and the iris."""

    x: tuple[float, ...]
    upper: tuple[float, ...]
    lower: tuple[float, ...]
    iris: tuple[float, float, float]  # centre x, y, radius


# Lid edges: where the lashes end and the eyeball begins (upper), where it meets the lower lid (lower).
LEFT_EYE = Eye(
    x=(192.0, 195.0, 198.0, 202.0, 206.0, 210.0, 214.0),
    upper=(101.0, 99.6, 98.6, 97.9, 98.4, 100.4, 104.3),
    lower=(101.0, 102.0, 103.4, 104.6, 105.0, 105.1, 104.3),
    iris=(203.6, 101.0, 4.2),
)
RIGHT_EYE = Eye(
    x=(234.8, 238.0, 242.0, 246.5, 251.0, 255.0, 259.5),
    upper=(104.8, 102.4, 100.6, 99.7, 100.0, 101.2, 103.8),
    lower=(104.8, 106.0, 106.5, 106.8, 106.6, 105.6, 103.8),
    iris=(247.4, 103.2, 4.4),
)
BROWS = ((202.0, 90.0, 13.0), (251.0, 93.0, 14.0))  # centre x, y, half length

# Inner edges of the lips: upper lip over the teeth, lower lip under them; the ends are the mouth corners.
MOUTH_X = (202.5, 206.0, 210.0, 214.0, 218.0, 223.0, 228.0, 233.0, 238.0, 241.0, 245.0)
UPPER_LIP = (139.6, 141.0, 142.2, 143.1, 143.6, 144.0, 143.9, 143.4, 142.4, 141.6, 140.2)
LOWER_LIP = (139.6, 144.2, 147.6, 149.5, 150.3, 150.4, 150.0, 148.6, 145.8, 143.6, 140.2)
MOUTH_CENTRE = 223.7
MOUTH_HALF = 21.2
CAVITY = (58.0, 22.0, 20.0)  # colours of what the picture does not show
TONGUE = (134.0, 68.0, 64.0)
LIP_SHADOW = (92.0, 46.0, 42.0)

# Where each named point lies in the picture, and which part of the face carries it.
LANDMARKS: dict[str, tuple[float, float, str]] = {
    "eye_left_outer": (192.0, 101.0, "face"),
    "eye_left_inner": (214.0, 104.3, "face"),
    "eye_left_upper": (203.6, 98.1, "lid_left"),
    "eye_left_lower": (203.6, 104.8, "face"),
    "iris_left": (203.6, 101.0, "iris_left"),
    "eye_right_inner": (234.8, 104.8, "face"),
    "eye_right_outer": (259.5, 103.8, "face"),
    "eye_right_upper": (247.4, 99.7, "lid_right"),
    "eye_right_lower": (247.4, 106.8, "face"),
    "iris_right": (247.4, 103.2, "iris_right"),
    "brow_left_outer": (190.5, 90.5, "face"),
    "brow_left_inner": (213.0, 92.5, "face"),
    "brow_right_inner": (239.0, 93.2, "face"),
    "brow_right_outer": (262.5, 95.5, "face"),
    "nose_bridge": (225.0, 104.0, "face"),
    "nose_tip": (225.0, 126.0, "face"),
    "mouth_left": (202.5, 139.6, "face"),
    "mouth_right": (245.0, 140.2, "face"),
    "lip_upper_outer": (223.0, 139.8, "face"),
    "lip_upper_inner": (223.0, 144.0, "face"),
    "lip_lower_inner": (223.0, 150.4, "jaw"),
    "lip_lower_outer": (223.0, 154.8, "jaw"),
    "chin": (222.0, 177.0, "jaw"),
    "jaw_left": (195.0, 164.0, "jaw"),
    "jaw_right": (247.0, 169.0, "jaw"),
    "ear_left": (177.0, 124.0, "face"),
    "ear_right": (273.0, 132.0, "face"),
}


@dataclass(frozen=True)
class State:
    """The face at one moment. All zeros (and scale 1) is the picture itself."""

    yaw: float = 0.0  # degrees; positive: the nose goes to the viewer's right
    pitch: float = 0.0  # degrees; positive: the nose goes down
    roll: float = 0.0  # degrees; positive: clockwise for the viewer
    tx: float = 0.0  # source pixels, to the right
    ty: float = 0.0  # source pixels, down
    scale: float = 1.0  # leaning towards the camera
    sway_x: float = 0.0  # the body, source pixels
    sway_y: float = 0.0
    jaw: float = 0.0  # source pixels by which the lower lip goes down
    close: float = 0.0  # 0: the lips of the picture, 1: lips shut
    narrow: float = 0.0  # -: spread, +: pursed; share of the half width
    blink: float = 0.0  # 0: open, 1: shut
    gaze_x: float = 0.0  # source pixels, to the right
    gaze_y: float = 0.0
    brow: float = 0.0  # source pixels, up


@dataclass(frozen=True)
class Syllable:
    """One beat of the mouth: when (seconds), the opening and width of the vowel, the consonant before it."""

    start: float
    length: float
    jaw: float
    narrow: float
    lips_meet: bool  # a b, m or p before the vowel
    pitch: float  # Hz, of the voice
    stress: float


def _smooth(x: Array | float, low: Array | float, high: Array | float) -> Array:
    """0 below ``low``, 1 above ``high``, a smooth step between."""
    u = np.clip((np.asarray(x) - low) / (high - low), 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


def _bump(t: float, start: float, length: float, skew: float = 0.5) -> float:
    """A raised cosine from 0 to 1 to 0 on [start, start + length], its top at the share ``skew``."""
    u = (t - start) / length
    if not 0.0 < u < 1.0:
        return 0.0
    u = 0.5 * u / skew if u < skew else 0.5 + 0.5 * (u - skew) / (1.0 - skew)
    return float(0.5 - 0.5 * np.cos(2.0 * np.pi * u))


class Motion:
    """Everything that moves, drawn once from ``seed``; :meth:`at` is then a plain function of time."""

    def __init__(self, seed: int = SEED, seconds: float = SECONDS) -> None:
        rng = np.random.default_rng(seed)
        # Slow drifts: three sinusoids per channel, the slowest the strongest. (degrees, pixels, ...)
        reach = {"yaw": 6.0, "pitch": 2.8, "roll": 3.0, "tx": 4.2, "ty": 1.6, "scale": 0.026, "sway_x": 0.9}
        self.drift = {
            name: [
                (reach[name] * share, rng.uniform(*band), rng.uniform(0.0, 2.0 * np.pi))
                for share, band in ((0.65, (0.11, 0.19)), (0.3, (0.24, 0.4)), (0.14, (0.5, 0.8)))
            ]
            for name in reach
        }
        self.syllables = self._speech(rng, seconds)
        self.blinks = self._blinks(rng, seconds)  # start, length
        self.gazes = self._gazes(rng, seconds)  # start, x, y: where the eyes jump to
        self.turns = self._turns(rng, seconds)  # start, length, degrees: deliberate looks to the side

    @staticmethod
    def _speech(rng: np.random.Generator, seconds: float) -> list[Syllable]:
        """Phrases of five to ten syllables, four to five a second, with pauses between them."""
        found: list[Syllable] = []
        t = 0.35
        while t < seconds - 0.5:
            count = int(rng.integers(5, 11))
            f0 = rng.uniform(185.0, 215.0)
            for i in range(count):
                length = rng.uniform(0.17, 0.26) * (1.45 if i == count - 1 else 1.0)
                stress = float(rng.random() < 0.35)
                if t + length > seconds - 0.25:
                    break
                found.append(
                    Syllable(
                        start=t,
                        length=length,
                        jaw=rng.uniform(2.0, 4.0) + 2.0 * stress,
                        narrow=float(rng.choice([-0.04, 0.0, 0.05, 0.15], p=[0.25, 0.25, 0.25, 0.25])),
                        lips_meet=bool(rng.random() < 0.3),
                        pitch=f0 * (1.08 - 0.2 * i / count) * (1.0 + 0.1 * stress),
                        stress=stress,
                    )
                )
                t += length * rng.uniform(0.9, 1.05)
            t += rng.uniform(0.5, 1.0)
        return found

    @staticmethod
    def _blinks(rng: np.random.Generator, seconds: float) -> list[tuple[float, float]]:
        """A blink of 0.15 to 0.2 s every 1.3 to 3.4 s."""
        found = []
        t = rng.uniform(0.7, 1.3)
        while t < seconds:
            found.append((t, rng.uniform(0.15, 0.2)))
            t += rng.uniform(1.3, 3.4)
        return found

    @staticmethod
    def _gazes(rng: np.random.Generator, seconds: float) -> list[tuple[float, float, float]]:
        """The eyes rest on the camera and jump aside and back now and then."""
        found = [(-1.0, 0.0, 0.0)]
        t = rng.uniform(0.9, 1.6)
        while t < seconds:
            side = float(rng.choice([-1.0, 1.0]))
            found.append((t, side * rng.uniform(1.1, 2.0), rng.uniform(-0.5, 0.6)))
            t += rng.uniform(0.35, 0.9)
            found.append((t, rng.uniform(-0.2, 0.2), rng.uniform(-0.15, 0.15)))
            t += rng.uniform(1.0, 2.2)
        return found

    @staticmethod
    def _turns(rng: np.random.Generator, seconds: float) -> list[tuple[float, float, float]]:
        found = []
        side = float(rng.choice([-1.0, 1.0]))
        t = rng.uniform(1.5, 2.5)
        while t < seconds - 1.0:
            found.append((t, rng.uniform(1.4, 2.2), side * rng.uniform(3.5, 6.0)))
            side = -side
            t += rng.uniform(2.6, 3.8)
        return found

    def at(self, t: float) -> State:
        """The face at ``t`` seconds."""
        value = {
            name: sum(a * np.sin(2.0 * np.pi * f * t + p) for a, f, p in waves)
            for name, waves in self.drift.items()
        }
        jaw = narrow = close = nod = brow = 0.0
        speaking = 0.0
        for s in self.syllables:
            if not -0.6 < t - s.start < s.length + 0.6:
                continue
            jaw += s.jaw * _bump(t, s.start, s.length * 1.15, 0.42)
            narrow += s.narrow * _bump(t, s.start - 0.05, s.length + 0.1)
            nod += s.stress * _bump(t, s.start - 0.04, 0.42, 0.4)
            brow += s.stress * _bump(t, s.start - 0.1, 0.5, 0.35)
            speaking = max(speaking, _bump(t, s.start - 0.3, s.length + 0.6))
            if s.lips_meet:
                close = max(close, _bump(t, s.start - 0.075, 0.15))
        rest = 0.42 * (1.0 - float(_smooth(speaking, 0.0, 0.6)))  # in a pause the lips come together a little
        close = max(close, rest + 0.12 * (1.0 - rest))
        yaw = value["yaw"] + sum(a * _bump(t, start, length) for start, length, a in self.turns)
        pitch = value["pitch"] + 1.5 * min(nod, 1.2)
        gaze_x = gaze_y = 0.0
        for (_, x0, y0), (start, x1, y1) in zip(self.gazes, self.gazes[1:], strict=False):
            if t >= start:  # a jump takes 50 ms
                u = float(_smooth(t, start, start + 0.05))
                gaze_x, gaze_y = x0 + (x1 - x0) * u, y0 + (y1 - y0) * u
        breath = np.sin(2.0 * np.pi * 0.27 * t + 0.6)
        return State(
            yaw=float(yaw),
            pitch=float(pitch),
            roll=float(value["roll"]),
            tx=float(value["tx"]),
            ty=float(value["ty"] + 0.6 * min(nod, 1.2)),
            scale=float(1.0 + value["scale"]),
            sway_x=float(value["sway_x"] + 0.15 * value["tx"]),
            sway_y=float(0.5 * breath),
            jaw=float(jaw / (1.0 + (jaw / 9.0) ** 4) ** 0.25),
            close=float(min(close, 1.0)),
            narrow=float(narrow + 0.018 * jaw),
            blink=max((_lid(t, start, length) for start, length in self.blinks), default=0.0),
            # The eyes stay on the camera as the head turns.
            gaze_x=float(np.clip(gaze_x - 0.11 * yaw, -2.3, 2.3)),
            gaze_y=float(np.clip(gaze_y - 0.08 * pitch, -0.8, 0.8)),
            brow=float(1.5 * min(brow, 1.0)),
        )


def _lid(t: float, start: float, length: float) -> float:
    """Closing takes a third of a blink, then a short rest, then a slower opening."""
    u = (t - start) / length
    return float(_smooth(u, 0.0, 0.34) * (1.0 - _smooth(u, 0.5, 1.0)))


def _curve(x: Array, xs: Sequence[float], ys: Sequence[float]) -> Array:
    """A smooth curve through the points (a cubic through each piece, no overshoot); constant outside."""
    px, py = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    step = np.diff(py) / np.diff(px)
    slope = np.concatenate([step[:1], 0.5 * (step[:-1] + step[1:]), step[-1:]])
    i = np.clip(np.searchsorted(px, x, side="right") - 1, 0, len(px) - 2)
    h = px[i + 1] - px[i]
    u = np.clip((x - px[i]) / h, 0.0, 1.0)
    a, b = u * u * (3.0 - 2.0 * u), u * (1.0 - u)
    return py[i] * (1.0 - a) + py[i + 1] * a + h * b * ((1.0 - u) * slope[i] - u * slope[i + 1])


def _mask(outline: Sequence[tuple[float, float]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The inside of a polygon, anti-aliased."""
    out = np.zeros(shape, np.uint8)
    points = np.round(np.asarray(outline, np.float64) * 256.0).astype(np.int32)
    cv2.fillPoly(out, [points], 255, lineType=cv2.LINE_AA, shift=8)
    return out


def _sample(picture: F32, x: Array, y: Array) -> F32:
    """A picture of the canvas at source coordinates."""
    mx = ((x - CANVAS[0] + 0.5) * CANVAS_SCALE - 0.5).astype(np.float32)
    my = ((y - CANVAS[1] + 0.5) * CANVAS_SCALE - 0.5).astype(np.float32)
    out = cv2.remap(picture, mx, my, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(out, np.float32)


class Puppet:
    """The portrait, cut into head and background, and the warps that move it."""

    def __init__(self, size: int = SIZE) -> None:
        from skimage.data import astronaut

        self.size = size
        self.zoom = size / CROP[2]
        picture = np.asarray(astronaut())[:, :, :3].astype(np.float32)
        plate, alpha = self._matte(picture)
        x0, y0, w, h = CANVAS
        cut = np.s_[y0 : y0 + h, x0 : x0 + w]
        big = (w * CANVAS_SCALE, h * CANVAS_SCALE)
        head = np.dstack([picture[cut], 255.0 * alpha[cut]])
        self.head = np.asarray(cv2.resize(head, big, interpolation=cv2.INTER_LANCZOS4), np.float32)
        self.plate = np.asarray(cv2.resize(plate[cut], big, interpolation=cv2.INTER_LANCZOS4), np.float32)
        # The part of the canvas that an expression can change, and its source coordinates.
        left, top, right, bottom = FACE
        rows = slice((top - y0) * CANVAS_SCALE, (bottom - y0) * CANVAS_SCALE)
        cols = slice((left - x0) * CANVAS_SCALE, (right - x0) * CANVAS_SCALE)
        x = (np.arange(cols.start, cols.stop) + 0.5) / CANVAS_SCALE - 0.5 + x0
        y = (np.arange(rows.start, rows.stop) + 0.5) / CANVAS_SCALE - 0.5 + y0
        self.face = (rows, cols), *np.meshgrid(x, y)
        self.coarse = np.meshgrid(np.arange(left, right, dtype=float), np.arange(top, bottom, dtype=float))
        self.cavity, self.under_teeth = self._interior()
        self.lids, self.lashes = self._lids()

    @staticmethod
    def _matte(picture: F32) -> tuple[F32, F32]:
        """The background without the head, and how much of each pixel belongs to the head (0 to 1)."""
        shape = picture.shape[:2]
        generous = _mask(HEAD_OUTLINE, shape)
        neck = _mask(NECK_OUTLINE, shape)
        hole = cv2.dilate(((generous > 0) | (neck > 127)).astype(np.uint8), np.ones((3, 3), np.uint8))
        near = picture[:300, 80:380]
        plate = picture.copy()
        plate[:300, 80:380] = cv2.inpaint(near.astype(np.uint8), hole[:300, 80:380], 4.0, cv2.INPAINT_TELEA)
        # The wall is out of focus: a blur of its visible part, weighted, is a better guess than inpainting.
        seen = (hole == 0).astype(np.float32)
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        cols = np.arange(shape[1], dtype=np.float32)[None, :]
        edge = _curve(np.clip(cols, 168.0, 270.0), RING_X, RING_Y)  # the helmet ring begins below
        seen *= (rows < edge - 4.0) & (cols > 100)
        weight = cv2.GaussianBlur(seen, (0, 0), 9.0)
        wall = cv2.GaussianBlur(picture * seen[..., None], (0, 0), 9.0) / np.maximum(weight, 1e-4)[..., None]
        grain = np.random.default_rng(0).normal(0.0, 1.6, shape).astype(np.float32)
        wall += cv2.GaussianBlur(grain, (0, 0), 0.7)[..., None]
        take = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.5) * _smooth(weight, 1e-4, 1e-3)
        take = take * (1.0 - _smooth(rows, edge, edge + 2.0))
        plate += take[..., None].astype(np.float32) * (wall - plate)
        ring = _curve(cols, RING_X, RING_Y)
        share = _smooth(cols, RING_X[0], RING_X[-1])[..., None]
        metal = np.asarray(RING_COLOURS[0]) + share * np.subtract(RING_COLOURS[1], RING_COLOURS[0])
        inner = _smooth(rows - ring, RING_WIDTH - 0.8, RING_WIDTH + 0.8)[..., None]
        band = metal * (1.0 - inner) + inner * np.array([5.0, 3.0, 3.0])
        near_ring = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 0.7) * (
            1.0 - _smooth(rows, 186.0, 192.0)
        )
        near_ring = near_ring * _smooth(rows - ring, -0.8, 0.8)
        plate += near_ring[..., None] * (band - plate)
        # Inside the outline, what differs from the wall is head; holes (bright hair) are filled.
        apart = np.linalg.norm(picture - plate, axis=2) * (generous > 0)
        solid = (apart > 34.0).astype(np.uint8)
        solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
        outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        body = np.zeros(shape, np.uint8)
        cv2.drawContours(body, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
        core = cv2.erode(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
        reach = cv2.dilate(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
        soft = _smooth(cv2.GaussianBlur(apart, (0, 0), 0.5), 14.0, 46.0) * reach
        alpha = np.maximum(soft, core)
        # Below the ears the hand-made outline rules.
        by_hand = cv2.GaussianBlur(neck.astype(np.float32) / 255.0, (0, 0), 0.7)
        low = _smooth(rows, 138.0, 146.0)
        alpha = np.maximum(alpha * (1.0 - low), by_hand * _smooth(rows, 126.0, 136.0))
        alpha *= 1.0 - _smooth(rows, 212.0, 224.0)
        return plate.astype(np.float32), alpha.astype(np.float32)

    def _interior(self) -> tuple[F32, Array]:
        """The dark of an open mouth, with a tongue; and how far each pixel is below the upper teeth."""
        _, x, y = self.face
        out = np.full((*x.shape, 4), 255.0)
        across = 1.0 - np.clip((x - MOUTH_CENTRE) / 17.0, -1.0, 1.0) ** 2
        tongue = 0.75 * (_smooth(y, 152.0, 158.0) * across)[..., None]
        out[..., :3] = CAVITY + tongue * np.subtract(TONGUE, CAVITY)
        out[..., :3] *= (0.45 + 0.55 * across)[..., None]
        return out.astype(np.float32), y - _curve(x, MOUTH_X, LOWER_LIP)

    def _lids(self) -> tuple[F32, F32]:
        """The skin of closed lids, without eyes or lashes; and the lashes, as what they multiply it by."""
        part, x, y = self.face
        hole = np.zeros(x.shape, np.uint8)
        for eye in (LEFT_EYE, RIGHT_EYE):
            top, bottom = _curve(x, eye.x, eye.upper), _curve(x, eye.x, eye.lower)
            inside = (x > eye.x[0] - 2.5) & (x < eye.x[-1] + 2.5) & (y > top - 5.0) & (y < bottom + 2.5)
            hole |= inside.astype(np.uint8)
        picture = np.clip(np.rint(self.head[part][..., :3]), 0, 255).astype(np.uint8)
        skin = cv2.inpaint(picture, hole, 6.0, cv2.INPAINT_TELEA).astype(np.float32)
        core = cv2.GaussianBlur(cv2.erode(hole, np.ones((5, 5), np.uint8)).astype(np.float32), (0, 0), 1.5)
        grain = cv2.GaussianBlur(np.random.default_rng(1).normal(0.0, 6.0, x.shape), (0, 0), 1.2)
        soft = cv2.GaussianBlur(skin, (0, 0), 2.5) + grain[..., None]
        skin += (core[..., None] * (soft - skin)).astype(np.float32)
        lids = self.head.copy()
        lids[part][..., :3] = skin
        ratio = self.head[part][..., :3] / np.maximum(skin, 8.0)
        lashes = np.ones_like(self.head)
        lashes[part][..., :3] = np.where(hole[..., None] > 0, ratio, 1.0)
        return lids, lashes

    @staticmethod
    def _lips_gap(x: Array, jaw: float, close: float) -> tuple[Array, Array]:
        """How far the upper and the lower lip go down in column ``x`` (at their inner edges)."""
        u = np.clip((x - MOUTH_CENTRE) / MOUTH_HALF, -1.0, 1.0)
        arch = (1.0 - u * u) ** 1.2
        upper = 2.0 * close * arch - 0.07 * jaw * arch
        gap = _curve(x, MOUTH_X, LOWER_LIP) - _curve(x, MOUTH_X, UPPER_LIP)
        opened = jaw * arch
        lower = opened - close * np.maximum(gap + opened - upper + 0.6, 0.0)
        return upper, lower

    def _move(self, x: Array, y: Array, state: State, lower: bool) -> tuple[Array, Array]:
        """Where the skin at (x, y) goes: ``lower`` for the part that hangs from the jaw."""
        # Pursing and spreading: towards and away from the middle of the mouth.
        pull = np.exp(-(((x - MOUTH_CENTRE) / 27.0) ** 4) - ((y - 146.0) / 13.0) ** 2)
        dx = -state.narrow * (x - MOUTH_CENTRE) * pull
        dy = np.zeros_like(dx)
        for bx, by, half in BROWS:
            side = np.exp(-(((x - bx) / (half + 3.0)) ** 4) - ((y - by) / 4.2) ** 2)
            dy -= state.brow * side
        up, down = self._lips_gap(x, state.jaw, state.close)
        if not lower:
            return x + dx, y + dy + up * _smooth(y, 130.0, 143.0)
        # The jaw: narrow at the lip, wide at the chin, gone in the neck.
        reach = MOUTH_HALF + 27.0 * _smooth(y, 142.0, 172.0)
        u = np.clip((x - MOUTH_CENTRE) / reach, -1.0, 1.0)
        fall = (1.0 - 0.3 * _smooth(y, 152.0, 174.0)) * (1.0 - _smooth(y, 177.0, 194.0))
        jaw = state.jaw * (1.0 - u * u) ** 1.2 * fall
        arch = (1.0 - np.clip((x - MOUTH_CENTRE) / MOUTH_HALF, -1.0, 1.0) ** 2) ** 1.2
        lips = (down - state.jaw * arch) * (1.0 - _smooth(y, 150.5, 170.0))
        return x + dx, y + dy + jaw + lips

    def _from(self, state: State, lower: bool) -> tuple[Array, Array]:
        """The inverse of :meth:`_move` on :attr:`face`, by fixed-point iteration (the warp is a contraction).

        It is smooth, so it is sought at every source pixel and interpolated between them.
        """
        _, x, y = self.face
        cx, cy = self.coarse
        qx, qy = cx.copy(), cy.copy()
        for _ in range(12):
            fx, fy = self._move(qx, qy, state, lower)
            qx += 0.95 * (cx - fx)
            qy += 0.95 * (cy - fy)
        size = (x.shape[1], x.shape[0])
        return x + cv2.resize(qx - cx, size), y + cv2.resize(qy - cy, size)

    def expression(self, state: State) -> F32:
        """The head layer (RGB and alpha) with the expression of ``state``, in the pose of the picture."""
        part, _, _ = self.face
        ux, uy = self._from(state, lower=False)
        lx, ly = self._from(state, lower=True)
        skin = self._eyes(ux, uy, state)
        jaw = _sample(self.head, lx, ly)
        over = _curve(ux, MOUTH_X, UPPER_LIP) - uy  # positive: above the edge of the upper lip
        under = ly - _curve(lx, MOUTH_X, LOWER_LIP)  # positive: below the edge of the lower lip
        # Behind the lips: the teeth of the picture; below them, as soon as the jaw opens, the dark.
        gum = 0.5 - 1.1 * float(_smooth(state.jaw, 0.0, 1.5))
        dark = _smooth(self.under_teeth - gum, -0.7, 0.5)[..., None].astype(np.float32)
        inside = self.head[part] + dark * (self.cavity - self.head[part])
        # Less light falls between lips that come together, and no teeth are left on their edges.
        up, down = self._lips_gap(lx, state.jaw, state.close)
        rest = np.maximum(_curve(lx, MOUTH_X, LOWER_LIP) - _curve(lx, MOUTH_X, UPPER_LIP), 0.3)
        shadow = 1.0 - _smooth((rest + down - up) / rest, 0.06, 0.45)
        shadow *= 1.0 - _smooth(np.abs(lx - MOUTH_CENTRE), MOUTH_HALF - 5.0, MOUTH_HALF)
        inside[..., :3] += shadow[..., None].astype(np.float32) * (LIP_SHADOW - inside[..., :3])
        out = self.head.copy()
        beside = _smooth(np.abs(lx - MOUTH_CENTRE), MOUTH_HALF - 1.0, MOUTH_HALF + 0.4)
        a = np.maximum(_smooth(under - 0.7 * shadow, -0.6, 0.6), beside)[..., None].astype(np.float32)
        b = _smooth(over - 0.9 * shadow, -0.6, 0.6)[..., None].astype(np.float32)
        face = inside + a * (jaw - inside)
        out[part] = face + b * (skin - face)
        return out

    def _eyes(self, x: Array, y: Array, state: State) -> F32:
        """The head layer at source coordinates (x, y), with lids and irises moved."""
        out = _sample(self.head, x, y)
        if state.blink == 0.0 and state.gaze_x == 0.0 and state.gaze_y == 0.0:
            return out
        lash_y = y.copy()
        ball_x, ball_y = x.copy(), y.copy()
        lid, ball, shade = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
        for eye in (LEFT_EYE, RIGHT_EYE):
            top, bottom = _curve(x, eye.x, eye.upper), _curve(x, eye.x, eye.lower)
            wide = (x > eye.x[0]) & (x < eye.x[-1])
            shift = np.where(wide, self._lid_shift(top, bottom, state.blink), 0.0)
            rim = top + shift
            # The lashes go down with the lid, and are seen more and more from above.
            here = (x > eye.x[0] - 3.0) & (x < eye.x[-1] + 3.0) & (y > top - 8.0)
            short = 1.0 - 0.55 * _smooth(shift, 0.0, 6.0)
            lash_y = np.where(here & (y < rim), top - (rim - y) / short, lash_y)
            lid = np.maximum(lid, here * (y < rim + 0.45) * _smooth(shift, 0.0, 0.5))
            inner = _smooth(y - rim, -0.45, 0.45) * _smooth(bottom - y, -0.5, 0.5) * wide
            ball = np.maximum(ball, inner)
            shade = np.maximum(shade, inner * (1.0 - _smooth(y - rim, 0.0, 1.8)) * state.blink)
            # The iris slides; the white is squeezed on one side and stretched on the other.
            cx, cy, radius = eye.iris
            away = np.hypot((x - cx - state.gaze_x), (y - cy - state.gaze_y) * 0.8)
            slide = 1.0 - _smooth(away, radius, radius + 5.5)
            ball_x -= state.gaze_x * slide
            ball_y -= state.gaze_y * slide
        if state.blink > 0.0:
            skin = _sample(self.lids, x, y)
            lash = _sample(self.lashes, x, lash_y)
            skin[..., :3] *= np.clip(lash[..., :3], 0.0, 1.25)
            out += lid[..., None].astype(np.float32) * (skin - out)
        eyes = _sample(self.head, ball_x, ball_y)
        eyes[..., :3] *= (1.0 - 0.45 * shade)[..., None].astype(np.float32)
        return out + ball[..., None].astype(np.float32) * (eyes - out)

    @staticmethod
    def _lid_shift(top: Array, bottom: Array, blink: float) -> Array:
        return blink * np.maximum(bottom - top - 0.2, 0.0)

    @staticmethod
    def pose(x: Array, y: Array, state: State) -> tuple[Array, Array]:
        """Where a point of the head goes (source coordinates): a turn in depth, then roll and shift."""
        u = (x - HEAD_CENTRE[0]) / HEAD_RADII[0]
        v = (y - HEAD_CENTRE[1]) / HEAD_RADII[1]
        nx, ny, nw, nh, nz = NOSE_BUMP
        z = HEAD_BASE + HEAD_RADII[2] * np.clip(1.0 - u * u - v * v, 0.0, 1.0) ** 0.8
        z += nz * np.exp(-(((x - nx) / nw) ** 2) - ((y - ny) / nh) ** 2)
        yaw, pitch, roll = np.deg2rad([state.yaw, state.pitch, state.roll])
        near = (FOCAL - z) / FOCAL
        px, py = (x - PIVOT[0]) * near, (y - PIVOT[1]) * near
        qx = px * np.cos(yaw) + z * np.sin(yaw)
        qz = z * np.cos(yaw) - px * np.sin(yaw)
        qy = py * np.cos(pitch) + qz * np.sin(pitch)
        qz = qz * np.cos(pitch) - py * np.sin(pitch)
        far = state.scale * FOCAL / (FOCAL - qz)
        rx = (qx * np.cos(roll) - qy * np.sin(roll)) * far + PIVOT[0] + state.tx
        ry = (qx * np.sin(roll) + qy * np.cos(roll)) * far + PIVOT[1] + state.ty
        fade = 1.0 - _smooth(y, *NECK_FADE)
        bx, by = Puppet.sway(x, y, state)
        ox = bx + fade * (rx + state.sway_x - bx)
        oy = by + fade * (ry + state.sway_y - by)
        return ox, oy

    @staticmethod
    def sway(x: Array, y: Array, state: State) -> tuple[Array, Array]:
        """Where a point of the background goes: the body sways a little, the wall does not."""
        fade = _smooth(y, *BODY_FADE)
        return x + fade * state.sway_x, y + fade * state.sway_y

    def frame(self, state: State) -> NDArray[np.uint8]:
        """One frame, RGB."""
        axis = (np.arange(self.size) + 0.5) / self.zoom - 0.5
        gx, gy = np.meshgrid(axis + CROP[0], axis + CROP[1])
        bx, by = gx.copy(), gy.copy()
        hx, hy = gx.copy(), gy.copy()
        for _ in range(4):
            fx, fy = self.sway(bx, by, state)
            bx, by = bx + gx - fx, by + gy - fy
        for _ in range(9):
            fx, fy = self.pose(hx, hy, state)
            hx, hy = hx + gx - fx, hy + gy - fy
        back = _sample(self.plate, bx, by)
        head = _sample(self.expression(state), hx, hy)
        alpha = np.clip(head[..., 3:] / 255.0, 0.0, 1.0)
        return np.clip(np.rint(back + alpha * (head[..., :3] - back)), 0, 255).astype(np.uint8)

    def landmarks(self, state: State) -> dict[str, tuple[float, float]]:
        """Where the points of :data:`LANDMARKS` are in the frame (the first pixel's centre is 0, 0)."""
        out = {}
        for name, (px, py, carrier) in LANDMARKS.items():
            x, y = np.array([px]), np.array([py])
            if carrier.startswith("lid"):
                eye = LEFT_EYE if carrier == "lid_left" else RIGHT_EYE
                y = y + self._lid_shift(_curve(x, eye.x, eye.upper), _curve(x, eye.x, eye.lower), state.blink)
            elif carrier.startswith("iris"):
                x, y = x + state.gaze_x, y + state.gaze_y
            x, y = self.pose(*self._move(x, y, state, carrier == "jaw"), state)
            out[name] = (
                float((x[0] - CROP[0] + 0.5) * self.zoom - 0.5),
                float((y[0] - CROP[1] + 0.5) * self.zoom - 0.5),
            )
        return out


def voice(motion: Motion, seconds: float, rate: int = SAMPLE_RATE, seed: int = SEED) -> F32:
    """A voice-like sound, mono, -1 to 1: a hum of harmonics, shaped by formants that follow the mouth."""
    n = round(seconds * rate)
    t = np.arange(n) / rate
    loud = np.zeros(n)
    pitch = np.zeros(n)
    first, second = np.zeros(n), np.zeros(n)
    weight = np.full(n, 1e-6)
    hiss = np.zeros(n)
    for s in motion.syllables:
        # The mouth opens over the first part of the syllable; the sound is loudest while it is open.
        u = (t - s.start) / (s.length * 1.15)
        env = np.where((u > 0) & (u < 1), np.sin(np.pi * np.clip(u, 0, 1)) ** 1.3, 0.0)
        loud = np.maximum(loud, env * (0.35 + 0.09 * s.jaw))
        pitch += env * s.pitch * (1.0 + 0.04 * np.cos(np.pi * np.clip(u, 0, 1)))
        first += env * (300.0 + 70.0 * s.jaw)  # an open jaw raises the first formant
        second += env * (2100.0 - 6500.0 * (s.narrow + 0.04))  # round lips lower the second
        weight += env
        if not s.lips_meet:  # a short hiss before the vowel stands for the other consonants
            hiss = np.maximum(hiss, np.exp(-(((t - s.start) / 0.022) ** 2)))
    pitch = np.where(weight > 1e-3, pitch / weight, 195.0)
    first = np.where(weight > 1e-3, first / weight, 450.0)
    second = np.where(weight > 1e-3, second / weight, 1500.0)
    third = np.full(n, 2900.0)
    phase = 2.0 * np.pi * np.cumsum(pitch * (1.0 + 0.006 * np.sin(2.0 * np.pi * 5.3 * t))) / rate
    sound = np.zeros(n)
    for k in range(1, 24):
        f = k * pitch
        shape = np.zeros(n)
        for centre, width, gain in ((first, 90.0, 1.0), (second, 130.0, 0.5), (third, 200.0, 0.25)):
            shape += gain / (1.0 + ((f - centre) / width) ** 2)
        sound += (shape + 0.03) * np.sin(k * phase) * k**-0.35 * (f < 0.45 * rate)
    noise = np.diff(np.random.default_rng(seed).normal(0.0, 1.0, n + 1))
    sound = sound * loud + 0.05 * noise * hiss
    peak = float(np.max(np.abs(sound))) or 1.0
    return (0.5 * sound / peak).astype(np.float32)


def frames(motion: Motion, puppet: Puppet, count: int, fps: int = FPS) -> Iterator[NDArray[np.uint8]]:
    """The first ``count`` frames of the clip, RGB."""
    for i in range(count):
        yield puppet.frame(motion.at(i / fps))


def write_clip(
    path: Path, motion: Motion, puppet: Puppet, seconds: float, fps: int, audio: bool, crf: int = 18
) -> int:
    """Encode a clip (H.264, with AAC if ``audio``); the number of its frames."""
    count = round(seconds * fps)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as box:
        box.metadata.update({"title": TITLE, "comment": COMMENT})
        video = box.add_stream("libx264", rate=Fraction(fps))
        video.width = video.height = puppet.size
        video.pix_fmt = "yuv420p"
        # One thread: the same file each time. swscale converts with BT.601, so the stream says so.
        video.options = {"crf": str(crf), "preset": "veryslow", "threads": "1", "x264-params": "keyint=125"}
        video.codec_context.colorspace = 6
        video.codec_context.color_primaries = 6
        video.codec_context.color_trc = 6
        video.codec_context.color_range = 1
        sound = box.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if audio else None
        if sound is not None:
            sound.bit_rate = 48000
        for picture in frames(motion, puppet, count, fps):
            box.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        box.mux(video.encode(None))
        if sound is not None:
            samples = voice(motion, count / fps)
            for start in range(0, len(samples), 1024):
                block = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
                block.sample_rate = SAMPLE_RATE
                block.pts = start
                block.time_base = Fraction(1, SAMPLE_RATE)
                box.mux(sound.encode(block))
            box.mux(sound.encode(None))
    return count


def write_landmarks(path: Path, motion: Motion, puppet: Puppet, count: int, fps: int) -> None:
    """A line per frame: time, the state that made it, and the landmarks in pixels of the clip."""
    state_names = list(State.__dataclass_fields__)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["frame", "time", *state_names, *(f"{n}_{a}" for n in LANDMARKS for a in "xy")])
        for i in range(count):
            state = motion.at(i / fps)
            points = puppet.landmarks(state)
            out.writerow(
                [i, f"{i / fps:.4f}", *(f"{getattr(state, n):.5f}" for n in state_names)]
                + [f"{value:.3f}" for n in LANDMARKS for value in points[n]]
            )


@click.command(help="Make the sample clips from the public-domain portrait in scikit-image.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(__file__).resolve().parent,
    help="Folder to write to [default: the script's own].",
)
@click.option("--seconds", type=click.FloatRange(0.2, 600.0), help="Length [default: 10, with sound 5].")
@click.option("--size", type=click.IntRange(32, 1024), default=SIZE, show_default=True, help="Side, even.")
@click.option("--fps", type=click.IntRange(1, 120), default=FPS, show_default=True, help="Frames per second.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="With sound, one more.")
@click.option(
    "--audio/--no-audio",
    default=None,
    help="Only the clip with sound, or only the silent one [default: both].",
)
@click.option(
    "--landmarks",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write where the points of the face truly are, per frame (silent clip if both are made).",
)
def main(
    out: Path,
    seconds: float | None,
    size: int,
    fps: int,
    seed: int,
    audio: bool | None,
    landmarks: Path | None,
) -> None:
    if size % 2:
        raise click.BadParameter("must be even", param_hint="--size")
    out.mkdir(parents=True, exist_ok=True)
    puppet = Puppet(size)
    for with_sound in [False, True] if audio is None else [audio]:
        length = seconds or (SOUND_SECONDS if with_sound else SECONDS)
        motion = Motion(seed + with_sound, length)
        path = out / ("astronaut_sound.mp4" if with_sound else "astronaut.mp4")
        count = write_clip(path, motion, puppet, length, fps, with_sound)
        click.echo(f"{path}: {count} frames, {path.stat().st_size / 1024:.0f} KiB")
        if landmarks is not None and (not with_sound or audio):
            write_landmarks(landmarks, motion, puppet, count, fps)
            click.echo(f"{landmarks}: {count} lines")


if __name__ == "__main__":
    main()
