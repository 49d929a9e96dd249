"""Whole comparisons: what is done, found again, skipped, reported."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import cut
from command_line import call, refused
from places import SAMPLES
from workers_here import Here

from neurocodec.compare import report, terminal, verdict
from neurocodec.compare.cache import PointCache
from neurocodec.compare.coding_job import CodingJob, run_job
from neurocodec.compare.html import write_report
from neurocodec.compare.run import Plan, Result, compare, opened
from neurocodec.compare.summaries import against, summary_against
from neurocodec.errors import UsageError
from neurocodec.format.reader import NfcReader
from neurocodec.measure.clips import ClipSource, load_clip, lossless
from neurocodec.measure.metric import MetricFiles
from neurocodec.measure.registry import METRICS as KNOWN_METRICS
from neurocodec.peers import registry
from neurocodec.peers.codec import Codec, Point
from neurocodec.peers.ours import LADDERS

METRICS = ("psnr_rgb", "ssim", "flicker")


def plan(*peers: str, metrics: Sequence[str] = METRICS, **options: Any) -> Plan:
    codecs: list[Codec] = [registry.CODECS[name]() for name in peers or ("h264",)]
    return Plan(codecs, [KNOWN_METRICS[m](MetricFiles()) for m in metrics], **options)


def go(videos: Sequence[Path], folder: Path, made: Plan, workers: Here | None = None) -> Result:
    return compare(
        videos, made, PointCache(folder / "cache"), workers or Here(), lambda done, total, what: None
    )


@pytest.fixture(scope="module", autouse=True)
def few_points() -> Iterator[None]:
    """Short ladders: two points of ours, four of H.264."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LADDERS, "default", ("quality", (20,)))
        patch.setattr(registry.CODECS["h264"], "levels", (30, 40))
        yield


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames; recoded, so that the file does not say that it is synthetic."""
    return cut(SAMPLES / "astronaut.mp4", tmp_path_factory.mktemp("short") / "short.mp4", 6)


@pytest.fixture(scope="module")
def compared(short: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path, Here]:
    """One finished comparison with H.264."""
    folder, workers = tmp_path_factory.mktemp("compared"), Here()
    return go([short], folder, plan(seconds=10), workers), folder, workers


@pytest.mark.slow
def test_report(compared: tuple[Result, Path, Here], short: Path) -> None:
    result, folder, _ = compared
    found = report.build(result)
    report.save(found, folder / "report.json")
    read = json.loads((folder / "report.json").read_text())
    assert (read["format"], read["version"]) == ("neurocodec-compare", 1)
    assert read["failures"] == read["skipped"] == []
    assert set(read["codecs"]) == {"ours", "h264", "frozen"}
    assert "libx264" in read["codecs"]["h264"]["version"] and "crf is varied" in str(read["codecs"]["h264"])
    video = read["videos"][0]
    assert (video["frames"], video["synthetic"]) == (6, False)
    view = video["sizes"]["model"]
    assert (view["width"], view["height"]) == (256, 256)
    default = next(p for p in view["points"] if p["default"])
    assert default["codec"] == "ours"
    assert default["bits"] == 8 * default["bytes"]
    assert default["bits_per_frame"] == pytest.approx(default["bits"] / 6)
    assert default["kbps"] == pytest.approx(default["bits"] / video["seconds"] / 1000)
    assert default["ratio_raw"] == pytest.approx(6 * 256 * 256 * 3 / default["bytes"])
    source = video["source"]["video_bytes_of_these_frames"]
    assert default["ratio_source"] == pytest.approx(source / default["bytes"])
    assert 0 < source <= short.stat().st_size
    for point in view["points"]:
        assert set(point["means"]) == set(METRICS)
    held = [p for p in view["points"] if p["codec"] == "frozen"]
    ours = [p for p in view["points"] if p["codec"] == "ours"]
    assert len(held) == len(ours)
    assert all(p["bytes"] <= p["point"]["budget"] for p in held)
    shown_codecs = [s["codec"] for s in view["shown"]]
    assert shown_codecs == ["ours", "h264", "frozen"]
    assert all(len(s["frames"]["psnr_rgb"]) == 6 for s in view["shown"])
    facts = read["videos"][0]["sizes"]["model"]["against"]["ssim"]["h264"]
    assert facts["at_default"]["status"] in ("inside", "cheaper", "out of reach")


def test_terminal(compared: tuple[Result, Path, Here]) -> None:
    found = report.build(compared[0])
    lines = terminal.lines(found)
    text = "\n".join(lines)
    assert len(lines) <= 10
    assert lines[0].startswith("short at 256x256: our default takes ") and "PSNR" in lines[0]
    assert lines[1].strip().startswith("H.264")
    assert "at about our rate" in text and "frozen reference" in text
    assert "Only synthetic" not in text and "BD-rate" not in text


@pytest.mark.slow
def test_blocks_and_faces(short: Path, tmp_path: Path) -> None:
    result = go([short], tmp_path, plan(metrics=("perceptual", "faces", "eyes")))
    found = report.build(result)
    default = next(p for p in found["videos"][0]["sizes"]["model"]["blocks"] if p["default"])
    (block,) = default["blocks"]
    point = next(p for p in found["videos"][0]["sizes"]["model"]["points"] if p["default"])
    assert block["bytes"] == point["bytes"] and block["kbps"] == pytest.approx(point["kbps"])
    assert block["values"]["perceptual"] == pytest.approx(point["means"]["perceptual"])
    assert 0 < block["values"]["faces"] == pytest.approx(point["means"]["faces"])
    assert set(block["against"]["h264"]) == {"perceptual", "faces"}
    ratios = [f["ratio"] for f in block["against"]["h264"].values() if f["ratio"] is not None]
    assert ratios
    counted = found["summary"]["model"]["blocks"]["h264"]
    assert counted["default"]["of"] == 1 and counted["default"]["worst"]["ratio"] == max(ratios)
    text = "\n".join(terminal.lines(found))
    assert len(terminal.lines(found)) <= 10
    assert text.count("1 blocks of 5 s we are as near as H.264") == 1
    write_report(result, found, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Block by block" in page and "1 block of five seconds" in page
    assert page.index('<div class="verdict">') < page.index("Block by block")


@pytest.mark.slow
def test_html_opens_offline(compared: tuple[Result, Path, Here]) -> None:
    result, folder, _ = compared
    write_report(result, report.build(result), folder)
    page = (folder / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:video/mp4;base64,") == 1
    assert page.count("data:image/jpeg;base64,") >= 3 * 4
    for name in METRICS:
        assert (folder / "plots" / f"model_{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / "plots" / f"model_{name}.svg").read_bytes()
    for words in (
        "H.264 (x264 veryslow)",
        "frozen reference",
        "keyint=infinite",
        "At the quality of our default",
        "Where ours is worst",
        "Judged by PSNR",
    ):
        assert words in page
    order = [
        page.index(x) for x in ("<video", "Where ours is worst", '<div class="verdict">', "At about our")
    ]
    assert order == sorted(order)


@pytest.mark.slow
def test_the_video_in_the_page_plays(compared: tuple[Result, Path, Here]) -> None:
    import base64
    import io

    import av

    result, folder, _ = compared
    write_report(result, report.build(result), folder)
    data = re.search(r"data:video/mp4;base64,([^\"]+)", (folder / "report.html").read_text())
    assert data
    with av.open(io.BytesIO(base64.b64decode(data.group(1)))) as movie:
        frames = list(movie.decode(video=0))
    assert len(frames) == 6
    assert (frames[0].width, frames[0].height) == (4 * 256, 256 + 24)


def test_finished_points_are_found_again(compared: tuple[Result, Path, Here], short: Path) -> None:
    result, folder, workers = compared
    assert len(workers.tasks) == len(result.videos[0].at_sizes[0].points)
    nothing = Here()
    again = go([short], folder, plan(), nothing)
    assert not nothing.tasks
    a, b = (report.build(r)["summary"] for r in (result, again))
    assert json.dumps(report.finite(a)) == json.dumps(report.finite(b))
    more = Here()
    go([short], folder, plan(metrics=(*METRICS, "psnr_y")), more)
    assert len(more.tasks) == len(workers.tasks)
    assert all(t.stream and [m.name for m in t.metrics] == ["psnr_y"] for t in more.tasks)  # not coded again


@pytest.mark.slow
def test_a_broken_off_comparison_goes_on(short: Path, tmp_path: Path) -> None:
    class Interrupted(Here):
        def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
            for count, result in enumerate(super().run(function, tasks)):
                if count == 3:
                    raise KeyboardInterrupt
                yield result

    with pytest.raises(KeyboardInterrupt):
        go([short], tmp_path, plan(), Interrupted())
    assert len(list((tmp_path / "cache").glob("*.json"))) == 3
    (damaged, *_) = sorted((tmp_path / "cache").glob("*.bin"))
    damaged.write_bytes(b"cut off")
    rest = Here()
    result = go([short], tmp_path, plan(), rest)
    assert len(rest.tasks) == len(result.videos[0].at_sizes[0].points) - 2
    forced = Here()
    go([short], tmp_path, plan(force=True, metrics=("psnr_rgb",)), forced)
    assert len(forced.tasks) == len(result.videos[0].at_sizes[0].points)


def test_matched_points_come_close(compared: tuple[Result, Path, Here]) -> None:
    result = compared[0]
    at_size = result.videos[0].at_sizes[0]
    default = at_size.default()
    assert default is not None
    codec = registry.CODECS["h264"]()
    ratios = [max(r, 1 / r) for r in (at_size.kbps(m) / at_size.kbps(default) for m in at_size.of(codec))]
    chosen = at_size.best_match(codec)
    assert chosen is not None
    ratio = at_size.kbps(chosen) / at_size.kbps(default)
    assert max(ratio, 1 / ratio) <= max(1.15, min(ratios))
    # with every integer between two rungs already there, nothing is left to add
    assert at_size.between_rungs(codec) == [] or all(
        p["crf"] not in (30, 34) for p in at_size.between_rungs(codec)
    )


@pytest.mark.slow
def test_metrics_that_are_missing_are_named(short: Path, tmp_path: Path) -> None:
    result = go([short], tmp_path, plan(metrics=("psnr_rgb", "lpips", "identity")))
    assert set(result.missing_metrics) == {"lpips", "identity"}
    built = report.build(result)
    text = "\n".join(terminal.not_measured(built, ["psnr_rgb", "lpips", "identity"]))
    assert "not measured: lpips: no weights" in text
    assert "not measured: identity: no network" in text
    assert "lpips" not in "\n".join(terminal.lines(built))  # said only where it was asked for by name


@pytest.mark.slow
def test_a_missing_encoder_and_a_failing_one(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurocodec.errors import UnsupportedError

    class Broken(registry.CODECS["h264"]):  # type: ignore[misc]
        name, title = "broken", "broken codec"

        def encode(self, frames: Any, fps: Any, point: Point) -> list[bytes]:
            raise UnsupportedError("it broke")

    class Absent(registry.CODECS["h264"]):  # type: ignore[misc]
        name, title, encoder = "absent", "absent codec", "libnothing"

    made = plan()
    made.peers = [Broken(), Absent()]
    found = report.build(go([short], tmp_path, made))
    assert found["codecs"]["absent"]["missing"] == "this build of PyAV has no libnothing"
    assert len(found["failures"]) == 4
    assert "broken codec, crf 30: it broke" in found["failures"][0]
    assert {p["codec"] for p in found["videos"][0]["sizes"]["model"]["points"]} == {"ours", "frozen"}


@pytest.mark.slow
def test_synthetic_clips_make_no_headline(compared: tuple[Result, Path, Here], short: Path) -> None:
    folder = compared[1]
    both = report.build(go([SAMPLES / "astronaut_sound.mp4", short], folder, plan(seconds=0.24)))
    assert [v["synthetic"] for v in both["videos"]] == [True, False]
    summary = both["summary"]["model"]
    assert (summary["videos"], summary["synthetic_left_out"], summary["synthetic_only"]) == (1, 1, False)
    assert "1 synthetic left out" in "\n".join(terminal.lines(both))
    alone = report.build(go([SAMPLES / "astronaut_sound.mp4"], folder, plan(seconds=0.24)))
    assert alone["summary"]["model"]["synthetic_only"]
    assert "say nothing about how well it does on people" in "\n".join(terminal.lines(alone))


@pytest.mark.slow
def test_at_the_sources_size(tmp_path: Path) -> None:
    from media_factory import make_clip

    wide = make_clip(tmp_path / "wide.mp4", width=384, height=216, frames=3)
    found = report.build(go([wide], tmp_path, plan(metrics=("psnr_rgb",), sizes=("model", "source"))))
    sizes = found["videos"][0]["sizes"]
    assert [(s["width"], s["height"]) for s in sizes.values()] == [(256, 144), (384, 216)]
    for size in sizes.values():
        assert {p["codec"] for p in size["points"]} == {"ours", "h264", "frozen"}
    assert set(found["summary"]) == {"model", "source"}


def test_summary_counts_what_is_outside() -> None:
    def one(status: str, kbps: float | None) -> dict[str, Any]:
        bd = {
            "pchip": -50.0 if kbps else None,
            "akima": -50.0 if kbps else None,
            "overlap": 1,
            "warning": None,
        }
        bound = None if kbps else 2.0
        at = {"status": status, "ours_kbps": 5.0, "peer_kbps": kbps, "bound_kbps": bound, "quality": 1}
        return {"bd": bd, "at_default": at}

    found = summary_against([one("inside", 10.0), one("inside", 20.0), one("cheaper", None)])
    assert found["counts"] == {"inside": 2, "cheaper": 1, "out of reach": 0}
    assert found["peer_kbps"] == pytest.approx(200**0.5)
    assert found["ours_kbps"] == pytest.approx(5)
    assert found["rate_change_percent"]["mean"] == pytest.approx(100 * (5 / 200**0.5 - 1))
    text = verdict.answer("HEVC", found, 3)
    assert "HEVC needs 14.1 kbit/s where we need 5.0: 65 % saved (on 2 of 3 videos" in text
    assert "on 1 it is better even at its lowest rate" in text
    assert found["best_case_percent"] == pytest.approx(100 * (5 / 400 ** (1 / 3) - 1))  # 10, 20 and below 2
    assert "over all at best 32 % saved" in text
    beyond = summary_against([one("inside", 10.0), one("cheaper", None), one("out of reach", None)])
    assert beyond["best_case_percent"] is None
    assert summary_against([one("inside", 10.0)])["best_case_percent"] is None


def test_figures_agree_with_the_points(compared: tuple[Result, Path, Here]) -> None:
    result = compared[0]
    at_size = result.videos[0].at_sizes[0]
    default = at_size.default()
    assert default is not None
    codec, metric = registry.CODECS["h264"](), result.plan.metrics[0]
    found = against(at_size, codec, metric, result.ours)
    assert found is not None
    assert found["at_default"]["ours_kbps"] == pytest.approx(
        8 * default.outcome.bytes / at_size.clip.seconds / 1000
    )
    assert found["at_default"]["quality"] == pytest.approx(default.mean(metric))


def test_plans_that_cannot_be(short: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seconds must be positive"):
        go([short], tmp_path, plan(seconds=0))
    with pytest.raises(UsageError, match="every must be at least 1"):
        go([short], tmp_path, plan(every=0))


def test_a_worker_that_differs_is_noticed(short: Path) -> None:
    source = ClipSource(str(short), 0.1, 64)
    codec, point = registry.CODECS["h264"](), {"crf": 30, "scale": 1}
    outcome = run_job(CodingJob(source, "0" * 64, codec, point, (), 1))
    assert "other frames here" in str(outcome.error)
    digest = load_clip(source).digest
    outcome = run_job(CodingJob(source, digest, codec, point, (), 1, identity="another"))
    assert "another version here" in str(outcome.error)
    assert (
        run_job(CodingJob(source, digest, codec, point, (), 1, identity=codec.identity(point))).error is None
    )


@pytest.mark.slow
def test_command(short: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    arguments = ("-q", "--against", "h264", "--metrics", "psnr_rgb", "--seconds", "0.1", "--jobs", "1")
    done = call("compare", short, bad, *arguments, "--out", tmp_path / "out", "--json")
    assert done.returncode == 3, done.stderr
    assert b"1 of 2 videos could not be compared" in done.stderr and b"not a media file" in done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
    done = call("compare", short, *arguments, "--out", tmp_path / "out", "--no-html")
    assert done.returncode == 0, done.stderr
    assert b"at about our rate" in done.stdout


def test_command_refuses(short: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, expected, words in (
        ((short, "--against", "divx"), 2, ("unknown codec 'divx'", "hevc", "vvc")),
        ((short, "--metrics", "ssmi"), 2, ("unknown metric 'ssmi'", "ms_ssim", "vmaf")),
        ((short, "--set", "speed=9"), 2, ("unknown option 'speed'", "quantization")),
        ((short, "--set", "target_kbps=9"), 2, ("target_kbps does not go with a comparison",)),
        ((short, "--lpips", tmp_path / "none"), 3, ("no file",)),
        ((tmp_path / "empty",), 3, ("holds no videos",)),
    ):
        refused(call("compare", "-q", *arguments, "--out", tmp_path / "out"), expected, *words)


@pytest.mark.slow
def test_quick(short: Path, tmp_path: Path) -> None:
    told: list[str] = []
    made = plan(metrics=("psnr_rgb",), quick=True)
    result = compare([short], made, PointCache(tmp_path), Here(), lambda done, total, what: told.append(what))
    at_size = result.videos[0].at_sizes[0]
    assert len(at_size.of(registry.CODECS["h264"]())) == 3
    points = {m.point["quality"]: m for m in at_size.of(result.ours)}
    assert sorted(points) == [20, 50]
    default, other = (points[q].outcome.stream[4:] for q in (50, 20))
    assert NfcReader(io.BytesIO(default)).header.layered == NfcReader(io.BytesIO(other)).header.layered
    assert points[20].point["region"] and result.ours.label(points[20].point) == "quality 20"
    assert any(what.startswith("H.264 (x264 veryslow), crf") for what in told)
    text = "\n".join(terminal.lines(report.build(result)))
    assert "H.264" in text and "neurocodec" in text and "blocks of five" not in text


def test_sentences() -> None:
    def facts(ours: float, theirs: float, **counts: int) -> dict[str, Any]:
        change = {"mean": 100 * (ours / theirs - 1), "low": None, "high": None, "count": 1}
        return {
            "counts": {k: counts.get(k.replace(" ", "_"), 0) for k in ("inside", "cheaper", "out of reach")},
            "ours_kbps": ours, "peer_kbps": theirs, "rate_change_percent": change, "best_case_percent": None,
        }  # fmt: skip

    assert verdict.answer("AV1", facts(5, 10, inside=1), 1) == (
        "AV1 needs 10.0 kbit/s where we need 5.0: 50 % saved"
    )
    assert verdict.answer("AV1", facts(5, 10, cheaper=2), 2) == (
        "AV1 is better even at its lowest rate, on all 2 videos"
    )
    assert verdict.answer("AV1", facts(5, 10, out_of_reach=1), 1) == (
        "AV1 does not get there at any rate that was tried"
    )

    def found(*stretches: tuple[float, float, bool]) -> list[str]:
        better = [{"low": a, "high": b, "ours": ours} for a, b, ours in stretches]
        made = {"metrics": {"ssim": {"better": {"av1": better}, "peers": {}}}}
        return verdict.where({"metrics": {"ssim": {}}, "codecs": {"av1": {"title": "AV1 (x)"}}}, made)

    assert found((4, 7, True), (7, 20, False)) == ["below 7.0 kbit/s we are better, above it AV1 is"]
    assert found((4, 20, False)) == ["from 4.0 to 20.0 kbit/s AV1 is better throughout"]
    assert found() == ["we and AV1 have no rate in common"]
    assert found((1, 2, True), (2, 3, False), (3, 4, True)) == [
        "we are better than AV1 at 1.0 to 2.0, 3.0 to 4.0 kbit/s, of 1.0 to 4.0 that both have"
    ]


def test_quick_reduces_large_pictures(tmp_path: Path) -> None:
    large, made = (
        tmp_path / "large.mp4",
        plan(metrics=("psnr_rgb",), seconds=0.2, quick=True, sizes=("auto",)),
    )
    large.write_bytes(lossless(np.zeros((3, 720, 1280, 3), np.uint8), Fraction(25)).getvalue())

    def size(made: Plan) -> tuple[str, int, int]:
        found = opened(str(large), made, 256).at_sizes[0]
        return found.size, found.clip.width, found.clip.height

    assert size(made) == ("reduced", 480, 270)
    assert size(replace(made, quick=False)) == ("source", 1280, 720)
    assert size(replace(made, sizes=("source",))) == ("source", 1280, 720)
