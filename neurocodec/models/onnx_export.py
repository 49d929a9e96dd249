"""A model written as ONNX graphs, each of them run beside PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurocodec.errors import InputError, UsageError
from neurocodec.files.atomic import refuse_existing
from neurocodec.files.samples import sample_clips
from neurocodec.media.frames import read_squeezed
from neurocodec.models import onnx_graphs
from neurocodec.models.model_files import find_any
from neurocodec.types import Pictures

_PICTURES, _FIRST = 12, 100
"""Pictures that examples and calibration are made from, and the first ones of a video to choose them from."""


def spread_pictures(video: Path, side: int, count: int = _PICTURES) -> Pictures:
    """Up to ``count`` pictures (n,side,side,3) of a video, evenly spaced over its first 100.

    Raises:
        InputError: the video has fewer than three pictures, or cannot be read.
    """
    found = read_squeezed(video, side, _FIRST)
    if len(found) < 3:
        raise InputError(f"{video} has {len(found)} pictures; at least 3 are needed")
    return found[np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)]


def export_model(
    name: str, out: Path, *, int8: bool = False, batch: int = 1, calibrate: Path | None = None, runs: int = 0,
    threads: int = 1, force: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Export a model, by name or file; one entry for each graph written to the folder ``out``.

    Args:
        int8: also write each graph with convolutions and dense layers quantized to 8 bits.
        batch: pictures in one call of a graph.
        calibrate: the video of examples and of the ranges of ``int8`` (None: a sample).
        runs: how often each graph is timed, with ``threads``.

    Raises:
        UsageError: a batch, number of runs or of threads that makes no sense.
        InputError: no such model or video.
        OutputError: a graph exists and ``force`` is not set, or cannot be written.
        UnsupportedError: an architecture that is not exported, or packages are missing.
    """
    if not 1 <= batch <= 64 or runs < 0 or not 1 <= threads <= 256:
        raise UsageError("batch must be 1 to 64, threads 1 to 256, runs not negative")
    model = find_any(name)
    for package in ("onnx", "onnxruntime"):
        onnx_graphs.needs(package)
    video = calibrate or sample_clips()[0]
    pictures = spread_pictures(video, max(model.size, 128), max(_PICTURES, batch + 2))
    if len(pictures) < batch + 2:
        raise InputError(f"the video has too few pictures for a batch of {batch}")
    graphs = onnx_graphs.graphs(model, pictures, batch)
    files = {g.name: [f"{g.name}.onnx"] + [f"{g.name}.int8.onnx"] * int8 for g in graphs}
    refuse_existing((out / file for names in files.values() for file in names), force)
    samples = onnx_graphs.calibration(model, pictures, batch) if int8 else {}
    result = []
    for graph in graphs:
        plain = out / f"{graph.name}.onnx"
        onnx_graphs.export(graph, plain)
        if int8:
            onnx_graphs.quantize_int8(plain, out / f"{graph.name}.int8.onnx", samples[graph.name])
        for file in files[graph.name]:
            session = onnx_graphs.open_session(out / file, threads, flush=bool(runs))
            largest, mean = onnx_graphs.differences(graph, session)
            result.append(
                {
                    "graph": graph.name,
                    "file": file,
                    "bytes": (out / file).stat().st_size,
                    "multiplications": onnx_graphs.multiplications(plain) // batch,
                    "largest_difference": largest,
                    "mean_difference": mean,
                    "milliseconds": onnx_graphs.milliseconds(graph, session, runs) if runs else None,
                }
            )
    torch.set_flush_denormal(False)
    return result
