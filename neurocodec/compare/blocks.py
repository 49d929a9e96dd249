"""Ours beside a peer in every block of five seconds, at the bytes that our file spends on that block.

A recording may be near to its original on the whole and far in some seconds of it.  A peer's bytes of a block
are those of the packets of its frames, its distance there the mean over those frames; its points of all sizes
make the curve of that block (:func:`neurocodec.compare.curves.distance_at`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from neurocodec.compare.curves import RatePoint, distance_at
from neurocodec.compare.measured import MeasuredPoint, VideoAtSize
from neurocodec.compare.run import Result
from neurocodec.errors import NeurocodecError
from neurocodec.measure.metric import Metric, Values
from neurocodec.peers.codec import Codec, unpack
from neurocodec.peers.ours import Ours

LIMIT = 1.03
"""Ours over theirs up to which ours counts as no further from the original."""
WHOLE, FACES = ("lpips", "perceptual"), "faces"
"""Metrics that blocks are judged by: of the frame the first of these that was measured, and around faces."""
LEAST_POINTS = 4
"""Points of a peer without which there is no figure."""
LEAST_SECONDS = 1.0
"""A last block that is shorter counts to the one before it."""
_VISIBLE = 1e-4
"""Distances below are those of equal pictures, and have no ratio."""


@dataclass(frozen=True)
class Span:
    """Frames ``first`` to before ``end`` of a clip, and their bytes."""

    first: int
    end: int
    bytes: int

    def mean(self, values: Values | None) -> float | None:
        """The mean of the frames that have a value."""
        known = [v for v in (values or [])[self.first : self.end] if v is not None]
        return sum(known) / len(known) if known else None


def judged_by(video: VideoAtSize) -> list[Metric]:
    """The metrics that tell how near blocks are: of the frame, around faces; those that were measured."""
    whole = [m for name in WHOLE for m in video.metrics if m.name == name]
    return [*whole[:1], *(m for m in video.metrics if m.name == FACES)]


def spans(ours: Ours, measured: MeasuredPoint, video: VideoAtSize) -> list[Span]:
    """The blocks of a file of ours; none where they do not hold the clip's frames one by one."""
    try:
        blocks = ours.blocks(unpack(measured.outcome.stream))
    except NeurocodecError:
        return []
    ends = list(accumulate(frames for frames, _ in blocks))
    if not ends or ends[-1] != video.clip.shape[0]:
        return []
    out = [Span(end - frames, end, size) for end, (frames, size) in zip(ends, blocks, strict=True)]
    if len(out) > 1 and (out[-1].end - out[-1].first) / video.clip.fps < LEAST_SECONDS:
        before, last = out[-2:]
        out[-2:] = [Span(before.first, last.end, before.bytes + last.bytes)]
    return out


@dataclass(frozen=True)
class _PeerPoint:
    """A peer's point: bytes up to each frame, and by metric one value a frame."""

    bytes: list[int]
    values: dict[str, Values | None]


def _peer_points(video: VideoAtSize, peer: Codec, metrics: Sequence[Metric]) -> list[_PeerPoint]:
    out = []
    for measured in video.of(peer):
        sizes = peer.bytes_of_frames(unpack(measured.outcome.stream), video.clip.shape[0])
        if sizes is not None:
            values = {m.name: measured.values(m) for m in metrics}
            out.append(_PeerPoint(list(accumulate(sizes, initial=0)), values))
    return out


def _curve(points: Sequence[_PeerPoint], metric: str, span: Span, seconds: float) -> list[RatePoint]:
    """A peer's rates and distances in the frames of a span."""
    pairs = ((p.bytes[span.end] - p.bytes[span.first], span.mean(p.values[metric])) for p in points)
    return [
        RatePoint(8 * size / seconds / 1000, value) for size, value in pairs if size and value is not None
    ]


def _beside(mine: float | None, curve: Sequence[RatePoint], kbps: float) -> dict[str, Any] | None:
    """A peer's distance at our bytes, and ours over it; None without enough points.

    Where ours takes more than all of the peer's points there is a ratio only if ours is further than the best
    of them: at our bytes the peer would be nearer still.
    """
    if mine is None or len(curve) < LEAST_POINTS:
        return None
    found = distance_at(curve, kbps)
    ratio = mine / found.value if found.value > _VISIBLE else None
    if found.status == "beyond" and ratio is not None and ratio <= LIMIT:
        ratio = None
    return {"status": found.status, "value": found.value, "ratio": ratio}


def by_blocks(video: VideoAtSize, result: Result) -> list[dict[str, Any]]:
    """For each of our points the blocks of its file, and each peer beside them; nothing without a metric."""
    metrics = judged_by(video)
    if not metrics:
        return []
    peers = {peer.name: _peer_points(video, peer, metrics) for peer in result.peers}
    out = []
    for measured in video.of(result.ours):
        blocks = []
        for span in spans(result.ours, measured, video):
            seconds = float((span.end - span.first) / video.clip.fps)
            kbps = 8 * span.bytes / seconds / 1000
            mine = {m.name: span.mean(measured.values(m)) for m in metrics}
            blocks.append(
                {
                    "begin": float(span.first / video.clip.fps),
                    "end": float(span.end / video.clip.fps),
                    "frames": span.end - span.first,
                    "bytes": span.bytes,
                    "kbps": kbps,
                    "values": mine,
                    "against": {
                        peer: {
                            name: found
                            for name, value in mine.items()
                            if (found := _beside(value, _curve(points, name, span, seconds), kbps))
                        }
                        for peer, points in peers.items()
                    },
                }
            )
        label = measured.codec.label(measured.point)
        out.append({"label": label, "default": measured.default, "blocks": blocks})
    return out


def kept(found: Iterable[tuple[VideoAtSize, dict[str, Any]]], peer: str) -> dict[str, Any] | None:
    """In how many blocks, of these videos' points, ours is no further than a peer; None without a figure.

    A block counts if it has a ratio, and is ``kept`` if none of its ratios is above the limit; ``worst`` is
    the largest ratio of all.
    """
    ratios = [
        (max((f["ratio"], name) for name, f in known.items()), Path(video.source.path).stem, block)
        for video, point in found
        for block in point["blocks"]
        if (known := {n: f for n, f in block["against"][peer].items() if f["ratio"] is not None})
    ]
    if not ratios:
        return None
    (ratio, metric), name, block = max(ratios, key=lambda r: r[0][0])
    where = {"video": name, "begin": block["begin"], "end": block["end"]}
    return {
        "kept": sum(largest[0] <= LIMIT for largest, _, _ in ratios),
        "of": len(ratios),
        "worst": {"ratio": ratio, "metric": metric, **where},
    }


def summary_of_blocks(videos: Sequence[VideoAtSize], result: Result) -> dict[str, Any]:
    """By peer :func:`kept` of our default (``default``) and of all our points (``all``)."""
    points = [(video, point) for video in videos for point in by_blocks(video, result)]
    out = {}
    for peer in result.peers:
        default = kept(((v, p) for v, p in points if p["default"]), peer.name)
        if default is not None:
            out[peer.name] = {"default": default, "all": kept(points, peer.name)}
    return out
