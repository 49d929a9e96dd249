"""What a model costs: multiply-accumulates, parameters, bytes, and milliseconds on this machine.

Operations are counted by running an untrained network of that shape once: convolutions and matrix products
only, one multiplication and one addition as one.  Times are those of the runtime that
encode and decode use, medians over calls with eight pictures at a time (references: one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from neurocodec.models.device import BATCH
from neurocodec.models.feedback import open_feedback
from neurocodec.models.model_files import ModelDescription, build, load
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.models.tensors import picture_tensor
from neurocodec.models.timing import measure

WHAT = {
    "keypoints": "keypoints of a frame",
    "reference": "a reference (keypoints and features)",
    "frame": "rendering a frame",
    "verdict": "a verdict",
    "verdict_known": "a further one on the same original",
    "picture": "a picture",
}


@dataclass(frozen=True)
class Cost:
    """``macs`` and ``milliseconds`` by part (keys of :data:`WHAT`), ``threads`` that the times are of."""

    macs: dict[str, int]
    parameters: int
    bytes: int
    milliseconds: dict[str, float]
    threads: int
    device: str

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return dict(self.__dict__)

    def lines(self) -> list[str]:
        """For people."""
        parts = [
            f"{WHAT[part]:<38}{count / 1e6:10.1f} MMAC"
            + (f"{self.milliseconds[part]:10.2f} ms" if part in self.milliseconds else "")
            for part, count in self.macs.items()
        ]
        return [
            f"{self.parameters} parameters, {self.bytes} bytes; on {self.device}, {self.threads} threads:",
            *parts,
        ]


def count_macs(call: Callable[[], Any]) -> int:
    """Multiply-accumulates of convolutions and matrix products in a call."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        call()
    return counter.get_total_flops() // 2


def macs_of(model: ModelDescription) -> dict[str, int]:
    """Multiply-accumulates by part; a frame is rendered from as many references as the model can use."""
    network = cast(Any, build(model.architecture, model.config)).eval()
    picture = torch.zeros(1, 3, model.size, model.size)
    if model.architecture == "perceptual":
        with torch.no_grad():
            known = network.features(picture)
        return {
            "verdict": count_macs(lambda: network(picture, picture)),
            "verdict_known": count_macs(lambda: network.maps(network.features(picture), known)),
        }
    if model.kind == "feedback":
        return {"verdict": count_macs(lambda: network.verdict(picture))}
    if model.kind != "motion":
        return {"picture": count_macs(lambda: network(picture))}
    points = torch.rand(1, model.keypoints, 2)
    most = int(getattr(network, "max_references", 1))
    with torch.no_grad():
        made = network.encode_reference(picture, points)
    keypoints = count_macs(lambda: network.keypoints(picture))
    used = [made] * most if most > 1 else made
    return {
        "keypoints": keypoints,
        "reference": keypoints + count_macs(lambda: network.encode_reference(picture, points)),
        "frame": count_macs(lambda: network.render(used, points)),
    }


def _milliseconds(call: Callable[[], Any], seconds: float) -> float:
    return 1000 * measure(call, seconds).median


def milliseconds_of(model: ModelDescription, seconds: float, device: str = "auto") -> dict[str, float]:
    """Milliseconds by part, each measured for about ``seconds``; frames, keypoints and verdicts in groups."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (BATCH, model.size, model.size, 3), np.uint8)
    one = pictures[0]
    if model.kind == "feedback":
        feedback = open_feedback(model, device)
        # copies are other pictures to a network that remembers originals
        out = {"verdict": _milliseconds(lambda: feedback(pictures, [*pictures.copy()]), seconds) / BATCH}
        if model.architecture == "perceptual":
            known = [*pictures]
            out["verdict_known"] = _milliseconds(lambda: feedback(pictures, known), seconds) / BATCH
        return out
    if model.kind != "motion":
        network, some = load(model), picture_tensor(pictures)
        with torch.inference_mode():
            return {"picture": _milliseconds(lambda: network(some), seconds) / BATCH}
    engine = MotionEngine(model, device)
    points = rng.uniform(-0.5, 0.5, (BATCH, model.keypoints, 2)).astype(np.float32)
    used = [engine.reference(one)] * engine.max_references
    return {
        "keypoints": _milliseconds(lambda: engine.keypoints(pictures), seconds) / BATCH,
        "reference": _milliseconds(lambda: engine.reference(one), seconds),
        "frame": _milliseconds(lambda: engine.render(used, points), seconds) / BATCH,
    }


def cost_of(model: ModelDescription, seconds: float, device: str = "auto") -> Cost:
    """Everything; the times on this machine with PyTorch's present number of threads."""
    with torch.device("meta"):
        network = build(model.architecture, model.config)
    return Cost(
        macs_of(model),
        sum(p.numel() for p in network.parameters()),
        model.path.stat().st_size,
        milliseconds_of(model, seconds, device),
        torch.get_num_threads(),
        "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu",
    )
