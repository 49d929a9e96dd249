"""The account of what is lost of a file that is being decoded."""

from __future__ import annotations

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span import Item
from neurocodec.errors import DamagedFileError
from neurocodec.format.damage import Loss
from neurocodec.format.limits import MOST_LISTED
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import Gap, LostSeconds, seconds_of


class LossAccount:
    """Keeps account of what is lost in a report; strict, the first loss is an error."""

    def __init__(self, reader: NfcReader, report: DecodeReport, strict: bool) -> None:
        self._reader, self._report, self._strict = reader, report, strict
        self._seconds, self._landmarks, self._sound = LostSeconds(), LostSeconds(), LostSeconds()
        self._count = 0
        if reader.corrected and strict:
            raise DamagedFileError(f"{reader.name} is damaged: {reader.corrected}")

    def of_item(self, item: Item, matters: bool) -> None:
        """Tell of an item that is a loss; one that does not matter to the wanted part is only noted."""
        if isinstance(item, Loss):
            (self.add_loss if matters else self.note)(self._described(item))

    def _described(self, loss: Loss) -> str:
        if loss.truncated:
            kept = "; decoded up to the last whole block" if self._report.frames else ""
            return f"the file is cut off at byte {loss.offset}{kept}"
        return f"damage at byte {loss.offset}: {loss.reason}"

    def add_loss(self, text: str) -> None:
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

    def add_concealed(self, stretch: Gap) -> None:
        """Frames are concealed."""
        self._landmarks.add(*self._between(stretch))
        self._report.lost_landmarks = self._landmarks.rounded()

    def add_lost_sound(self, stretch: Gap) -> None:
        """The sound is missing of a block that lasts for so long."""
        if self._reader.header.audio:
            self._sound.add(*self._between(stretch))
            self._report.lost_sound = self._sound.rounded()

    def _between(self, stretch: Gap) -> tuple[float, float]:
        header = self._reader.header
        return seconds_of(stretch.start, header), seconds_of(stretch.end, header)

    def add_gap(self, gap: Gap) -> Gap:
        """Frames are missing."""
        start, end = self._between(gap)
        if not self._report.losses:
            self.add_loss(f"the blocks from {start:.2f} s to {end:.2f} s are missing")
        self._seconds.add(start, end)
        self._report.lost = self._seconds.rounded()
        return gap
