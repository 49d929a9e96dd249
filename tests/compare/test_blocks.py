"""Ours beside a peer in blocks of five seconds: whose bytes, whose distance, and what is said of it."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neurocodec.compare import blocks, terminal, verdict
from neurocodec.compare.coding_job import Outcome
from neurocodec.compare.curves import RatePoint, distance_at
from neurocodec.compare.html import strip
from neurocodec.compare.measured import MeasuredPoint, VideoAtSize
from neurocodec.measure.clips import Clip, ClipSource, Frames
from neurocodec.measure.metric import Metric, MetricFiles, Values
from neurocodec.peers.codec import Codec, Point, pack

FPS = 10
FRAMES = 100
"""Two blocks of five seconds."""
TWO = [(50, 500), (50, 500)]


class Known(Metric):
    """A metric whose values are made up."""

    title, better, explained = "made up", "lower", "nothing"

    def __init__(self, name: str) -> None:
        super().__init__(MetricFiles())
        self.name = name  # type: ignore[misc]

    def measure(self, source: Frames, decoded: Frames, every: int) -> Values:
        raise NotImplementedError


class Fake(Codec):
    """A codec that never runs; ours has ``blocks``."""

    def __init__(self, name: str, made: list[tuple[int, int]] | None = None) -> None:
        self.name, self.title, self._blocks = name, f"{name.upper()} (fake)", made or []  # type: ignore[misc]

    def blocks(self, packets: list[bytes]) -> list[tuple[int, int]]:
        return self._blocks

    def missing(self) -> None:
        return None

    def version(self) -> str:
        return "1"

    def settings(self) -> dict[str, str]:
        return {}

    def ladder(self, width: int, height: int) -> list[Point]:
        return []

    def encode(self, frames: Frames, fps: Fraction, point: Point) -> list[bytes]:
        raise NotImplementedError

    def decode(self, packets: list[bytes], shape: tuple[int, ...], fps: Fraction, point: Point) -> Frames:
        raise NotImplementedError


METRICS: list[Metric] = [Known("lpips"), Known("faces")]


def values(first: float, second: float, frames: int = FRAMES) -> Values:
    """One value in each half of a clip, on every fifth frame."""
    return [(first if k < 50 else second) if k % 5 == 0 else None for k in range(frames)]


def point(
    codec: Codec, sizes: tuple[int, int], lpips: Values, faces: Values, packets: int = FRAMES
) -> MeasuredPoint:
    """A coded clip whose packets have one size in each half."""
    stream = [bytes(sizes[k >= 50]) for k in range(packets)]
    found = {"lpips": lpips, "faces": faces}
    return MeasuredPoint(
        codec, {"crf": sizes[0], "scale": 1}, Outcome(pack(stream), sum(map(len, stream)), 0, 0, found)
    )


def video(
    ours: Fake, peer: Fake, *, levels: int = 4, packets: int = FRAMES, mine: Values | None = None
) -> VideoAtSize:
    """A clip of ten seconds.

    The peer's packets have 5, 10, 20, 40 bytes in the first half and twice as many in the second; its
    distance is 0.4, 0.3, 0.2, 0.1 in both, and half that around faces.
    """
    frames = sum(n for n, _ in ours.blocks([]))
    clip = Clip(
        np.empty((0, 64, 64, 3), np.uint8),
        (frames, 64, 64, 3),
        Fraction(FPS),
        1,
        (64, 64),
        "h264",
        False,
        "0",
    )
    made = VideoAtSize("model", ClipSource("/clips/talk.mp4", 10, 64), clip, METRICS)
    default = point(ours, (1, 1), mine or values(0.3, 0.3), values(0.1, 0.1))
    default.default = True
    made.points = [default]
    for k in range(levels):
        size, distance = 5 << k, 0.4 - 0.1 * k
        lpips, faces = (values(f * distance, f * distance) for f in (1, 0.5))
        made.points.append(point(peer, (size, 2 * size), lpips, faces, packets))
    return made


def found(made: VideoAtSize, ours: Fake, *peers: Fake) -> Any:
    result: Any = SimpleNamespace(ours=ours, peers=list(peers))
    return blocks.by_blocks(made, result), blocks.summary_of_blocks([made], result)


def test_distance_at_a_rate() -> None:
    curve = [RatePoint(1, 0.4), RatePoint(2, 0.5), RatePoint(4, 0.2), RatePoint(8, 0.2)]
    assert distance_at(curve, 2).status == "inside"
    assert distance_at(curve, 2).value == pytest.approx(0.3)  # half-way by log rate; 0.5 at 2 is no help
    assert distance_at(curve, 7).value == pytest.approx(0.2)
    assert (distance_at(curve, 0.5).status, distance_at(curve, 0.5).value) == ("coarsest", 0.4)
    assert (distance_at(curve, 9).status, distance_at(curve, 9).value) == ("beyond", 0.2)


def test_bytes_and_distances_are_those_of_the_block() -> None:
    ours, peer = Fake("ours", TWO), Fake("av1")
    ((mine,), _) = found(video(ours, peer), ours, peer)
    assert mine["default"]
    first, second = mine["blocks"]
    assert (first["begin"], first["end"], second["begin"], second["end"]) == (0, 5, 5, 10)
    assert first["kbps"] == pytest.approx(8 * 500 / 5 / 1000)
    # of 500 bytes: ten a frame, which is the peer's second point in the first half, its first in the second
    assert first["against"]["av1"]["lpips"] == {
        "status": "inside", "value": pytest.approx(0.3), "ratio": pytest.approx(1)
    }  # fmt: skip
    assert second["against"]["av1"]["lpips"]["ratio"] == pytest.approx(0.75)
    assert first["against"]["av1"]["faces"]["ratio"] == pytest.approx(0.1 / 0.15)
    assert second["against"]["av1"]["faces"]["ratio"] == pytest.approx(0.1 / 0.2)


def test_below_and_beyond_the_peers_points() -> None:
    ours, peer = Fake("ours", [(50, 100), (50, 10_000)]), Fake("av1")
    ((mine,), summary) = found(video(ours, peer), ours, peer)
    first, second = (b["against"]["av1"]["lpips"] for b in mine["blocks"])
    assert first == {"status": "coarsest", "value": pytest.approx(0.4), "ratio": pytest.approx(0.75)}
    assert second == {"status": "beyond", "value": pytest.approx(0.1), "ratio": pytest.approx(3)}
    assert (summary["av1"]["default"]["kept"], summary["av1"]["default"]["of"]) == (1, 2)
    made = video(ours, peer, mine=values(0.3, 0.1))
    made.metrics = METRICS[:1]
    ((mine,), summary) = found(made, ours, peer)  # as near as the finest point, for more bytes: who knows
    assert mine["blocks"][1]["against"]["av1"]["lpips"]["ratio"] is None
    assert (summary["av1"]["default"]["kept"], summary["av1"]["default"]["of"]) == (1, 1)


def test_nothing_is_said_of_too_little() -> None:
    ours, peer = Fake("ours", TWO), Fake("av1")
    ((mine,), summary) = found(video(ours, peer, levels=3), ours, peer)
    assert mine["blocks"][0]["against"] == {"av1": {}} and not summary
    ((mine,), summary) = found(video(ours, peer, packets=FRAMES - 1), ours, peer)  # not one a frame
    assert mine["blocks"][0]["against"] == {"av1": {}} and not summary
    made = video(ours, peer)
    made.metrics = []
    assert found(made, ours, peer) == ([], {})
    made = video(ours, peer)
    ours._blocks = TWO[:1]  # not the clip's frames
    ((mine,), summary) = found(made, ours, peer)
    assert mine["blocks"] == [] and not summary


def test_no_face_no_figure_of_faces() -> None:
    ours, peer = Fake("ours", TWO), Fake("av1")
    made = video(ours, peer)
    for measured in made.points:
        measured.outcome.values["faces"] = [None] * FRAMES
    ((mine,), summary) = found(made, ours, peer)
    assert set(mine["blocks"][0]["against"]["av1"]) == {"lpips"}
    assert summary["av1"]["default"] == {
        "kept": 2, "of": 2,
        "worst": {"ratio": pytest.approx(1), "metric": "lpips", "video": "talk", "begin": 0, "end": 5},
    }  # fmt: skip


@pytest.mark.parametrize(("last", "count"), [(9, 2), (10, 3)])
def test_a_short_last_block_counts_to_the_one_before(last: int, count: int) -> None:
    ours, peer = Fake("ours", [*TWO, (last, 7)]), Fake("av1")
    made = video(ours, peer)
    cut = blocks.spans(ours, made.points[0], made)  # type: ignore[arg-type]
    assert len(cut) == count
    assert sum(s.bytes for s in cut) == 1007
    assert (cut[0].first, cut[-1].end) == (0, FRAMES + last)


def report_of(mine: Values) -> dict[str, Any]:
    ours, peer = Fake("ours", TWO), Fake("av1")
    made = video(ours, peer, mine=mine)
    points, summary = found(made, ours, peer)
    size = {"blocks": summary, "metrics": {}, "beside": [], "videos": 1}
    size |= {"synthetic_only": False, "synthetic_left_out": 0}
    at_size = {"width": 64, "height": 64, "blocks": points, "missing_metrics": {}}
    return {
        "block_limit": blocks.LIMIT, "metrics": {}, "summary": {"model": size}, "failures": [], "skipped": [],
        "codecs": {"av1": {"title": "AV1 (fake)", "missing": None}},
        "videos": [{"name": "talk", "sizes": {"model": at_size}}],
    }  # fmt: skip


def test_sentence_and_marks() -> None:
    report = report_of(values(0.312, 0.5))
    text = verdict.blocks(report, report["summary"]["model"], "av1")
    assert text == [
        "in 0 of 2 blocks of five seconds ours is at least as near to the original as AV1 at the same bytes "
        "(at most 3 % more); the worst is 25 % further (5 to 10 s, frame)"
    ]
    assert [line.strip() for line in terminal.lines(report)][1:] == [
        "in 0 of 2 blocks of 5 s we are as near as AV1 at the same bytes (3 % allowed); "
        "the worst: 25 % further (5 to 10 s, frame)"
    ]
    table = strip(report, report["videos"][0]["sizes"]["model"]["blocks"])
    assert table is not None
    assert table["heads"] == [("AV1", "frame"), ("AV1", "faces")]
    assert [r["time"] for r in table["rows"]] == ["0 to 5 s", "5 to 10 s"]
    assert [[c["text"] for c in r["cells"]] for r in table["rows"]] == [
        ["1.04 ▲", "0.67"],
        ["1.25 ▲", "0.50"],
    ]
    assert table["rows"][0]["cells"][0]["kind"] == "far"


def test_three_per_cent_more_are_kept() -> None:
    report = report_of(values(0.3087, 0.2))
    (text,) = verdict.blocks(report, report["summary"]["model"], "av1")
    assert text.startswith("in 2 of 2 blocks") and text.endswith("the worst is 3 % further (0 to 5 s, frame)")
    nearer = report_of(values(0.15, 0.2))["summary"]["model"]
    assert verdict.worst_block(nearer["blocks"]["av1"]["default"], 2) == "33 % nearer (talk, 0 to 5 s, faces)"
    assert verdict.blocks(report, nearer, "hevc") == []


def test_all_points_of_ours_are_told_beside_the_default() -> None:
    ours, peer = Fake("ours", TWO), Fake("av1")
    made = video(ours, peer)
    made.points.append(point(ours, (2, 2), values(0.2, 0.6), values(0.1, 0.1)))
    ((_, other), summary) = found(made, ours, peer)
    assert not other["default"]
    assert summary["av1"]["all"] == {
        "kept": 3, "of": 4,
        "worst": {"ratio": pytest.approx(1.5), "metric": "lpips", "video": "talk", "begin": 5, "end": 10},
    }  # fmt: skip
    assert summary["av1"]["default"]["of"] == 2
    report = report_of(values(0.3, 0.3))
    told = verdict.blocks(report, {"blocks": summary, "videos": 1}, "av1")
    assert "at all points of ours together it is so in 3 of 4, and the worst is 50 % further" in told[1]
