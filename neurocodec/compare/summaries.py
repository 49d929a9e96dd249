"""From finished points to figures: per video and over all videos, as plain dictionaries for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import geometric_mean
from typing import Any

from neurocodec.compare.aggregate import Interval, mean_change, mean_of
from neurocodec.compare.curves import RatePoint, bd_rate, rate_at, stretches
from neurocodec.compare.measured import MeasuredPoint, VideoAtSize
from neurocodec.compare.run import Result
from neurocodec.measure.metric import Metric
from neurocodec.peers.codec import Codec


def point_figures(video: VideoAtSize, measured: MeasuredPoint) -> dict[str, Any]:
    """Bits, rate, ratios, times and metric means of one point.

    The ratios are of the source file's video packets of the same frames, and of the raw frames (8-bit RGB
    at the compared size), to the coded bytes.
    """
    count, height, width, _ = video.clip.shape
    size = measured.outcome.bytes
    return {
        "codec": measured.codec.name,
        "label": measured.codec.label(measured.point),
        "point": measured.point,
        "default": measured.default,
        "bytes": size,
        "bits": 8 * size,
        "bits_per_frame": 8 * size / count,
        "kbps": video.kbps(measured),
        "ratio_source": video.clip.source_bytes / size,
        "ratio_raw": count * width * height * 3 / size,
        "encode_seconds": round(measured.outcome.encode_seconds, 3),
        "decode_seconds": round(measured.outcome.decode_seconds, 3),
        "means": {m.name: measured.mean(m) for m in video.metrics},
    }


def against(video: VideoAtSize, peer: Codec, metric: Metric, ours: Codec) -> dict[str, Any] | None:
    """BD-rate and the rate at our default's quality, for one video, peer and metric."""
    default = video.default()
    theirs, mine = video.curve(peer, metric), video.curve(ours, metric)
    quality = default.mean(metric) if default else None
    if not theirs or not mine or default is None or quality is None:
        return None
    answer = rate_at(theirs, quality, metric.better)
    rate = video.kbps(default)
    return {
        "bd": asdict(bd_rate(theirs, mine, metric.better)),
        "at_default": {
            "quality": quality,
            "ours_kbps": rate,
            "status": answer.status,
            "peer_kbps": answer.kbps,
            "bound_kbps": answer.bound,
            "saved_percent": None if answer.kbps is None else 100 * (1 - rate / answer.kbps),
        },
    }


def _interval(found: Interval | None) -> dict[str, Any] | None:
    return asdict(found) if found else None


def _best_case(answers: Sequence[dict[str, Any]]) -> float | None:
    """See :func:`summary_against`; None where every answer is ``inside`` or one is out of reach."""
    if not {"cheaper"} <= {a["status"] for a in answers} <= {"cheaper", "inside"}:
        return None
    rates = [a["peer_kbps"] or a["bound_kbps"] for a in answers]
    return 100 * (geometric_mean([a["ours_kbps"] for a in answers]) / geometric_mean(rates) - 1)


def summary_against(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several videos' :func:`against` of one peer and metric together.

    Rates are geometric means over the videos whose answer is ``inside``, so that they agree with the
    percentage; ``counts`` tells how many were not.  Where a peer is ``cheaper`` on some videos and out of
    reach on none, ``best_case_percent`` is the mean change over all of them with the peer's lowest coded
    rate in those places: the true one is no better for us.
    """
    answers = [f["at_default"] for f in found]
    inside = [a for a in answers if a["status"] == "inside"]
    deltas = {
        kind: _interval(mean_change([f["bd"][kind] for f in found if f["bd"][kind] is not None]))
        for kind in ("pchip", "akima")
    }
    saved = mean_change([100 * (a["ours_kbps"] / a["peer_kbps"] - 1) for a in inside])
    return {
        "counts": {
            status: sum(a["status"] == status for a in answers)
            for status in ("inside", "cheaper", "out of reach")
        },
        "ours_kbps": geometric_mean([a["ours_kbps"] for a in inside]) if inside else None,
        "peer_kbps": geometric_mean([a["peer_kbps"] for a in inside]) if inside else None,
        "rate_change_percent": _interval(saved),
        "best_case_percent": _best_case(answers),
        "bd_pchip": deltas["pchip"],
        "bd_akima": deltas["akima"],
        "warnings": sorted({f["bd"]["warning"] for f in found if f["bd"]["warning"]}),
    }


def frozen_scores(videos: Sequence[VideoAtSize], frozen: Codec, metric: Metric) -> dict[str, Any] | None:
    """How often, and by how much, our default beats the frozen reference of the same bytes."""
    pairs = []
    for video in videos:
        default, held = video.default(), video.of_default_bytes(frozen)
        if default and held and metric in video.metrics:
            ours, theirs = default.mean(metric), held.mean(metric)
            if ours is not None and theirs is not None:
                pairs.append((ours, theirs))
    if not pairs:
        return None
    return {
        "ours": _interval(mean_of([a for a, _ in pairs])),
        "frozen": _interval(mean_of([b for _, b in pairs])),
        "difference": _interval(mean_of([a - b for a, b in pairs])),
        "better_on": sum(metric.sign * (a - b) > 0 for a, b in pairs),
        "of": len(pairs),
    }


def beside_default(videos: Sequence[VideoAtSize], result: Result) -> list[dict[str, Any]]:
    """Our default and, codec by codec, what stands beside it at about its rate: means over the videos.

    A codec that has no such point on every video is left out.
    """
    out = []
    for codec in (result.ours, *result.peers, result.frozen):
        found: list[tuple[VideoAtSize, MeasuredPoint]] = []
        for video in videos:
            if codec is result.ours:
                chosen = video.default()
            elif codec is result.frozen:
                chosen = video.of_default_bytes(codec)
            else:
                chosen = video.best_match(codec)
            if chosen is not None:
                found.append((video, chosen))
        if not videos or len(found) < len(videos):
            continue
        values = {
            m.name: [point.mean(m) for video, point in found if m in video.metrics]
            for m in result.plan.metrics
        }
        known = {n: [x for x in v if x is not None] for n, v in values.items()}
        out.append(
            {
                "codec": codec.name,
                "kbps": sum(video.kbps(point) for video, point in found) / len(found),
                "means": {n: sum(v) / len(v) if v else None for n, v in known.items()},
            }
        )
    return out


def who_is_better(rows: Sequence[dict[str, Any]], metric: Metric, result: Result) -> dict[str, Any]:
    """By peer: rates at which our mean curve is the better one, and those at which theirs is."""
    curves: dict[str, list[RatePoint]] = {}
    for row in rows:
        value = row["means"].get(metric.name)
        if value is not None:
            curves.setdefault(row["codec"], []).append(RatePoint(row["kbps"], value))
    ours = curves.get(result.ours.name, [])
    return {
        peer.name: [asdict(s) for s in stretches(curves.get(peer.name, []), ours, metric.better)]
        for peer in result.peers
    }


def mean_rows(videos: Sequence[VideoAtSize], result: Result) -> list[dict[str, Any]]:
    """Each rung's mean rate and metrics over the videos; rungs that not every video has are left out.

    The frozen reference's rungs go by the point of ours whose bytes they have.
    """
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for video in videos:
        twins = {m.outcome.bytes: m for m in video.of(result.ours)}
        for measured in video.points:
            figures = point_figures(video, measured)
            if measured.codec is result.frozen:
                twin = twins[measured.point["budget"]]
                figures |= {"label": f"bytes of {result.ours.label(twin.point)}", "default": twin.default}
            rows.setdefault((measured.codec.name, figures["label"]), []).append(figures)
    numbers = ("bytes", "bits", "bits_per_frame", "kbps", "ratio_source", "ratio_raw")
    out = []
    for (codec, label), found in rows.items():
        if len(found) == len(videos):
            means = {m.name: [f["means"].get(m.name) for f in found] for m in result.plan.metrics}
            row = {"codec": codec, "label": label, "default": found[0]["default"], "videos": len(found)}
            row |= {n: sum(f[n] for f in found) / len(found) for n in numbers}
            row["means"] = {n: None if None in v else sum(v) / len(v) for n, v in means.items()}
            out.append(row)
    return sorted(out, key=lambda r: (r["codec"], r["kbps"]))
