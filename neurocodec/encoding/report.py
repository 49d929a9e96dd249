"""What an encode did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class EncodeReport:
    """What an encode did; sizes in bytes, rates in kbit/s, times in seconds.

    ``verdicts`` were asked of the feedback network, which took ``judging`` seconds of all the ``seconds``.
    Of whole frames, ``layer_pictures`` are those that the layer shows, ``layer_scale``
    is their size as a part of the source's, ``heads`` the most in a frame.
    Where several encodes were tried to meet a target, all three are those of the one that was kept.
    """

    frames: int = 0
    references: int = 0
    layer_pictures: int = 0
    layer_scale: str = ""
    heads: int = 0
    duration: float = 0.0
    bytes: dict[str, int] = field(default_factory=dict)
    kbps: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    model: str = ""
    feedback: str = ""
    verdicts: int = 0
    judging: float = 0.0
    symbols_sha256: str = ""
    verified: bool = False
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return dict(self.__dict__)
