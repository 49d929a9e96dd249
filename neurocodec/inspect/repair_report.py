"""What a repair kept and what it did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neurocodec.format.block import Block
from neurocodec.format.limits import MOST_LISTED


@dataclass
class RepairReport:
    """What was kept and what was not; ``losses`` are readable lines, empty for a whole file."""

    blocks: int = 0
    frames: int = 0
    frames_dropped: int = 0
    bytes: int = 0
    losses: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return dict(self.__dict__)

    def say(self, text: str) -> None:
        """Note a loss; of very many, the first hundred."""
        if len(self.losses) < MOST_LISTED:
            self.losses.append(text)
        elif len(self.losses) == MOST_LISTED:
            self.losses.append("and more")

    def drop(self, block: Block, frames: int, reason: str) -> None:
        """So many frames of a block are not kept."""
        self.frames_dropped += frames
        self.say(f"{frames} frames of the block at frame {block.first_frame} are dropped: {reason}")
