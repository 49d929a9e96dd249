"""What the layer and the heads of a layered file are, added up block by block."""

from __future__ import annotations

from typing import Any

from neurocodec.format.block import Block
from neurocodec.format.head import HeadPart

_MOST_SIZES = 100


class LayeredAccount:
    """Adds up what the blocks of a layered file hold."""

    def __init__(self) -> None:
        self._sizes: list[str] = []
        self._pictures = self._keys = self._entries = self._bytes = self._covered = 0
        self._heads: dict[int, dict[str, Any]] = {}

    def add(self, block: Block) -> None:
        """Note a block."""
        self._entries += block.entry
        if block.layer is not None:
            self._pictures += len(block.layer.pictures)
            self._bytes += sum(len(picture.data) for picture in block.layer.pictures)
        if block.layer is not None and block.layer.size:
            self._keys += 1
            size = "{}x{}".format(*block.layer.size)
            if size not in self._sizes and len(self._sizes) < _MOST_SIZES:
                self._sizes.append(size)
        covered = bytearray(len(block.pts))
        for part in block.heads:
            covered[part.start : part.start + len(part.squares)] = b"\1" * len(part.squares)
            self._add_head(part)
        self._covered += sum(covered)

    def _add_head(self, part: HeadPart) -> None:
        empty = {"frames": 0, "references": 0, "reference_sizes": [], "bytes": 0}
        head = self._heads.setdefault(part.head, {"head": part.head, **empty})
        head["frames"] += len(part.squares)
        head["references"] += len(part.block.references)
        head["bytes"] += sum(part.block.payload_bytes.values())
        if part.reference_size not in head["reference_sizes"]:
            head["reference_sizes"].append(part.reference_size)

    @property
    def layer(self) -> dict[str, Any]:
        """The layer: sizes, pictures, how often it begins anew, blocks at which a reader can begin, bytes."""
        return {
            "sizes": self._sizes, "pictures": self._pictures, "keys": self._keys, "entries": self._entries,
            "bytes": self._bytes,
        }  # fmt: skip

    @property
    def heads(self) -> dict[str, Any]:
        """Heads: how many frames have one, and for each its frames, references, their sizes, and bytes."""
        return {"frames": self._covered, "list": [self._heads[n] for n in sorted(self._heads)]}
