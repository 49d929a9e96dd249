"""What of a file could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from neurocodec.format.block import Block


@dataclass(frozen=True)
class Loss:
    """A stretch of the file that could not be read; ``truncated`` when the file simply ends there.

    ``salvaged`` is the block that was there without the parts that are damaged, if its head is whole; in a
    layered file, its own chunk or the head of that.  ``harmless`` says that no frame and no sound is lost: it
    was what stands between the header and the first block.
    """

    offset: int
    reason: str
    truncated: bool = False
    salvaged: Block | None = None
    harmless: bool = False


def loss_of_parts(offset: int, block: Block) -> Loss:
    """The loss of parts of a block; it may have lost none, if nothing but a checksum is damaged."""
    parts = sorted(part.value for part in block.lost)
    return Loss(offset, f"the {' and '.join(parts) or 'checksum'} of a block", salvaged=block)
