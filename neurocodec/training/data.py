"""Clips decoded once into a memory-mapped array of frame pairs, sampled evenly over people."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Clip = tuple[NDArray[np.uint8], NDArray[np.float32]]


def _read_clip(
    path: Path, size: int, stride: int, landmarks: NDArray[np.uint16] | None
) -> tuple[Clip, NDArray[np.int32]]:
    """Frames t, t+1 for every ``stride``-th t -> (2n,size,size,3) RGB, landmarks (2n,68,2) or NaN."""
    capture = cv2.VideoCapture(str(path))
    frames, points, index = [], [], []
    t = 0
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        if t % stride < 2:
            if frame.shape[0] != size:
                frame = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            mark = np.full((68, 2), np.nan, np.float32)
            if landmarks is not None and t < len(landmarks) and (landmarks[t] != 65535).all():
                mark = (landmarks[t].astype(np.float32) - 16384) / 16384
            points.append(mark)
            index.append(t)
        t += 1
    capture.release()
    n = len(frames) // 2 * 2
    return (np.stack(frames[:n]), np.stack(points[:n])), np.array(index[:n], np.int32)


def build_cache(
    clips: list[tuple[Path, str]], out: Path, size: int, stride: int, landmarks: Path | None
) -> None:
    """Decode ``clips`` (path, identity) into ``out``/frames.npy, landmarks.npy and index.json.

    ``landmarks`` is an npz of (frames,68,2) uint16 arrays named after the clips (65535: no face).
    """
    out.mkdir(parents=True, exist_ok=True)
    marks = np.load(landmarks) if landmarks else {}
    parts: list[Clip] = []
    index = []
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(_read_clip, p, size, stride, marks.get(p.stem, None)) for p, _ in clips]
        start = 0
        for (path, identity), job in tqdm(list(zip(clips, jobs, strict=True)), desc="decoding"):
            (frames, points), _ = job.result()
            if len(frames) < 4:
                continue
            parts.append((frames, points))
            index.append({"clip": path.stem, "identity": identity, "start": start, "frames": len(frames)})
            start += len(frames)
    target = np.lib.format.open_memmap(
        out / "frames.npy", mode="w+", dtype=np.uint8, shape=(start, size, size, 3)
    )
    for entry, (frames, _) in zip(index, parts, strict=True):
        target[entry["start"] : entry["start"] + entry["frames"]] = frames
    target.flush()
    np.save(out / "landmarks.npy", np.concatenate([p for _, p in parts]).astype(np.float16))
    (out / "index.json").write_text(json.dumps(index))


def build_references(cache: Path, per_clip: int, crfs: tuple[int, int], seed: int = 1) -> None:
    """Send frames of a cache through the reference coder: references.npy and their rows in reference_of.npy.

    ``per_clip`` frames of every clip, in order of time, form one chain (:mod:`neurocodec.chain`) at a CRF
    drawn evenly from ``crfs``.
    """
    from neurocodec.chain import ChainDecoder, ChainEncoder

    frames = np.load(cache / "frames.npy", mmap_mode="r")
    rng = np.random.default_rng(seed)
    entries = json.loads((cache / "index.json").read_text())
    chosen = []
    for entry in entries:
        count = min(per_clip, entry["frames"])
        chosen.append(entry["start"] + np.sort(rng.choice(entry["frames"], count, replace=False)))
    rows, size = np.concatenate(chosen), frames.shape[1]
    out = np.lib.format.open_memmap(
        cache / "references.npy", mode="w+", dtype=np.uint8, shape=(len(rows), size, size, 3)
    )
    k = 0
    for clip in tqdm(chosen, desc="coding references"):
        encoder = ChainEncoder(size, int(rng.integers(crfs[0], crfs[1] + 1)))
        decoder = ChainDecoder(size)
        for row in clip:
            out[k] = decoder.decode(encoder.encode(np.ascontiguousarray(frames[row])))
            k += 1
        encoder.close()
    out.flush()
    np.save(cache / "reference_of.npy", rows)


def clips_from_csv(
    table: Path, folder: Path, split: str = "train", min_face: int = 0
) -> list[tuple[Path, str]]:
    """Rows of a clips.csv (columns clip, split, identity, src_face_px) whose file exists in ``folder``."""
    with table.open(newline="") as handle:
        return [
            (folder / row["clip"], row["identity"])
            for row in csv.DictReader(handle)
            if row["split"] == split
            and int(row["src_face_px"]) >= min_face
            and (folder / row["clip"]).exists()
        ]


@dataclass
class Batch:
    """reference, other, target, following: uint8 (B,S,S,3); landmarks of the target (B,68,2) or NaN."""

    reference: NDArray[np.uint8]
    other: NDArray[np.uint8]
    target: NDArray[np.uint8]
    following: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


class FramePairs:
    """Random (reference, target, frame after the target) of one clip, people drawn evenly."""

    def __init__(
        self,
        cache: Path,
        exclude: set[str] | None = None,
        only: set[str] | None = None,
        in_memory: bool = True,
    ) -> None:
        mode: Literal["r"] | None = None if in_memory else "r"
        self.frames = np.load(cache / "frames.npy", mmap_mode=mode)
        self.landmarks = np.load(cache / "landmarks.npy")
        entries = json.loads((cache / "index.json").read_text())
        people: dict[str, list[tuple[int, int]]] = {}
        for e in entries:
            if (exclude and e["identity"] in exclude) or (only and e["identity"] not in only):
                continue
            people.setdefault(e["identity"], []).append((e["start"], e["frames"]))
        self.people = [people[k] for k in sorted(people)]
        compressed = cache / "references.npy"
        self.references = np.load(compressed, mmap_mode=mode) if compressed.exists() else None
        self.reference_of = np.load(cache / "reference_of.npy") if compressed.exists() else None

    def _pick_references(self, start: int, n: int, t: int, rng: np.random.Generator) -> tuple[int, int]:
        """Two rows of the clip [start, start+n): around row ``t``, or anywhere (one in four)."""
        if rng.random() < 0.25:
            return start + int(rng.integers(n)), start + int(rng.integers(n))
        back, forth = np.exp(rng.uniform(0.0, np.log(40.0), 2)).astype(int) - 1
        return max(start, t - int(back)), min(start + n - 1, t + int(forth))

    def _coded(self, row: int, start: int, n: int) -> NDArray[np.uint8]:
        """The clip's coded reference nearest to ``row``, or the frame itself if there is none."""
        if self.reference_of is not None and self.references is not None:
            lo, hi = np.searchsorted(self.reference_of, [start, start + n])
            if hi > lo:
                return self.references[lo + int(np.abs(self.reference_of[lo:hi] - row).argmin())]
        return self.frames[row]

    def sample(self, count: int, rng: np.random.Generator, compressed: float = 0.0) -> Batch:
        """``compressed`` is the share of references drawn from the coded ones, where the cache has them."""
        refs, others, targets = [], [], []
        for _ in range(count):
            clips = self.people[rng.integers(len(self.people))]
            lengths = np.array([n for _, n in clips], np.float64) ** 0.5
            start, n = clips[rng.choice(len(clips), p=lengths / lengths.sum())]
            t = start + 2 * int(rng.integers(n // 2))
            coded = rng.random() < compressed
            pictures = [
                self._coded(row, start, n) if coded else self.frames[row]
                for row in rng.permutation(self._pick_references(start, n, t, rng))
            ]
            refs.append(pictures[0])
            others.append(pictures[1])
            targets.append(t)
        return Batch(
            np.stack(refs),
            np.stack(others),
            np.stack([self.frames[t] for t in targets]),
            np.stack([self.frames[t + 1] for t in targets]),
            self.landmarks[targets].astype(np.float32),
        )
