"""Samples of a cache of decoded clips, drawn evenly over people."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurocodec.training.frame_cache import load, rows_of_people


class Batch(NamedTuple):
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
        references: str = "references",
    ) -> None:  # fmt: skip
        """``people``: only these; ``references``: the cache's array of coded (or restored) references.

        Raises:
            InputError: ``cache`` is none, or has none of them.
        """
        self.people = rows_of_people(cache, people)
        where = device or torch.device("cpu")
        self._frames = torch.from_numpy(load(cache, "frames")).to(where)
        self._landmarks = torch.from_numpy(load(cache, "landmarks").astype(np.float32))
        self._references: Tensor | None = None
        self._coded_rows = np.empty(0, np.int64)
        if (cache / "references.npy").is_file():
            self._references = torch.from_numpy(load(cache, references)).to(where)
            self._coded_rows = load(cache, "reference_of")

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
