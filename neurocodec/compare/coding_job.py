"""One point of one clip: encode, decode, measure.  What a worker does, on any machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from neurocodec.errors import NeurocodecError
from neurocodec.measure.clips import ClipSource, load_clip
from neurocodec.measure.metric import Metric, Values
from neurocodec.peers.codec import Codec, Point, pack, unpack


@dataclass(frozen=True)
class CodingJob:
    """A point to be done.

    ``stream`` is what was coded before, ``digest`` that of the clip's frames; ``identity`` is the codec's
    where the comparison began (None: not checked), which a worker with other code or another model must not
    mix with its own.
    """

    source: ClipSource
    digest: str
    codec: Codec
    point: Point
    metrics: tuple[Metric, ...]
    every: int
    threads: int = 1
    stream: bytes | None = None
    identity: str | None = None


@dataclass
class Outcome:
    """What became of it: the coded packets, their bytes, and by metric identity one value a frame."""

    stream: bytes = b""
    bytes: int = 0
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
    values: dict[str, Values] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    error: str | None = None


def run_job(job: CodingJob) -> Outcome:
    """Do one point.  A failing codec or metric is told in the outcome, not raised."""
    import torch

    torch.set_num_threads(job.threads)
    out = Outcome()
    try:
        clip = load_clip(job.source)
        if clip.digest != job.digest:
            raise NeurocodecError(f"{job.source.path} has other frames here than where the comparison began")
        if job.identity not in (None, job.codec.identity(job.point)):
            raise NeurocodecError(
                f"{job.codec.title} is another version here than where the comparison began"
            )
        if job.stream is None:
            begun = time.perf_counter()
            packets = job.codec.encode(clip.frames, clip.fps, job.point)
            out.encode_seconds = time.perf_counter() - begun
        else:
            packets = unpack(job.stream)
        out.stream, out.bytes = pack(packets), sum(map(len, packets))
        begun = time.perf_counter()
        decoded = job.codec.decode(packets, clip.shape, clip.fps, job.point)
        out.decode_seconds = time.perf_counter() - begun
    except NeurocodecError as error:
        out.error = str(error)
        return out
    for metric in job.metrics:
        try:
            out.values[metric.identity()] = metric.measure(clip.frames, decoded, job.every)
        except NeurocodecError as error:
            out.failed[metric.name] = str(error)
    return out
