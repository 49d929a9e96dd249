"""Clips decoded once into memory-mapped arrays of frame pairs, with references that were coded.

A cache is a folder: frames.npy (N,S,S,3), landmarks.npy (N,68,2) and index.json (which rows are whose clip);
references.npy and reference_of.npy (coded references and the rows they are of); recipe.json (what it was
made from); restored.npy, where a restorer has cleaned the references.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from neurocodec.datasets.clips import Clip, frames_of
from neurocodec.datasets.labelled_faces import POINTS, Landmarks, read_landmarks
from neurocodec.errors import InputError, OutputError
from neurocodec.networks.talk import Talk
from neurocodec.references.chain import ChainDecoder, ChainEncoder
from neurocodec.training.config import Data
from neurocodec.types import Pictures

_DECODERS = 2
_CHAINS = (1, 2, 4, 8, 14)
"""Lengths of chains of references, drawn evenly."""
_FURTHEST = 12
"""Kept frames between neighbours of a chain, at most."""
_AHEAD = 0.7
"""Share of chains whose last picture is coded second."""
_LEAST = 4
"""Kept frames of a clip that is any use."""
_FEW = 16
"""Of so many places of a clip frames are kept at least, if it has them."""
MOUTH = ((48,), (54,), (51,), (57,))
LEFT_EYE, RIGHT_EYE = ((36,), (39,), (37, 38), (40, 41)), ((45,), (42,), (43, 44), (46, 47))
"""Landmarks at both corners, above and below."""
_CLOSED, _OPENED = 0.15, 0.08
"""What is usual: a part of an eye's opening, and of a mouth's width."""


def read_pairs(
    path: Path, size: int, stride: int, region: str = "full", landmarks: Landmarks | None = None,
    extremes: int = 0,
) -> tuple[Pictures, Landmarks]:  # fmt: skip
    """Frames t, t+1 for every ``stride``-th t -> (2n,S,S,3) RGB, landmarks (2n,68,2), NaN if not known.

    With landmarks, also for up to ``extremes`` further t each where eyes are most closed, and where the mouth
    is widest open; a clip of few frames is then kept whole.

    Raises:
        InputError: the clip cannot be read.
    """
    frames = list(frames_of(path, size, region))
    count = len(frames)
    points = np.full((count, POINTS, 2), np.nan, np.float32)
    if landmarks is not None:
        points[: len(landmarks)] = landmarks[:count]
    step = max(2, min(stride, count // _FEW) if extremes else stride)
    times = set(range(0, count - 1, step))
    for rank in extremeness(points).T if extremes else ():
        likely = np.argsort(-rank)
        free = [t for t in likely[rank[likely] > 0] if t < count - 1 and not {t - 1, t, t + 1} & times]
        times.update(int(t) for t in free[::2][:extremes])
    rows = [row for t in sorted(times) for row in (t, t + 1)]
    return np.array([frames[r] for r in rows], np.uint8).reshape(-1, size, size, 3), points[rows]


def extremeness(landmarks: Landmarks) -> NDArray[np.float32]:
    """How far from usual eyes and mouth are in a clip's frames (n,68,2): (n,2), 0 where there is no face.

    First how much the eyes are closed beside their usual opening, then how much the mouth is opened.
    """
    eyes = np.mean([_openness(landmarks, part) for part in (LEFT_EYE, RIGHT_EYE)], axis=0)
    mouth = _openness(landmarks, MOUTH)
    known = np.isfinite(eyes)
    if not known.any():
        return np.zeros((len(landmarks), 2), np.float32)
    usual = np.median(eyes[known])
    shut = np.maximum(0, (usual - eyes) / max(float(usual), 1e-3) - _CLOSED)
    opened = np.maximum(0, (mouth - np.median(mouth[known])) - _OPENED)
    return np.nan_to_num(np.stack([shut, opened], 1)).astype(np.float32)


def _openness(landmarks: Landmarks, part: tuple[tuple[int, ...], ...]) -> NDArray[np.float32]:
    left, right, above, below = (landmarks[:, list(i)].mean(1) for i in part)
    width = np.linalg.norm(right - left, axis=-1)
    return np.asarray(np.linalg.norm(below - above, axis=-1) / np.maximum(width, 1e-3))


def build_cache(clips: Sequence[Clip], out: Path, data: Data, landmarks: Path | None = None) -> None:
    """Decode ``clips`` into the folder ``out``, and code some frames as references.

    A cache of the same clips and settings is kept as it is.  ``landmarks`` is a file for
    :func:`neurocodec.datasets.labelled_faces.read_landmarks`.

    Raises:
        InputError: a clip that cannot be read, or not one with four frames to keep.
        OutputError: the folder cannot be written.
    """
    recipe = {
        "clips": [[str(c.path), c.identity] for c in clips],
        "landmarks": str(landmarks) if landmarks else None,
        "data": {k: v for k, v in asdict(data).items() if k not in ("held_out", "min_face")},
    }
    if _is_noted(out / "recipe.json", recipe):
        return
    marks = read_landmarks(landmarks)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("recipe.json", "index.json", "references.npy", "reference_of.npy"):
            (out / name).unlink(missing_ok=True)
        _decode(clips, out, data, marks)
        if data.references:
            _code_references(out, data.references, (data.crf_from, data.crf_to))
        (out / "recipe.json").write_text(json.dumps(recipe))
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or out}: {error.strerror or error}") from None


def _is_noted(note: Path, recipe: dict[str, Any]) -> bool:
    return note.is_file() and json.loads(note.read_text()) == recipe


def _decode(clips: Sequence[Clip], out: Path, data: Data, marks: dict[str, Landmarks]) -> None:
    """Clips one after the other to ``frames.part``, which gets a header and becomes frames.npy."""
    index: list[dict[str, Any]] = []
    points = []
    start = 0

    def read(clip: Clip) -> tuple[Pictures, Landmarks]:
        return read_pairs(
            clip.path, data.size, data.stride, data.region, marks.get(clip.path.stem), data.extremes
        )

    part = out / "frames.part"
    with (
        part.open("wb") as raw,
        ThreadPoolExecutor(_DECODERS) as pool,
        tqdm(total=len(clips), desc="decoding", unit=" clips", disable=None) as bar,
    ):
        for k in range(0, len(clips), 2 * _DECODERS):
            some = clips[k : k + 2 * _DECODERS]
            for clip, (frames, landmarks) in zip(some, pool.map(read, some), strict=True):
                bar.update()
                if len(frames) < _LEAST:
                    continue
                raw.write(frames.tobytes())
                points.append(landmarks.astype(np.float16))
                index.append(
                    {"clip": clip.path.stem, "identity": clip.identity, "start": start, "frames": len(frames)}
                )
                start += len(frames)
    if not start:
        part.unlink()
        raise InputError(f"none of {len(clips)} clips has enough frames (at least {2 + max(data.stride, 2)})")
    with part.open("rb") as decoded, (out / "frames.npy").open("wb") as file:
        header: Any = {"descr": "|u1", "fortran_order": False, "shape": (start, data.size, data.size, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        shutil.copyfileobj(decoded, file, 1 << 24)
    part.unlink()
    np.save(out / "landmarks.npy", np.concatenate(points))
    (out / "index.json").write_text(json.dumps(index))


def _code_references(cache: Path, per_clip: int, crfs: tuple[int, int], seed: int = 1) -> None:
    """Send frames of a cache through the reference coder: references.npy and their rows in reference_of.npy.

    ``per_clip`` frames of every clip (all of them, where it has fewer), in chains
    (:mod:`neurocodec.references.chain`) of 1 to 14 pictures that lie up to a dozen kept frames apart, most
    with the last one coded second, as an encoder that looks ahead does; each at a CRF drawn evenly from
    ``crfs``.
    """
    frames = load(cache, "frames")
    rng = np.random.default_rng(seed)
    clips = read_index(cache)
    rows: list[int] = []
    wanted = [min(per_clip, clip["frames"]) for clip in clips]
    with writing(cache / "references.npy", (sum(wanted), *frames.shape[1:])) as out:
        for clip, count in zip(
            tqdm(clips, desc="coding references", unit=" clips", disable=None), wanted, strict=True
        ):
            coded = _coded_clip(frames, clip["start"], clip["frames"], count, crfs, rng)
            for row, picture in sorted(coded, key=lambda pair: pair[0]):
                out[len(rows)] = picture
                rows.append(row)
    np.save(cache / "reference_of.npy", np.array(rows, np.int64))


def _coded_clip(
    frames: NDArray[np.uint8], start: int, n: int, count: int, crfs: tuple[int, int],
    rng: np.random.Generator,
) -> list[tuple[int, NDArray[np.uint8]]]:  # fmt: skip
    """Rows of a clip (``n`` from ``start``) and what they are decoded to, ``count`` in several chains."""
    out: list[tuple[int, NDArray[np.uint8]]] = []
    while len(out) < count:
        length = min(int(rng.choice(_CHAINS)), n, count - len(out))
        step = min(int(np.exp(rng.uniform(0, np.log(_FURTHEST)))), max(1, n // length))
        first = start + int(rng.integers(n - (length - 1) * step))
        chain = [first + k * step for k in range(length)]
        if rng.random() < _AHEAD:
            chain = [chain[0], chain[-1], *chain[1:-1]][:length]
        encoder = ChainEncoder(frames.shape[1], int(rng.integers(crfs[0], crfs[1] + 1)))
        decoder = ChainDecoder(frames.shape[1])
        for row in chain:
            out.append((row, decoder.decode(encoder.encode(np.ascontiguousarray(frames[row])))))
        encoder.close()
    return out


@contextmanager
def writing(file: Path, shape: tuple[int, ...]) -> Iterator[Pictures]:
    """An array on disk to be filled, which becomes ``file`` when it is."""
    part = file.with_suffix(".part")
    yield np.lib.format.open_memmap(part, "w+", np.uint8, shape)
    part.replace(file)


def restore_references(cache: Path, network: Talk, made_by: str, device: torch.device) -> str:
    """Clean the coded references of a cache with a model's restorer, into an array beside them.

    ``made_by`` names the restorer's weights: what the same ones have made before is kept.  Returns the
    array's name, that of the references themselves if the cache has none, or the model no restorer.
    """
    source, note = cache / "references.npy", cache / "restored.json"
    if network.restorer is None or not source.is_file():
        return "references"
    recipe = {"restorer": made_by, "references": source.stat().st_mtime_ns}
    if not (cache / "restored.npy").is_file() or not _is_noted(note, recipe):
        note.unlink(missing_ok=True)
        coded = torch.from_numpy(load(cache, "references"))
        with writing(cache / "restored.npy", tuple(coded.shape)) as out, torch.inference_mode():
            for k in tqdm(range(0, len(coded), 8), desc="cleaning references", unit="x8", disable=None):
                pictures = coded[k : k + 8].to(device).permute(0, 3, 1, 2).float() / 255
                cleaned = network.restored(pictures).mul(255).round().byte()
                out[k : k + 8] = cleaned.permute(0, 2, 3, 1).cpu().numpy()
        note.write_text(json.dumps(recipe))
    return "restored"


def load(cache: Path, name: str) -> NDArray[Any]:
    """An array of a cache, as a file that is mapped into memory (copy-on-write, and nothing is written).

    Raises:
        InputError: there is none.
    """
    try:
        return np.load(cache / f"{name}.npy", mmap_mode="c")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{cache} is no folder of decoded clips: {error}") from None


def read_index(cache: Path) -> list[dict[str, Any]]:
    """The clips of a cache: ``identity``, and ``start`` and ``frames`` of its rows.

    Raises:
        InputError: it is no cache.
    """
    try:
        entries: list[dict[str, Any]] = json.loads((cache / "index.json").read_text())
        _ = [(e["identity"], e["start"], e["frames"]) for e in entries]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{cache} is no folder of decoded clips (index.json)") from None
    return entries


def rows_of_people(cache: Path, people: set[str] | None) -> list[list[tuple[int, int]]]:
    """For each of the people (None: for everyone), by name: where clips start, and how many rows they have.

    Raises:
        InputError: it is no cache, or has none of them.
    """
    of: dict[str, list[tuple[int, int]]] = {}
    for e in read_index(cache):
        if people is None or e["identity"] in people:
            of.setdefault(e["identity"], []).append((e["start"], e["frames"]))
    if not of:
        raise InputError(f"{cache} has no clips of the people that are wanted")
    return [of[name] for name in sorted(of)]


def split_people(cache: Path, held_out: int, offset: int = 0) -> tuple[set[str], set[str]]:
    """People to learn from, and ``held_out`` others, evenly spread from the ``offset``-th on.

    Raises:
        InputError: it is no cache, or nobody would be left to learn from.
    """
    people = sorted({e["identity"] for e in read_index(cache)})
    if held_out >= len(people):
        raise InputError(f"{len(people)} people, of whom {held_out} should be held out: nobody is left")
    kept = set(people[offset :: max(1, len(people) // held_out)][:held_out]) if held_out else set()
    return set(people) - kept, kept
