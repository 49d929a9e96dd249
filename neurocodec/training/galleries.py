"""Samples of a cache of decoded clips: references of one clip, and several frames to render from them.

References lie around a frame, anywhere in the clip, or where the pose is nearest: an encoder with a memory
of poses uses all three.  Frames of closed eyes and open mouths are drawn more often than they occur.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurocodec.training.frame_cache import extremeness, load, rows_of_people

_EVENNESS = 0.75
"""People are drawn by this power of their number of frames."""
_EXTREME = 0.35
"""Share of first targets that are drawn by what eyes and mouth do."""
_ANYWHERE, _NEAREST = 0.25, 0.25
"""Shares of references from anywhere, and of the nearest poses among some from anywhere."""
_CANDIDATES = 12
_FURTHEST = 60.0
"""Kept frames between a frame and a reference around it, at most."""


class Gallery(NamedTuple):
    """uint8 pictures: references and what they were before coding (B,R,S,S,3), targets (B,T,S,S,3).

    ``landmarks``: of the targets, (B,T,68,2), fractions of the picture or NaN.
    """

    references: Tensor
    originals: Tensor
    targets: Tensor
    landmarks: Tensor


class Galleries:
    """Random galleries of the clips of a cache.

    On the CPU the arrays stay memory-mapped files; on another device they are copied there whole.
    """

    def __init__(
        self, cache: Path, people: set[str] | None = None, device: torch.device | None = None
    ) -> None:
        """``people``: only these.

        Raises:
            InputError: ``cache`` is none, or has none of them.
        """
        self.people = rows_of_people(cache, people)
        sizes = np.array([sum(n for _, n in clips) for clips in self.people], np.float64) ** _EVENNESS
        self._chances = sizes / sizes.sum()
        where = device or torch.device("cpu")
        self._frames = torch.from_numpy(load(cache, "frames")).to(where)
        self._landmarks = load(cache, "landmarks").astype(np.float32)
        self._extreme: dict[int, NDArray[np.float64]] = {}
        self._coded: Tensor | None = None
        self._coded_rows = np.empty(0, np.int64)
        if (cache / "references.npy").is_file():
            self._coded = torch.from_numpy(load(cache, "references")).to(where)
            self._coded_rows = load(cache, "reference_of")

    def _extremes(self, start: int, n: int) -> NDArray[np.float64]:
        """Chances (n,) of a clip's frames to be drawn for what eyes and mouth do."""
        if start not in self._extreme:
            found = extremeness(self._landmarks[start : start + n]).astype(np.float64)
            found /= np.maximum(found.sum(0), 1e-9)
            total = found.sum()
            self._extreme[start] = found.sum(1) / total if total > 0 else np.full(n, 1 / n)
        return self._extreme[start]

    def _nearest(self, start: int, n: int, t: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Of some frames of a clip, those whose landmarks are nearest to those of frame ``t``."""
        some = rng.choice(n, min(n, _CANDIDATES), replace=False)
        away = np.abs(self._landmarks[start + some] - self._landmarks[start + t]).mean((1, 2))
        away[some == t] = np.inf
        return some[np.argsort(np.nan_to_num(away, nan=1e3), kind="stable")[:count]]

    def _rows(
        self, start: int, n: int, references: int, targets: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames of a clip to be references and targets, counted from its first."""
        if rng.random() < _EXTREME:
            first = int(rng.choice(n, p=self._extremes(start, n)))
        else:
            first = int(rng.integers(n))
        how = rng.random()
        if how < _ANYWHERE:
            chosen = rng.integers(n, size=references)
        elif how < _ANYWHERE + _NEAREST and n > references:
            chosen = self._nearest(start, n, first, references, rng)
        else:
            away = np.exp(rng.uniform(0.0, np.log(_FURTHEST), references)).astype(int)
            sign = np.where((np.arange(references) + rng.integers(2)) % 2, 1, -1)
            chosen = np.clip(first + sign * away, 0, n - 1)
        chosen = np.resize(chosen, references)
        near = np.clip(first + rng.integers(-20, 21, targets - 1), 0, n - 1)
        others = np.where(rng.random(targets - 1) < 0.5, near, rng.integers(n, size=targets - 1))
        return chosen, np.array([first, *others])

    def sample(
        self, count: int, references: int, targets: int, rng: np.random.Generator, compressed: float = 0.0
    ) -> Gallery:
        """``compressed`` is the share of references drawn from the coded ones, where the cache has them."""
        rows, coded, wanted = [], [], []
        for _ in range(count):
            clips = self.people[rng.choice(len(self.people), p=self._chances)]
            lengths = np.array([n for _, n in clips], np.float64)
            start, n = clips[rng.choice(len(clips), p=lengths / lengths.sum())]
            chosen, shown = self._rows(start, n, references, targets, rng)
            lo, hi = np.searchsorted(self._coded_rows, [start, start + n])
            through = rng.random() < compressed and hi > lo
            for row in chosen:
                place = int(lo + np.abs(self._coded_rows[lo:hi] - start - row).argmin()) if through else -1
                coded.append(place)
                rows.append(int(self._coded_rows[place]) if through else start + int(row))
            wanted.append(start + shown)
        device = self._frames.device
        originals = self._frames[torch.tensor(rows, device=device)]
        pictures = originals.clone()
        places = [k for k, c in enumerate(coded) if c >= 0]
        if places and self._coded is not None:
            of = torch.tensor([coded[k] for k in places], device=device)
            pictures[torch.tensor(places, device=device)] = self._coded[of]
        index = np.stack(wanted)
        return Gallery(
            pictures.unflatten(0, (count, references)),
            originals.unflatten(0, (count, references)),
            self._frames[torch.from_numpy(index).to(device)],
            torch.from_numpy(self._landmarks[index]),
        )
