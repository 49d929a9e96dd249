"""Salvage: all that is whole of a damaged or unfinished ``.nfc`` file, as a file that is whole.

Blocks are copied in order and numbered anew, without a gap; timestamps stay, so that where something is
missing the picture before it stays on screen, and the sound keeps its place.  Of a block whose references
were lost, what can still be decoded is kept: its sound, its independent references and those that follow from
them, and the frames that use only these, whose symbols are written again.  Of a guarded block whose landmarks
are damaged, the references, the frames that show them and the sound are kept.  A new index ends the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from neurocodec.errors import DamagedFileError
from neurocodec.files.opening import (
    OutputGuard,
    PathOrFile,
    name_of,
    opened_input,
    opened_output,
    refuse_same_file,
)
from neurocodec.format.block import MAX_CHAIN, Block, ReferenceFrame, Run
from neurocodec.format.checksums import Part
from neurocodec.format.damage import Loss
from neurocodec.format.header import Header
from neurocodec.format.limits import MOST_LISTED, Limits
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.keypoints.packets import FrameSymbols, code_of, outline_frames, parse_frames


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


class _Numbers:
    """New numbers of references by their old ones; which of them depend on others is remembered too."""

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._independent: set[int] = set()
        self.next = 0

    def add(self, old: int, reference: ReferenceFrame) -> None:
        """A reference has been written."""
        self._new[old] = self.next
        if not reference.dependent:
            self._independent.add(old)
        self.next += 1
        for gone in [n for n in self._new if n < old - 2 * MAX_CHAIN][:16]:
            del self._new[gone]
            self._independent.discard(gone)

    def complete(self, needed: tuple[int, ...], version: int) -> bool:
        """Whether all of these were written and, in version 2, can be decoded by themselves."""
        here = all(n in self._new for n in needed)
        return here and (version == 1 or not needed or needed[0] in self._independent)

    def __getitem__(self, old: int) -> int:
        return self._new[old]


class _Salvage:
    """Writes blocks that follow each other, made of those that are left."""

    def __init__(self, header: Header, writer: NfcWriter, report: RepairReport) -> None:
        self._header, self._writer, self._report = header, writer, report
        self._numbers = _Numbers()
        self._frame = 0

    def take(self, block: Block) -> None:
        """Write what is of use of a block."""
        if Part.LANDMARKS in block.lost:
            self._without_landmarks(block)
            return
        block = replace(block, lost=frozenset())
        try:
            frames = parse_frames(block, self._header)
        except DamagedFileError as error:
            self._drop(block, len(block.pts), str(error))
            self._write(_part(block, self._header, [], [], self._numbers.next), [])
            return
        if self._numbers.complete(block.needed, self._header.version):
            own = range(block.first_reference, block.first_reference + len(block.references))
            self._write(self._renumbered(block), list(own))
            return
        places, kept = _independent(block, frames)
        self._drop(block, len(block.pts) - len(kept), "a reference is lost that they need")
        part = _part(block, self._header, places, [frames[k] for k in kept], self._numbers.next)
        self._write(part, [block.first_reference + place for place in places])

    def _without_landmarks(self, block: Block) -> None:
        """Of a block whose landmarks are lost: its references, the frames that show them, its sound."""
        complete = self._numbers.complete(block.needed, self._header.version)
        places = list(range(len(block.references))) if complete else _independent(block, [])[0]
        shown = {id(block.references[place]) for place in places}
        frames = [f for f in outline_frames(block) if id(f.reference) in shown]
        self._drop(block, len(block.pts) - len(frames), "their landmarks are lost")
        part = _part(block, self._header, places, frames, self._numbers.next)
        if complete and places:
            move = self._numbers.next - block.first_reference
            part = replace(part, needed=tuple(n + move for n in block.needed))
        self._write(part, [block.first_reference + place for place in places])

    def _drop(self, block: Block, frames: int, reason: str) -> None:
        self._report.frames_dropped += frames
        _say(self._report, f"{frames} frames of the block at frame {block.first_frame} are dropped: {reason}")

    def _renumbered(self, block: Block) -> Block:
        """A whole block with the numbers that its references have now; those it needs end right before it."""
        move = self._numbers.next - block.first_reference
        number = self._numbers.next
        if self._header.version == 1:
            return replace(
                block, first_reference=number, needed=tuple(self._numbers[n] for n in block.needed)
            )
        runs = block.runs
        if runs is not None:
            runs = tuple(
                Run(r.frames, r.first + move, None if r.second is None else r.second + move) for r in runs
            )
        return replace(
            block, first_reference=number, needed=tuple(n + move for n in block.needed), runs=runs,
            current=None if block.current is None else block.current + move,
        )  # fmt: skip

    def _write(self, block: Block, old: list[int]) -> None:
        """Write a block whose references had the numbers ``old``."""
        if not block.pts and not block.audio:
            return
        try:
            self._writer.write_block(replace(block, first_frame=self._frame))
        except ValueError as error:
            self._drop(block, len(block.pts), str(error))
            return
        for number, reference in zip(old, block.references, strict=True):
            self._numbers.add(number, reference)
        self._frame += len(block.pts)
        self._report.blocks += 1
        self._report.frames += len(block.pts)


def _independent(block: Block, frames: list[FrameSymbols]) -> tuple[list[int], list[int]]:
    """Places of the references, and of the frames, that need none from before the block."""
    places: list[int] = []
    for k, reference in enumerate(block.references):
        if not reference.dependent or (places and places[-1] == k - 1):
            places.append(k)
    usable = {block.first_reference + k for k in places}
    return places, [k for k, frame in enumerate(frames) if usable.issuperset(frame.uses)]


def _part(block: Block, header: Header, places: list[int], frames: list[FrameSymbols], number: int) -> Block:
    """A block of some of another one's references and frames and all of its sound.

    ``number`` is that of its first reference.
    """
    new = {block.first_reference + place: number + k for k, place in enumerate(places)}
    shown = {id(f.reference): k for k, f in enumerate(frames) if f.reference is not None}
    stills = [block.references[place] for place in places]
    writer = PacketEncoder(code_of(block, header), header.coordinates)
    runs: list[Run] = []
    before: FrameSymbols | None = None
    for frame in frames:
        if frame.symbols is None:
            before = frame if header.version == 1 else before
            continue
        first, *second = (new[n] for n in frame.uses)
        if before is None or before.symbols is None or frame.fresh or frame.uses != before.uses:
            writer.refresh()
            runs.append(Run(0, first, *second))
        runs[-1] = replace(runs[-1], frames=runs[-1].frames + 1)
        writer.write(frame.symbols)
        before = frame
    return Block(
        block.first_frame, tuple(f.pts for f in frames), number, (),
        tuple(replace(r, offset=shown[id(r)]) for r in stills), writer.getvalue(), block.audio, block.region,
        runs=tuple(runs) if runs and header.version > 1 else None, golomb=block.golomb, guarded=block.guarded,
    )  # fmt: skip


def _say(report: RepairReport, text: str) -> None:
    """Note a loss; of very many, the first hundred."""
    if len(report.losses) < MOST_LISTED:
        report.losses.append(text)
    elif len(report.losses) == MOST_LISTED:
        report.losses.append("and more")


def _say_missing(report: RepairReport, expected: int, found: int) -> None:
    """Note frames of which nothing is there, not even damage."""
    if found > expected:
        _say(report, f"frames {expected} to {found - 1} are missing")


def repair_stream(
    file: BinaryIO, name: str, destination: BinaryIO, limits: Limits | None = None
) -> RepairReport:
    """Read an ``.nfc`` file or pipe and write what is whole of it as a whole file.

    Raises:
        InputError, UnsupportedError, DamagedFileError: as :class:`NfcReader` has it; and there is no whole
            block.
    """
    reader = NfcReader(file, name, limits)
    report = RepairReport()
    if reader.corrected:
        report.losses.append(reader.corrected)
    writer = NfcWriter(destination, reader.header)
    reader.optional = writer.write_optional
    salvage = _Salvage(reader.header, writer, report)
    expected, told = 0, False
    for item in reader:
        if isinstance(item, Loss):
            _say(report, f"byte {item.offset}: {item.reason}")
            told = True
        block = item.salvaged if isinstance(item, Loss) else item[0]
        if block:
            if not told:
                _say_missing(report, expected, block.first_frame)
            told, expected = False, max(expected, block.first_frame + len(block.pts))
            salvage.take(block)
    if not told and reader.promised is not None:
        _say_missing(report, expected, reader.promised)
    if report.losses and not report.blocks:
        raise DamagedFileError(f"{name} holds no whole block")
    writer.close()
    report.bytes = writer.total
    return report


def repair(
    source: PathOrFile, destination: PathOrFile, *, force: bool = False, limits: Limits | None = None
) -> RepairReport:
    """Write all that is whole of a damaged or truncated ``.nfc`` file as a whole one.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`; nothing is left at ``destination`` then.
    """
    refuse_same_file(source, destination)
    with opened_input(source) as (file, name), opened_output(destination, force) as target:
        guarded = OutputGuard(target, name_of(destination))
        return repair_stream(file, name, cast(BinaryIO, guarded), limits)
