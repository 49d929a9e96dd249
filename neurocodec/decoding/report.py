"""What a decode did, and the account of what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neurocodec.errors import DamagedFileError
from neurocodec.format.header import Header
from neurocodec.format.limits import MOST_LISTED
from neurocodec.format.losses import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import Gap, LostSeconds, seconds_of


@dataclass
class DecodeReport:
    """What a decode did; times in seconds.

    ``frames`` were rendered, ``concealed`` of them from guessed landmarks; ``held`` are pictures that stand
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


class _Losses:
    """Keeps account of what is lost in a report; strict, the first loss is an error."""

    def __init__(self, reader: NfcReader, report: DecodeReport, strict: bool) -> None:
        self._reader, self._report, self._strict = reader, report, strict
        self._seconds, self._landmarks, self._sound = LostSeconds(), LostSeconds(), LostSeconds()
        self._count = 0
        if reader.corrected and strict:
            raise DamagedFileError(f"{reader.name} is damaged: {reader.corrected}")

    def say(self, text: str) -> None:
        """One more loss.  Of very many, the first hundred are listed."""
        if self._strict:
            raise DamagedFileError(f"{self._reader.name} is damaged: {text}")
        self._count += 1
        losses = self._report.losses
        if self._count <= MOST_LISTED:
            losses.append(text)
        else:
            losses[MOST_LISTED:] = [f"and {self._count - MOST_LISTED} more"]

    def note(self, text: str) -> None:
        """Damage that costs nothing."""
        if self._strict:
            raise DamagedFileError(f"{self._reader.name} is damaged: {text}")
        if len(self._report.notes) < MOST_LISTED:
            self._report.notes.append(text)

    def landmarks(self, stretch: Gap) -> None:
        """Frames are concealed."""
        self._landmarks.add(*self._between(stretch))
        self._report.lost_landmarks = self._landmarks.rounded()

    def sound(self, stretch: Gap) -> None:
        """The sound is missing of a block that lasts for so long."""
        if self._reader.header.audio:
            self._sound.add(*self._between(stretch))
            self._report.lost_sound = self._sound.rounded()

    def _between(self, stretch: Gap) -> tuple[float, float]:
        header = self._reader.header
        return seconds_of(stretch.start, header), seconds_of(stretch.end, header)

    def gap(self, gap: Gap) -> Gap:
        """Frames are missing."""
        start, end = self._between(gap)
        if not self._report.losses:
            self.say(f"the blocks from {start:.2f} s to {end:.2f} s are missing")
        self._seconds.add(start, end)
        self._report.lost = self._seconds.rounded()
        return gap


def describe(loss: Loss, report: DecodeReport, header: Header) -> str:
    if loss.truncated:
        kept = "; decoded up to the last whole block" if report.frames else ""
        return f"the file is cut off at byte {loss.offset}{kept}"
    return f"damage at byte {loss.offset}: {loss.reason}"
