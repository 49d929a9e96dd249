"""From finished points to figures: per video and over all videos, as plain dictionaries for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import exp, log
from typing import Any

from neurocodec.compare.aggregate import Interval, mean_change, mean_of
from neurocodec.compare.curves import bd_rate, rate_at
from neurocodec.compare.points import Measured, View
from neurocodec.compare.run import Result
from neurocodec.measure.metric import Metric
from neurocodec.peers.codec import Codec


def point_figures(view: View, measured: Measured) -> dict[str, Any]:
    """Bits, rate, ratios, times and metric means of one point.

    The ratios are of the source file's video packets of the same frames, and of the raw frames (8-bit RGB
    at the compared size), to the coded bytes.
    """
    count, bits = view.shape[0], 8 * measured.outcome.bytes
    raw = count * view.width * view.height * 3
    return {
        "codec": measured.codec.name,
        "label": measured.codec.label(measured.point),
        "point": measured.point,
        "default": measured.default,
        "bytes": measured.outcome.bytes,
        "bits": bits,
        "bits_per_frame": bits / count,
        "kbps": view.kbps(measured),
        "ratio_source": view.clip.source_bytes / measured.outcome.bytes,
        "ratio_raw": raw / measured.outcome.bytes,
        "encode_seconds": round(measured.outcome.encode_seconds, 3),
        "decode_seconds": round(measured.outcome.decode_seconds, 3),
        "means": {m.name: measured.mean(m) for m in view.metrics},
    }


def against(view: View, peer: Codec, metric: Metric, ours: str) -> dict[str, Any] | None:
    """BD-rate and the rate at our default's quality, for one video, peer and metric."""
    default = view.default()
    theirs, mine = view.curve(peer.name, metric), view.curve(ours, metric)
    quality = default.mean(metric) if default else None
    if not theirs or not mine or default is None or quality is None:
        return None
    answer = rate_at(theirs, quality, metric.better)
    rate = view.kbps(default)
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


def peers_with_curves(result: Result) -> list[Codec]:
    """The peers that have a rate-quality curve (all but the frozen reference)."""
    return [p for p in result.peers if p is not result.frozen]


def _geometric(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


def _interval(found: Interval | None) -> dict[str, Any] | None:
    return asdict(found) if found else None


def _best_case(answers: Sequence[dict[str, Any]]) -> float | None:
    """See :func:`summary_against`; None where every answer is ``inside`` or one is out of reach."""
    if not {"cheaper"} <= {a["status"] for a in answers} <= {"cheaper", "inside"}:
        return None
    rates = [a["peer_kbps"] or a["bound_kbps"] for a in answers]
    return 100 * (_geometric([a["ours_kbps"] for a in answers]) / _geometric(rates) - 1)


def summary_against(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several videos' :func:`against` of one peer and metric together.

    Rates are geometric means over the videos whose answer is ``inside``, so that they agree with the
    percentage; ``counts`` tells how many were not.  Where a peer is ``cheaper`` on some videos and out of
    reach on none, ``best_case_percent`` is the mean change over all of them with the peer's lowest coded
    rate in those places: the true one is no better for us.
    """
    inside = [f["at_default"] for f in found if f["at_default"]["status"] == "inside"]
    saved = mean_change([100 * (f["ours_kbps"] / f["peer_kbps"] - 1) for f in inside])
    return {
        "counts": {
            status: sum(f["at_default"]["status"] == status for f in found)
            for status in ("inside", "cheaper", "out of reach")
        },
        "ours_kbps": _geometric([f["ours_kbps"] for f in inside]) if inside else None,
        "peer_kbps": _geometric([f["peer_kbps"] for f in inside]) if inside else None,
        "rate_change_percent": _interval(saved),
        "best_case_percent": _best_case([f["at_default"] for f in found]),
        "bd_pchip": _interval(mean_change([f["bd"]["pchip"] for f in found if f["bd"]["pchip"] is not None])),
        "bd_akima": _interval(mean_change([f["bd"]["akima"] for f in found if f["bd"]["akima"] is not None])),
        "warnings": sorted({f["bd"]["warning"] for f in found if f["bd"]["warning"]}),
    }


def frozen_scores(views: Sequence[View], result: Result, metric: Metric) -> dict[str, Any] | None:
    """How often, and by how much, our default beats the frozen reference of the same bytes."""
    pairs = []
    for view in views:
        default = view.default()
        if default is None or metric not in view.metrics:
            continue
        held = next(
            (m for m in view.of(result.frozen.name) if m.point["budget"] == default.outcome.bytes), None
        )
        ours, theirs = default.mean(metric), held.mean(metric) if held else None
        if ours is not None and theirs is not None:
            pairs.append((ours, theirs))
    if not pairs:
        return None
    sign = 1 if metric.better == "higher" else -1
    return {
        "ours": _interval(mean_of([a for a, _ in pairs])),
        "frozen": _interval(mean_of([b for _, b in pairs])),
        "difference": _interval(mean_of([a - b for a, b in pairs])),
        "better_on": sum(sign * (a - b) > 0 for a, b in pairs),
        "of": len(pairs),
    }


def mean_rows(views: Sequence[View], result: Result) -> list[dict[str, Any]]:
    """Each rung's mean rate and metrics over the videos; rungs that not every video has are left out.

    The frozen reference's rungs go by the point of ours whose bytes they have.
    """
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for view in views:
        twins = {m.outcome.bytes: m for m in view.of(result.ours.name)}
        for measured in view.points:
            figures = point_figures(view, measured)
            if measured.codec is result.frozen:
                twin = twins[measured.point["budget"]]
                figures |= {"label": f"bytes of {result.ours.label(twin.point)}", "default": twin.default}
            rows.setdefault((measured.codec.name, figures["label"]), []).append(figures)
    out = []
    for (codec, label), found in rows.items():
        if len(found) < len(views):
            continue
        means = {}
        for metric in result.plan.metrics:
            values = [f["means"].get(metric.name) for f in found]
            known = [v for v in values if v is not None]
            means[metric.name] = sum(known) / len(known) if len(known) == len(views) else None
        numbers = ("bytes", "bits", "bits_per_frame", "kbps", "ratio_source", "ratio_raw")
        out.append(
            {
                "codec": codec,
                "label": label,
                "default": found[0]["default"],
                "videos": len(found),
                **{n: sum(f[n] for f in found) / len(found) for n in numbers},
                "means": means,
            }
        )
    return sorted(out, key=lambda r: (r["codec"], r["kbps"]))
