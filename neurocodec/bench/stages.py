"""Milliseconds of every stage, one by one, in this process."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from neurocodec.format.block import StillCodec
from neurocodec.media.color import BT709
from neurocodec.media.picture import VideoPicture
from neurocodec.media.reader import MediaReader
from neurocodec.media.writer import MediaWriter
from neurocodec.models import files as models
from neurocodec.models.cost import counted, operations
from neurocodec.models.device import BATCH, fold_batch_norms, has_fast_bfloat16
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.engine import Engine
from neurocodec.models.files import ModelDescription
from neurocodec.models.timing import Spread, measure
from neurocodec.networks.fused import fuse_activations
from neurocodec.networks.talk import Talk
from neurocodec.networks.talk_render import TalkRenderer
from neurocodec.options import EncodeOptions
from neurocodec.references.chain import ChainDecoder
from neurocodec.references.coder import ReferenceCoder
from neurocodec.threads import beside
from neurocodec.types import Picture

FRAMES = 48
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


def squares(clip: Path, side: int, count: int = FRAMES) -> Picture:
    """The first pictures of a clip as squares (n,side,side,3), n at most ``count``."""
    with MediaReader(clip, audio=False) as reader:
        pictures = (x for x in reader if isinstance(x, VideoPicture))
        return np.stack([x.to_rgb(side, side) for _, x in zip(range(count), pictures, strict=False)])


def _rendering(model: ModelDescription) -> dict[str, int]:
    """Multiply-accumulates of a frame by the number of references, as ``frame1`` and so on."""
    network = cast(Any, models.build(model.architecture, model.config)).eval()
    picture, points = torch.zeros(1, 3, model.size, model.size), torch.rand(1, model.keypoints, 2)
    with torch.no_grad():
        made = network.encode_reference(picture, points)
    most = int(getattr(network, "max_references", 1))
    if most == 1:
        return {"frame1": counted(lambda: network.render(made, points))}
    calls = {f"frame{n}": partial(network.render, [made] * n, points) for n in range(1, most + 1)}
    return {name: counted(call) for name, call in calls.items()}


def network_stages(
    model: ModelDescription, pictures: Picture, seconds: float, device: str
) -> Iterator[Stage]:
    """A motion model's work; frames in groups of eight, as encode and decode do it."""
    engine = Engine(model, device)
    some = np.resize(pictures, (BATCH, *pictures.shape[1:]))
    macs = {**operations(model), **_rendering(model)}
    points = engine.keypoints(some)

    def stage(name: str, unit: str, call: Callable[[], Any], key: str | None = None, n: int = BATCH) -> Stage:
        return Stage(name, unit, measure(call, seconds).scaled(1 / n), macs[key] if key else None)

    yield stage("keypoints", "frame", lambda: engine.keypoints(some), "keypoints")
    if engine.quick:
        yield stage("keypoints, to be coded", "frame", lambda: engine.measure(some), "keypoints")
    yield stage("reference", "reference", lambda: engine.reference(some[0]), "reference", 1)
    used = [engine.prepare(some[k], points[k]) for k in (0, -1)]
    for count in range(1, engine.max_references + 1):
        words = "one reference" if count == 1 else f"{count} references"
        key = f"frame{count}"
        yield stage(f"render, {words}", "frame", partial(engine.render, used[:count], points), key)
    if engine.device.type == "cpu" and model.architecture == "talk" and has_fast_bfloat16():
        yield from _in_float32(model, pictures, points, seconds, macs)


def _in_float32(
    model: ModelDescription, pictures: Picture, keypoints: NDArray[np.float32], seconds: float,
    macs: dict[str, int],
) -> Iterator[Stage]:  # fmt: skip
    """The renderer as it is on machines without AMX."""
    network = cast(Talk, models.load(model))
    fold_batch_norms(network)
    fuse_activations(network)
    renderer = TalkRenderer(network, torch.float32)
    points = torch.from_numpy(keypoints)
    images = torch.from_numpy(np.ascontiguousarray(pictures[[0, -1]])).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        used = [renderer.encode_reference(images[k : k + 1], points[k : k + 1]) for k in (0, 1)]
        for count, words in ((1, "one reference"), (2, "2 references")):
            spent = measure(partial(renderer.render, used[:count], points), seconds).scaled(1 / BATCH)
            yield Stage(f"render in float32, {words}", "frame", spent, macs[f"frame{count}"])


def distance_stage(pictures: Picture, seconds: float, device: str) -> Stage:
    """The verdict of an encode: renderings of originals that were seen before."""
    model = models.find(models.DEFAULT_FEEDBACK, "feedback")
    meter = DistanceEngine(model, device)
    originals = list(pictures[:BATCH])
    others = np.ascontiguousarray(pictures[::-1][: len(originals)])
    spent = measure(lambda: meter(others, originals), seconds)
    return Stage("distance, original known", "frame", spent.scaled(1 / len(originals)))


def media_stages(clip: Path, side: int, pictures: Picture, seconds: float) -> Iterator[Stage]:
    """Reading a clip into squares, and writing squares as H.264."""
    threads = beside(None)
    yield Stage(
        "reading, scaling", "frame",
        measure(lambda: squares(clip, side), seconds).scaled(1 / len(pictures)),
    )  # fmt: skip

    def write() -> None:
        with MediaWriter(
            io.BytesIO(), width=side, height=side, time_base=Fraction(1, 25), fps=Fraction(25), color=BT709,
            threads=threads,
        ) as writer:  # fmt: skip
            for k, picture in enumerate(pictures):
                writer.write_video(picture, k)

    yield Stage("writing H.264", "frame", measure(write, seconds).scaled(1 / len(pictures)))


def reference_stages(pictures: Picture, seconds: float) -> Iterator[Stage]:
    """Coding references as AV1 at the default quality: the first of a chain, the next one, a trial."""
    quality = EncodeOptions().resolved().reference_quality
    assert quality is not None
    side = pictures.shape[1]
    apart = cycle(pictures[:: max(1, len(pictures) // 4)])
    coder = ReferenceCoder(StillCodec.AV1, quality, side, True)

    def first() -> bytes:
        coder.restart()
        return coder.code(pictures[0]).data

    yield Stage("AV1: key frame, coded and decoded", "reference", measure(first, seconds))
    further = measure(lambda: coder.code(next(apart)), seconds)
    yield Stage("AV1: further one, coded and decoded", "reference", further)
    before = coder.code(pictures[0]).picture
    trial = measure(lambda: coder.preview([pictures[-1]], before), seconds)
    yield Stage("AV1: trial of one", "trial", trial)
    data = first()
    coder.restart()
    decoding = measure(lambda: ChainDecoder(side).decode(data), seconds)
    yield Stage("AV1: key frame, decoded", "reference", decoding)


def all_stages(model: ModelDescription, clip: Path, seconds: float, device: str) -> list[Stage]:
    """Everything, each part measured for about ``seconds``."""
    pictures = squares(clip, model.size)
    return [
        *network_stages(model, pictures, seconds, device),
        distance_stage(pictures, seconds, device),
        *media_stages(clip, model.size, pictures, seconds),
        *reference_stages(pictures, seconds),
    ]
