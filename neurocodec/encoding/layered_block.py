"""A block of a layered file on its way into it."""

from __future__ import annotations

from dataclasses import dataclass

from neurocodec.format.block import Block, SoundPacket
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart
from neurocodec.keypoints.packets import SymbolDigest


@dataclass
class LayeredBlock:
    """Frames with their timestamps, from number ``first_frame`` on; what the layer shows, and heads."""

    header: Header
    first_frame: int
    pts: list[int]
    layer: LayerPart | None = None
    heads: tuple[HeadPart, ...] = ()
    entry: bool = False

    @property
    def next_number(self) -> int:
        """Of references there are none."""
        return 0

    def finish(self, sound: list[SoundPacket]) -> Block:
        """The block, with the sound of its time."""
        return Block(
            self.first_frame, tuple(self.pts), 0, (), (), b"", tuple(sound), guarded=True,
            layer=self.layer, heads=self.heads, entry=self.entry,
        )  # fmt: skip

    def add_to(self, digest: SymbolDigest) -> None:
        """Add what the block decodes to to a digest."""
        digest.layered(self.finish([]), self.header)
