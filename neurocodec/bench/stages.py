"""Milliseconds of every stage, one by one, in this process."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from neurocodec.bench import untrained
from neurocodec.format.block import StillCodec
from neurocodec.media.color import BT709
from neurocodec.media.frames import read_squeezed
from neurocodec.media.writer import MediaWriter
from neurocodec.models.cost import count_macs, macs_of
from neurocodec.models.device import BATCH, fold_batch_norms, has_fast_bfloat16
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import ModelDescription, build, find, load
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.models.tensors import picture_tensor
from neurocodec.models.timing import Spread, measure
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.talk import Talk
from neurocodec.networks.talk_render import TalkRenderer
from neurocodec.options import DEFAULT_FEEDBACK, EncodeOptions
from neurocodec.references.chain import ChainDecoder
from neurocodec.references.coder import ReferenceCoder
from neurocodec.threads import threads_beside
from neurocodec.types import Pictures

PICTURES = 48
"""Pictures that the stages work on."""


@dataclass(frozen=True)
class Stage:
    """``seconds`` for one ``unit`` of work, and what it multiplies (None: not counted)."""

    name: str
    unit: str
    seconds: Spread
    macs: int | None = None

    @property
    def gflops(self) -> float | None:
        """GFLOP/s reached: two for every multiply-accumulate."""
        return None if self.macs is None else 2 * self.macs / self.seconds.median / 1e9

    def as_dict(self) -> dict[str, Any]:
        """For JSON; milliseconds."""
        spent = self.seconds.scaled(1000).as_dict()
        return {"unit": self.unit, "ms": spent, "macs": self.macs, "gflops": self.gflops}


def _rendering(model: ModelDescription) -> dict[str, int]:
    """Multiply-accumulates of a frame by the number of references, as ``frame1`` and so on."""
    network = cast(Any, build(model.architecture, model.config)).eval()
    picture, points = torch.zeros(1, 3, model.size, model.size), torch.rand(1, model.keypoints, 2)
    with torch.no_grad():
        made = network.encode_reference(picture, points)
    most = int(getattr(network, "max_references", 1))
    if most == 1:
        return {"frame1": count_macs(lambda: network.render(made, points))}
    calls = {f"frame{n}": partial(network.render, [made] * n, points) for n in range(1, most + 1)}
    return {name: count_macs(call) for name, call in calls.items()}


def network_stages(
    model: ModelDescription, pictures: Pictures, seconds: float, device: str
) -> Iterator[Stage]:
    """A motion model's work; frames in groups of eight, as encode and decode do it."""
    engine = MotionEngine(model, device)
    some = np.resize(pictures, (BATCH, *pictures.shape[1:]))
    macs = {**macs_of(model), **_rendering(model)}
    points = engine.keypoints(some)

    def stage(name: str, call: Callable[[], Any], key: str) -> Stage:
        return Stage(name, "frame", measure(call, seconds).scaled(1 / BATCH), macs[key])

    yield stage("keypoints", lambda: engine.keypoints(some), "keypoints")
    if engine.quick:
        yield stage("keypoints, to be coded", lambda: engine.coded_values(some), "keypoints")
    spent = measure(lambda: engine.reference(some[0]), seconds)
    yield Stage("reference", "reference", spent, macs["reference"])
    used = [engine.prepare(some[k], points[k]) for k in (0, -1)]
    for count in range(1, engine.max_references + 1):
        yield stage(
            f"render, {_references(count)}", partial(engine.render, used[:count], points), f"frame{count}"
        )
    if engine.device.type == "cpu" and model.architecture == "talk" and has_fast_bfloat16():
        renderer = _float32_renderer(model)
        images, keypoints = picture_tensor(pictures[[0, -1]]), torch.from_numpy(points)
        with torch.inference_mode():
            made = [renderer.encode_reference(images[k : k + 1], keypoints[k : k + 1]) for k in (0, 1)]
            for count in (1, 2):
                yield stage(
                    f"render in float32, {_references(count)}",
                    partial(renderer.render, made[:count], keypoints), f"frame{count}",
                )  # fmt: skip


def _references(count: int) -> str:
    return "one reference" if count == 1 else f"{count} references"


def _float32_renderer(model: ModelDescription) -> TalkRenderer:
    """The renderer as it is on machines without AMX."""
    network = cast(Talk, load(model))
    fold_batch_norms(network)
    fuse_activations(network)
    return TalkRenderer(network, torch.float32)


def distance_stage(pictures: Pictures, seconds: float, device: str) -> Stage:
    """The distance behind a verdict of an encode: renderings of originals that were seen before."""
    distance = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), device)
    originals = list(pictures[:BATCH])
    others = np.ascontiguousarray(pictures[::-1][: len(originals)])
    spent = measure(lambda: distance(others, originals), seconds)
    return Stage("distance, original known", "frame", spent.scaled(1 / len(originals)))


def media_stages(clip: Path, side: int, pictures: Pictures, seconds: float) -> Iterator[Stage]:
    """Reading a clip into squares, and writing squares as H.264."""

    def write() -> None:
        with MediaWriter(
            io.BytesIO(), width=side, height=side, time_base=Fraction(1, 25), fps=Fraction(25), color=BT709,
            threads=threads_beside(None),
        ) as writer:  # fmt: skip
            for k, picture in enumerate(pictures):
                writer.write_video(picture, k)

    calls = {"reading, scaling": lambda: read_squeezed(clip, side, PICTURES), "writing H.264": write}
    for name, call in calls.items():
        yield Stage(name, "frame", measure(call, seconds).scaled(1 / len(pictures)))


def reference_stages(pictures: Pictures, seconds: float) -> Iterator[Stage]:
    """Coding references as AV1 at the default quality: the first of a chain, the next one, a trial."""
    side = pictures.shape[1]
    apart = cycle(pictures[:: max(1, len(pictures) // 4)])
    coder = ReferenceCoder(StillCodec.AV1, EncodeOptions().settings().reference_quality, side, True)

    def first() -> bytes:
        coder.restart()
        return coder.code(pictures[0]).data

    yield Stage("AV1: key frame, coded and decoded", "reference", measure(first, seconds))
    further = measure(lambda: coder.code(next(apart)), seconds)
    yield Stage("AV1: further one, coded and decoded", "reference", further)
    before = coder.code(pictures[0]).picture
    yield Stage("AV1: trial of one", "trial", measure(lambda: coder.preview([pictures[-1]], before), seconds))
    data = first()
    coder.restart()
    decoding = measure(lambda: ChainDecoder(side).decode(data), seconds)
    yield Stage("AV1: key frame, decoded", "reference", decoding)


def all_stages(model: ModelDescription, clip: Path, seconds: float, device: str) -> dict[str, Any]:
    """Everything by name, each part measured for about ``seconds``."""
    pictures = read_squeezed(clip, model.size, PICTURES)
    return _by_name(
        [
            *network_stages(model, pictures, seconds, device),
            distance_stage(pictures, seconds, device),
            *media_stages(clip, model.size, pictures, seconds),
            *reference_stages(pictures, seconds),
        ]
    )


def size_stages(
    model: ModelDescription, sizes: Iterable[int], clip: Path, folder: Path, seconds: float, device: str
) -> dict[str, dict[str, Any]]:
    """By size, the stages of an untrained network of that size, each measured for about ``seconds``."""
    out = {}
    for size in sizes:
        description = untrained.like(model, size, folder)
        pictures = read_squeezed(clip, size, BATCH)
        out[str(size)] = _by_name(network_stages(description, pictures, seconds, device))
        description.path.unlink()
    return out


def _by_name(stages: Iterable[Stage]) -> dict[str, Any]:
    return {stage.name: stage.as_dict() for stage in stages}
