"""A report that people can send: what a machine is, how fast each stage runs, and that files read the same.

``samples/same.nfc`` came with the package; a decoder must read the same symbols from it on every machine, and
render pictures whose block means agree with the stored ones within a level (``samples/same.json``).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurocodec.api import pictures
from neurocodec.bench import hardware, stages
from neurocodec.errors import DamagedFileError, InputError
from neurocodec.files.samples import sample_clips
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.keypoints.packets import parse_frames
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_MOTION

FORMAT, VERSION = "neurocodec-machine", 1
CODED, EXPECTED = "same.nfc", "same.json"
EVERY, BLOCK = 10, 16
"""Every how many pictures are kept, and the side of the blocks whose means are."""
WITHIN = 1.0
"""Levels by which block means may differ."""
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
_FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
    "vsx",
)


def instruction_sets() -> list[str]:
    """Those of the processor that matter here, where the system tells them."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    known = {word for line in text.splitlines() if ":" in line for word in line.partition(":")[2].split()}
    return [flag for flag in _FLAGS if flag in known]


def symbols_hash(path: Path) -> str:
    """SHA-256 over the landmark symbols of a file, block by block as 32-bit integers, little-endian.

    Raises:
        InputError, DamagedFileError: it is none, or damaged.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        reader = NfcReader(file, str(path))
        for item in reader:
            if isinstance(item, Loss):
                raise DamagedFileError(f"{path} is damaged")
            for frame in parse_frames(item[0], reader.header):
                if frame.symbols is not None:
                    digest.update(np.asarray(frame.symbols, "<i4").tobytes())
    return digest.hexdigest()


def block_means(path: Path, device: str = "auto") -> NDArray[np.float64]:
    """Means of blocks of 16x16 of every tenth picture that a file decodes to, (n,h,w,3)."""
    kept = [p for k, (_, p) in enumerate(pictures(path, device=device)) if k % EVERY == 0]
    stack = np.stack(kept).astype(np.float64)
    count, height, width, _ = stack.shape
    return stack.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3).mean((2, 4))


def same_file(device: str) -> dict[str, Any]:
    """Whether the file that came along reads, and looks, as it does elsewhere.

    Raises:
        InputError: it is not installed.
    """
    folder = sample_clips()[0].parent
    if not (folder / CODED).is_file():
        raise InputError(f"{folder / CODED} is not installed")
    expected = json.loads((folder / EXPECTED).read_text())
    symbols, means = symbols_hash(folder / CODED), block_means(folder / CODED, device)
    furthest = float(np.abs(means - np.array(expected["means"])).max())
    return {
        "symbols": symbols,
        "same_symbols": symbols == expected["symbols"],
        "furthest_block_mean": round(furthest, 4),
        "same_pictures": furthest <= WITHIN,
    }


def report(device: str, seconds: float) -> dict[str, Any]:
    """The whole report; each stage is measured for ``seconds``."""
    clip, model = sample_clips()[0], find(DEFAULT_MOTION, "motion")
    return {
        "format": FORMAT,
        "version": VERSION,
        "machine": {
            **hardware.described(device),
            "instruction_sets": instruction_sets(),
            "byte_order": sys.byteorder,
            "limited_to": {name: os.environ[name] for name in _LIMITS if name in os.environ},
        },
        "matmul_gflops": {k: s.as_dict() for k, s in hardware.multiplying(seconds, device).items()},
        "stages": stages.all_stages(model, clip, seconds, device),
        "file": same_file(device),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """For people."""
    machine, file = found["machine"], found["file"]
    out = [f"{machine['processor']}, {machine['threads']} threads: {', '.join(machine['instruction_sets'])}"]
    out += [f"{n:<40}{s['ms']['median']:9.2f} ms a {s['unit']}" for n, s in found["stages"].items()]
    same = "the same" if file["same_symbols"] else "NOT the same"
    near = "within a level" if file["same_pictures"] else "NOT within a level"
    return [*out, f"symbols: {same}; block means: {near} ({file['furthest_block_mean']:.3f})"]
