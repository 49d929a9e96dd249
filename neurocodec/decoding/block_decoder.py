"""Turns blocks into pictures of the model's size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from neurocodec.decoding.basis import basis_of
from neurocodec.decoding.concealment import Anchors, between
from neurocodec.format.block import Block
from neurocodec.format.checksums import Part
from neurocodec.format.header import Header
from neurocodec.keypoints.packets import FrameSymbols, SymbolDigest, outline_frames, parse_frames
from neurocodec.keypoints.quantization import dequantize
from neurocodec.models.device import BATCH
from neurocodec.models.engines import engine_for
from neurocodec.options import DecodeOptions
from neurocodec.references.store import ReferenceStore
from neurocodec.types import Picture


class BlockDecoder:
    """Turns blocks into pictures of the model's size."""

    def __init__(self, header: Header, options: DecodeOptions) -> None:
        self.engine = engine_for(header, options.model, options.device, options.threads)
        self.header = header
        self.basis = basis_of(header, self.engine)
        self._references = ReferenceStore(self.engine.size, self.engine.reference)
        self._anchors = Anchors()
        self.digest = SymbolDigest()

    def learn(self, block: Block) -> None:
        """Remember a block's references without rendering it."""
        for k, reference in enumerate(block.references):
            self._references.add(block.first_reference + k, reference)
        self._anchors.add(block)

    def can_decode(self, block: Block) -> bool:
        """Whether the earlier references it names are at hand."""
        return self._references.has(block.needed)

    def pictures(self, block: Block, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Picture]]:
        """Timestamps and pictures (S,S,3) of those frames of a block whose offsets are wanted (None: all).

        Frames are rendered in groups that do not depend on what is wanted, so that random access gives the
        same pictures as linear decoding.  Where the landmark packets are lost, guessed keypoints
        take their place.
        """
        guessed = Part.LANDMARKS in block.lost
        frames = outline_frames(block) if guessed else parse_frames(block, self.header)
        wanted = range(len(frames)) if wanted is None else wanted
        self.learn(block)
        anchors = self._anchors.of(block) if guessed else []
        for frame in frames:
            if frame.reference:
                self.digest.reference(frame.reference.data)
            elif frame.symbols is not None:
                self.digest.symbols(frame.symbols)
        group: list[tuple[int, FrameSymbols]] = []
        for k, frame in enumerate(frames):
            if group and (len(group) == BATCH or frame.uses != group[0][1].uses or self._alone(group[0][1])):
                yield from self._render(group, wanted, anchors)
                group = []
            group.append((k, frame))
        yield from self._render(group, wanted, anchors)

    def _alone(self, frame: FrameSymbols) -> bool:
        """Whether a frame shows the still itself."""
        return self.header.version == 1 and frame.reference is not None

    def _render(
        self,
        group: list[tuple[int, FrameSymbols]],
        wanted: Collection[int],
        anchors: list[tuple[int, int]],
    ) -> Iterator[tuple[int, Picture]]:
        if not any(k in wanted for k, _ in group):
            return
        uses = group[0][1].uses
        if self._alone(group[0][1]):
            pictures: Any = [self._references.picture(uses[0])]
        else:
            references = [self._references.get(n) for n in uses]
            still = np.zeros(self.header.coordinates, np.int32)
            u = np.stack([still if f.symbols is None else f.symbols for _, f in group])
            values = dequantize(u, references[0].coded, self.header.quantization, self.basis)
            for row, (_, frame) in enumerate(group):
                if anchors and frame.reference is None:
                    values[row] = between(frame.pts, anchors, lambda n: self._references.get(n).coded)
            pictures = self.engine.render(references, self.engine.keypoints_from(values))
        for (k, frame), picture in zip(group, pictures, strict=True):
            if k in wanted:
                yield frame.pts, picture
