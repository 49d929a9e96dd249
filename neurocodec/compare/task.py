"""One point of a comparison: encode, decode, measure.  What a worker does, on any machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from neurocodec.errors import NeurocodecError
from neurocodec.measure.clips import ClipSource, load_clip
from neurocodec.measure.metric import Metric, Values
from neurocodec.peers.codec import Codec, Point, pack, unpack


@dataclass(frozen=True)
class Task:
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


def run_task(task: Task) -> Outcome:
    """Do one point.  A failing codec or metric is told in the outcome, not raised."""
    import torch

    torch.set_num_threads(task.threads)
    out = Outcome()
    try:
        clip = load_clip(task.source)
        if clip.digest != task.digest:
            raise NeurocodecError(f"{task.source.path} has other frames here than where the comparison began")
        if task.identity not in (None, task.codec.identity(task.point)):
            raise NeurocodecError(
                f"{task.codec.title} is another version here than where the comparison began"
            )
        if task.stream is None:
            begun = time.perf_counter()
            packets = task.codec.encode(clip.frames, clip.fps, task.point)
            out.encode_seconds = time.perf_counter() - begun
        else:
            packets = unpack(task.stream)
        out.stream, out.bytes = pack(packets), sum(map(len, packets))
        begun = time.perf_counter()
        decoded = task.codec.decode(packets, clip.frames.shape, clip.fps, task.point)
        out.decode_seconds = time.perf_counter() - begun
    except NeurocodecError as error:
        out.error = str(error)
        return out
    for metric in task.metrics:
        try:
            out.values[metric.identity()] = metric.measure(clip.frames, decoded, clip.fps, task.every)
        except NeurocodecError as error:
            out.failed[metric.name] = str(error)
    return out
