"""A peer at a given number of bytes: the finest point of each size that fits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

from neurocodec.errors import UnsupportedError
from neurocodec.measure.clips import Frames
from neurocodec.peers.codec import Codec, Point
from neurocodec.threads import cores

_STRIDE = 4


@dataclass(frozen=True)
class Coded:
    """What a codec makes of a clip at one point."""

    point: Point
    packets: list[bytes]

    @property
    def size(self) -> int:
        """Bytes that count."""
        return sum(map(len, self.packets))


def finest(codec: Codec, frames: Frames, fps: Fraction, budget: int, rung: Point, coarsest: int) -> Coded:
    """The finest of ``rung``'s points, varied by ``codec.varied``, that takes at most ``budget`` bytes.

    If none does, the ``coarsest``.  Found by steps of 4 from there, then by halving.

    Raises:
        NeurocodecError: the encoder failed.
    """

    def coded(level: int) -> Coded:
        point = {**rung, codec.varied: level}
        return Coded(point, codec.encode(frames, fps, point))

    best, level, too_fine = coded(coarsest), coarsest, -1
    while best.size <= budget and level - too_fine > 1:
        tried = max(level - _STRIDE, too_fine + 1) if too_fine < 0 else (level + too_fine) // 2
        found = coded(tried)
        if found.size <= budget:
            best, level = found, tried
        else:
            too_fine = tried
    return best


def within(codec: Codec, frames: Frames, fps: Fraction, budget: int) -> list[Coded]:
    """For each size of its ladder, what a codec makes of frames (N,H,W,3) in at most ``budget`` bytes.

    Where no size fits, its smallest stream of all.

    Raises:
        UnsupportedError: the codec is not there, or has nothing to vary.
        NeurocodecError: it failed.
    """
    reason = codec.missing()
    if reason or not codec.varied:
        raise UnsupportedError(f"{codec.title}: {reason or 'its rate cannot be chosen'}")
    coarsest: dict[int, Point] = {}
    for point in sorted(codec.ladder(frames.shape[2], frames.shape[1]), key=lambda p: p[codec.varied]):
        coarsest[point["scale"]] = point

    def search(rung: Point) -> Coded:
        return finest(codec, frames, fps, budget, rung, rung[codec.varied])

    with ThreadPoolExecutor(min(cores(), len(coarsest))) as pool:
        found = list(pool.map(search, coarsest.values()))
    return [c for c in found if c.size <= budget] or [min(found, key=lambda c: c.size)]
