"""What the layer and the heads of a layered file are, added up block by block."""

from __future__ import annotations

from typing import Any

from neurocodec.format.block import Block
from neurocodec.format.head import HeadPart
from neurocodec.format.layer import LayerPicture

_MOST_SIZES = 100


class LayeredAccount:
    """Adds up what the blocks of a layered file hold; ``packets`` is the number of landmark packets."""

    def __init__(self) -> None:
        self.packets = 0
        self._sizes: list[str] = []
        self._pictures = self._keys = self._entries = self._bytes = self._covered = 0
        self._heads: dict[int, dict[str, Any]] = {}

    def add(self, block: Block) -> None:
        """Note a block."""
        self._entries += block.entry
        pictures = block.layer.pictures if block.layer else ()
        self._pictures += len(pictures)
        self._bytes += block.layer.bytes if block.layer else 0
        if block.layer is not None and block.layer.size:
            self._keys += 1
            size = "{}x{}".format(*block.layer.size)
            if size not in self._sizes and len(self._sizes) < _MOST_SIZES:
                self._sizes.append(size)
        covered = bytearray(len(block.pts))
        for part in block.heads:
            covered[part.start : part.stop] = b"\1" * part.frames
            self._add_head(part, pictures)
        self._covered += sum(covered)

    def _add_head(self, part: HeadPart, pictures: tuple[LayerPicture, ...]) -> None:
        head = self._heads.setdefault(
            part.head, {"head": part.head, "frames": 0, "packets": 0, "bytes": 0, "sides": []}
        )
        packets = part.frames - sum(part.start <= picture.offset < part.stop for picture in pictures)
        sides = [*head["sides"], *(square.side for _, square in part.squares)]
        head["frames"] += part.frames
        head["packets"] += packets
        head["bytes"] += len(part.landmarks)
        head["sides"] = [min(sides), max(sides)]
        self.packets += packets

    @property
    def layer(self) -> dict[str, Any]:
        """The layer: sizes, pictures, how often it begins anew, blocks at which a reader can begin, bytes."""
        return {
            "sizes": self._sizes, "pictures": self._pictures, "keys": self._keys, "entries": self._entries,
            "bytes": self._bytes,
        }  # fmt: skip

    @property
    def heads(self) -> dict[str, Any]:
        """Heads: how many frames have one, and for each its frames, packets, their bytes, and the smallest
        and largest side of its square.
        """
        return {"frames": self._covered, "list": [self._heads[n] for n in sorted(self._heads)]}
