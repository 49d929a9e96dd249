"""What a decode did, and the account of what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class DecodeReport:
    """What a decode did; times in seconds.

    ``frames`` were rendered, ``concealed`` of them from guessed keypoints; ``held`` are pictures that stand
    in for lost ones.  ``losses`` are readable lines, empty for a whole file; the stretches of time that they
    cost (from and to, since the first frame) are ``lost`` for pictures, ``lost_landmarks`` and
    ``lost_sound``.  ``notes`` are lines about what cost nothing.
    """

    frames: int = 0
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    symbols_sha256: str = ""
    losses: list[str] = field(default_factory=list)
    held: int = 0
    concealed: int = 0
    lost: list[list[float]] = field(default_factory=list)
    lost_landmarks: list[list[float]] = field(default_factory=list)
    lost_sound: list[list[float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return dict(self.__dict__)
