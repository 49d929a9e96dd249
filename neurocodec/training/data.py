"""Clips decoded once into a memory-mapped array of frame pairs, sampled evenly over people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from neurocodec.errors import InputError, OutputError
from neurocodec.networks.talk import Talk
from neurocodec.training.clips import Clip, find_clips, frames_of
from neurocodec.training.config import Data

NO_LANDMARK = 65535
_DECODERS = 2
_CHAINS = (1, 2, 4, 8, 14)
"""Lengths of chains of references, drawn evenly."""
_FURTHEST = 12
"""Kept frames between neighbours of a chain, at most."""
_AHEAD = 0.7
"""Share of chains whose last picture is coded second."""


def clips_from_csv(
    table: Path, folder: Path, split: str = "train", min_face: int = 0
) -> list[tuple[Path, str]]:
    """Paths and identities of :func:`neurocodec.training.clips.find_clips` with a table."""
    return [(clip.path, clip.identity) for clip in find_clips(folder, min_face, split, table)]


def read_landmarks(file: Path | None) -> dict[str, NDArray[np.uint16]]:
    """Facial landmarks by clip (frames,68,2): (u - 16384) / 16384 is a share of the picture, 65535 no face.

    Raises:
        InputError: the file does not hold that.
    """
    if file is None:
        return {}
    try:
        with np.load(file) as content:
            marks = {name: content[name] for name in content.files}
        if any(m.ndim != 3 or m.shape[1:] != (68, 2) or m.dtype != np.uint16 for m in marks.values()):
            raise ValueError("not (frames,68,2) of uint16")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{file} does not hold landmarks: {error}") from None
    return marks


def _read_clip(
    clip: Clip, data: Data, landmarks: NDArray[np.uint16] | None
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Frames t, t+1 for every ``stride``-th t -> (2n,S,S,3) RGB, landmarks (2n,68,2) or NaN."""
    frames, points = [], []
    for t, frame in enumerate(frames_of(clip.path, data.size, data.region)):
        if t % max(data.stride, 2) < 2:
            mark = np.full((68, 2), np.nan, np.float16)
            if landmarks is not None and t < len(landmarks) and (landmarks[t] != NO_LANDMARK).all():
                mark = ((landmarks[t].astype(np.float32) - 16384) / 16384).astype(np.float16)
            frames.append(frame)
            points.append(mark)
    n = len(frames) // 2 * 2
    if n < 4:
        return np.empty((0, data.size, data.size, 3), np.uint8), np.empty((0, 68, 2), np.float16)
    return np.stack(frames[:n]), np.stack(points[:n])


def build_cache(clips: Sequence[Clip], out: Path, data: Data, landmarks: Path | None = None) -> None:
    """Decode ``clips`` into ``out``/frames.npy, landmarks.npy and index.json; coded references beside them.

    A cache of the same clips and settings is kept as it is.  ``landmarks`` is a file for
    :func:`read_landmarks`, its names those of the clips without suffix.

    Raises:
        InputError: a clip that cannot be read, or not one with four frames to keep.
        OutputError: the folder cannot be written.
    """
    recipe = {
        "clips": [[str(c.path), c.identity] for c in clips],
        "landmarks": str(landmarks) if landmarks else None,
        "data": {k: v for k, v in asdict(data).items() if k not in ("held_out", "min_face")},
    }
    if (out / "recipe.json").is_file() and json.loads((out / "recipe.json").read_text()) == recipe:
        return
    marks = read_landmarks(landmarks)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("recipe.json", "index.json", "references.npy", "reference_of.npy"):
            (out / name).unlink(missing_ok=True)
        _decode(clips, out, data, marks)
        if data.references:
            build_references(out, data.references, (data.crf_from, data.crf_to))
        (out / "recipe.json").write_text(json.dumps(recipe))
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or out}: {error.strerror or error}") from None


def _decode(clips: Sequence[Clip], out: Path, data: Data, marks: dict[str, NDArray[np.uint16]]) -> None:
    """Clips one after the other to ``frames.part``, which then becomes frames.npy."""
    index: list[dict[str, Any]] = []
    points = []
    start = 0
    part = out / "frames.part"
    with (
        part.open("wb") as raw,
        ThreadPoolExecutor(_DECODERS) as pool,
        tqdm(total=len(clips), desc="decoding", unit=" clips", disable=None) as bar,
    ):
        for k in range(0, len(clips), 2 * _DECODERS):
            some = clips[k : k + 2 * _DECODERS]
            read = pool.map(lambda c: _read_clip(c, data, marks.get(c.path.stem)), some)
            for clip, (frames, landmarks) in zip(some, read, strict=True):
                bar.update()
                if not len(frames):
                    continue
                raw.write(frames.tobytes())
                points.append(landmarks)
                index.append(
                    {"clip": clip.path.stem, "identity": clip.identity, "start": start, "frames": len(frames)}
                )
                start += len(frames)
    if not start:
        part.unlink()
        raise InputError(f"none of {len(clips)} clips has enough frames (at least {2 + max(data.stride, 2)})")
    _to_npy(part, out / "frames.npy", (start, data.size, data.size, 3))
    np.save(out / "landmarks.npy", np.concatenate(points))
    (out / "index.json").write_text(json.dumps(index))


def build_references(cache: Path, per_clip: int, crfs: tuple[int, int], seed: int = 1) -> None:
    """Send frames of a cache through the reference coder: references.npy and their rows in reference_of.npy.

    ``per_clip`` frames of every clip, in chains (:mod:`neurocodec.references.chain`) of 1 to 14 pictures that
    lie up to a dozen kept frames apart, most with the last one coded second, as an encoder that looks ahead
    does; each at a CRF drawn evenly from ``crfs``.
    """
    frames = np.load(cache / "frames.npy", mmap_mode="r")
    rng = np.random.default_rng(seed)
    entries = json.loads((cache / "index.json").read_text())
    rows: list[int] = []
    part = cache / "references.part"
    with part.open("wb") as raw:
        for entry in tqdm(entries, desc="coding references", unit=" clips", disable=None):
            coded = _coded_clip(frames, entry["start"], entry["frames"], per_clip, crfs, rng)
            for row, picture in sorted(coded, key=lambda pair: pair[0]):
                rows.append(row)
                raw.write(picture.tobytes())
    _to_npy(part, cache / "references.npy", (len(rows), *frames.shape[1:]))
    np.save(cache / "reference_of.npy", np.array(rows, np.int64))


def _coded_clip(
    frames: NDArray[np.uint8], start: int, n: int, count: int, crfs: tuple[int, int],
    rng: np.random.Generator,
) -> list[tuple[int, NDArray[np.uint8]]]:  # fmt: skip
    """Rows of a clip (``n`` from ``start``) and what they are decoded to, ``count`` in several chains."""
    from neurocodec.references.chain import ChainDecoder, ChainEncoder

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


def _to_npy(part: Path, path: Path, shape: tuple[int, ...]) -> None:
    """Give raw bytes a header; ``part`` goes."""
    with part.open("rb") as raw, path.open("wb") as file:
        header: Any = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        shutil.copyfileobj(raw, file, 1 << 24)
    part.unlink()


def restore_references(cache: Path, network: Talk, made_by: str, device: torch.device) -> Path | None:
    """The coded references of a cache, cleaned by a model's restorer, as a file beside them.

    ``made_by`` names the restorer's weights: what the same ones have made before is kept.  None if the
    cache has no coded references, or the model no restorer.
    """
    source, out, note = (cache / name for name in ("references.npy", "restored.npy", "restored.json"))
    if network.restorer is None or not source.is_file():
        return None
    recipe = {"restorer": made_by, "references": source.stat().st_mtime_ns}
    if out.is_file() and note.is_file() and json.loads(note.read_text()) == recipe:
        return out
    note.unlink(missing_ok=True)
    coded = np.load(source, mmap_mode="r")
    part = cache / "restored.part"
    with part.open("wb") as raw, torch.inference_mode():
        for k in tqdm(range(0, len(coded), 8), desc="cleaning references", unit="x8", disable=None):
            pictures = torch.from_numpy(coded[k : k + 8].copy()).to(device).permute(0, 3, 1, 2).float() / 255
            cleaned = network.restored(pictures).mul(255).round().byte()
            raw.write(cleaned.permute(0, 2, 3, 1).contiguous().cpu().numpy().tobytes())
    _to_npy(part, out, coded.shape)
    note.write_text(json.dumps(recipe))
    return out


def people_of(cache: Path) -> list[str]:
    """The identities of a cache, in order.

    Raises:
        InputError: it is no cache.
    """
    try:
        return sorted({e["identity"] for e in json.loads((cache / "index.json").read_text())})
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{cache} is no folder of decoded clips (index.json)") from None


def split_people(cache: Path, held_out: int, offset: int = 0) -> tuple[set[str], set[str]]:
    """People to learn from, and ``held_out`` others, evenly spread from the ``offset``-th on.

    Raises:
        InputError: nobody would be left to learn from.
    """
    people = people_of(cache)
    if held_out >= len(people):
        raise InputError(f"{len(people)} people, of whom {held_out} should be held out: nobody is left")
    kept = set(people[offset :: max(1, len(people) // held_out)][:held_out]) if held_out else set()
    return set(people) - kept, kept


@dataclass
class Batch:
    """reference, other, target, following: uint8 (B,S,S,3); landmarks of the target (B,68,2) or NaN."""

    reference: Tensor
    other: Tensor
    target: Tensor
    following: Tensor
    landmarks: Tensor


class FramePairs:
    """Random (two references, target, frame after the target) of one clip, people drawn evenly.

    On the CPU the arrays stay memory-mapped files; on another device they are copied there whole.
    """

    def __init__(
        self, cache: Path, people: set[str] | None = None, device: torch.device | None = None,
        references: Path | None = None,
    ) -> None:  # fmt: skip
        """``people``: only these; ``references``: file that takes the place of the cache's references.npy.

        Raises:
            InputError: ``cache`` is none, or has none of them.
        """
        try:
            self._frames = self._load(cache / "frames.npy", device)
            self._landmarks = torch.from_numpy(np.load(cache / "landmarks.npy").astype(np.float32))
            entries = json.loads((cache / "index.json").read_text())
            coded = (cache / "references.npy").is_file()
            self._references = self._load(references or cache / "references.npy", device) if coded else None
            self._coded_rows = np.load(cache / "reference_of.npy") if coded else np.empty(0, np.int64)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{cache} is no folder of decoded clips: {error}") from None
        of: dict[str, list[tuple[int, int]]] = {}
        for e in entries:
            if people is None or e["identity"] in people:
                of.setdefault(e["identity"], []).append((e["start"], e["frames"]))
        if not of:
            raise InputError(f"{cache} has no clips of the people that are wanted")
        self.people = [of[k] for k in sorted(of)]

    @staticmethod
    def _load(file: Path, device: torch.device | None) -> Tensor:
        # copy-on-write: nothing is copied unless written, and nothing is written
        frames = torch.from_numpy(np.load(file, mmap_mode="c"))
        return frames if device is None or device.type == "cpu" else frames.to(device)

    def _pick_references(self, start: int, n: int, t: int, rng: np.random.Generator) -> tuple[int, int]:
        """Two rows of the clip [start, start+n): around row ``t``, or anywhere (one in four)."""
        if rng.random() < 0.25:
            return start + int(rng.integers(n)), start + int(rng.integers(n))
        back, forth = np.exp(rng.uniform(0.0, np.log(40.0), 2)).astype(int) - 1
        return max(start, t - int(back)), min(start + n - 1, t + int(forth))

    def _coded(self, row: int, start: int, n: int) -> int:
        """Place of the clip's coded reference nearest to ``row``; -1 if there is none."""
        lo, hi = np.searchsorted(self._coded_rows, [start, start + n])
        return int(lo + np.abs(self._coded_rows[lo:hi] - row).argmin()) if hi > lo else -1

    def _pictures(self, rows: list[int], coded: list[int]) -> Tensor:
        """Frames of ``rows``, in whose place coded references stand where ``coded`` is not -1."""
        out = self._frames[torch.tensor(rows, device=self._frames.device)]
        if self._references is not None:
            places = [k for k, c in enumerate(coded) if c >= 0]
            if places:
                chosen = torch.tensor([coded[k] for k in places], device=out.device)
                out[torch.tensor(places, device=out.device)] = self._references[chosen]
        return out

    def sample(self, count: int, rng: np.random.Generator, compressed: float = 0.0) -> Batch:
        """``compressed`` is the share of references drawn from the coded ones, where the cache has them."""
        rows: tuple[list[int], list[int]] = ([], [])
        coded: tuple[list[int], list[int]] = ([], [])
        targets = []
        for _ in range(count):
            clips = self.people[rng.integers(len(self.people))]
            lengths = np.array([n for _, n in clips], np.float64) ** 0.5
            start, n = clips[rng.choice(len(clips), p=lengths / lengths.sum())]
            t = start + 2 * int(rng.integers(n // 2))
            through = rng.random() < compressed
            for k, row in enumerate(rng.permutation(self._pick_references(start, n, t, rng))):
                rows[k].append(int(row))
                coded[k].append(self._coded(int(row), start, n) if through else -1)
            targets.append(t)
        index = torch.tensor(targets)
        on_device = index.to(self._frames.device)
        return Batch(
            self._pictures(rows[0], coded[0]),
            self._pictures(rows[1], coded[1]),
            self._frames[on_device],
            self._frames[on_device + 1],
            self._landmarks[index],
        )

    def stretch(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Two references of a clip (S,S,3), coded where there are such; frames between them (count,S,S,3)."""
        clips = self.people[rng.integers(len(self.people))]
        start, n = clips[rng.integers(len(clips))]
        lo, hi = np.searchsorted(self._coded_rows, [start, start + n])
        rows = self._coded_rows[lo:hi] if hi - lo > 1 else np.arange(start, start + n, max(1, n // 8))
        apart = min(len(rows) - 1, int(np.exp(rng.uniform(0, np.log(len(rows))))))
        first = int(rng.integers(len(rows) - apart))
        before, after = int(rows[first]), int(rows[first + apart])
        targets = torch.from_numpy(rng.integers(before, after + 1, count))
        if hi - lo > 1 and self._references is not None:
            pictures = self._references[lo + first], self._references[lo + first + apart]
        else:
            pictures = self._frames[before], self._frames[after]
        return *pictures, self._frames[targets.to(self._frames.device)]
