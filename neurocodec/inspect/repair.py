"""Salvage: all that is whole of a damaged or unfinished ``.nfc`` file, as a file that is whole.

Blocks are copied in order and numbered anew, without a gap; timestamps stay, so that where something is
missing the picture before it stays on screen, and the sound keeps its place.  Of a block whose references
were lost, what can still be decoded is kept: its sound, its independent references and those that follow from
them, and the frames that use only these, whose symbols are written again.  Of a guarded block whose landmarks
are damaged, the references, the frames that show them and the sound are kept.  A new index ends the file.
Layered files: :mod:`neurocodec.inspect.repair_layered`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO, cast

from neurocodec.errors import DamagedFileError
from neurocodec.files.opening import (
    OutputGuard,
    PathOrFile,
    name_of,
    opened_input,
    opened_output,
    refuse_same_file,
)
from neurocodec.format.block import Block, Run
from neurocodec.format.checksums import Part
from neurocodec.format.damage import Loss
from neurocodec.format.header import Header
from neurocodec.format.limits import Limits
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.inspect.reference_numbers import ReferenceNumbers
from neurocodec.inspect.repair_layered import LayeredSalvage
from neurocodec.inspect.repair_report import RepairReport
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.keypoints.packets import FrameSymbols, code_of, outline_frames, parse_frames


class _Salvage:
    """Writes blocks that follow each other, made of those that are left."""

    def __init__(self, header: Header, writer: NfcWriter, report: RepairReport) -> None:
        self._header, self._writer, self._report = header, writer, report
        self._numbers = ReferenceNumbers()
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
            self._report.drop(block, len(block.pts), str(error))
            self._write(_part(block, self._header, [], [], self._numbers.next), [])
            return
        if self._numbers.complete(block.needed, self._header.version):
            own = range(block.first_reference, block.first_reference + len(block.references))
            self._write(self._numbers.renumbered(block, self._header.version), list(own))
            return
        places, kept = _independent(block, frames)
        self._report.drop(block, len(block.pts) - len(kept), "a reference is lost that they need")
        part = _part(block, self._header, places, [frames[k] for k in kept], self._numbers.next)
        self._write(part, [block.first_reference + place for place in places])

    def _without_landmarks(self, block: Block) -> None:
        """Of a block whose landmarks are lost: its references, the frames that show them, its sound."""
        complete = self._numbers.complete(block.needed, self._header.version)
        places = list(range(len(block.references))) if complete else _independent(block, [])[0]
        shown = {id(block.references[place]) for place in places}
        frames = [f for f in outline_frames(block) if id(f.reference) in shown]
        self._report.drop(block, len(block.pts) - len(frames), "their landmarks are lost")
        part = _part(block, self._header, places, frames, self._numbers.next)
        if complete and places:
            move = self._numbers.next - block.first_reference
            part = replace(part, needed=tuple(n + move for n in block.needed))
        self._write(part, [block.first_reference + place for place in places])

    def _write(self, block: Block, old: list[int]) -> None:
        """Write a block whose references had the numbers ``old``."""
        if not block.pts and not block.audio:
            return
        try:
            self._writer.write_block(replace(block, first_frame=self._frame))
        except ValueError as error:
            self._report.drop(block, len(block.pts), str(error))
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


def _say_missing(report: RepairReport, expected: int, found: int) -> None:
    """Note frames of which nothing is there, not even damage."""
    if found > expected:
        report.say(f"frames {expected} to {found - 1} are missing")


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
    salvage = (LayeredSalvage if reader.header.layered else _Salvage)(reader.header, writer, report)
    expected, told = 0, False
    for item in reader:
        if isinstance(item, Loss):
            report.say(f"byte {item.offset}: {item.reason}")
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
