"""From the blocks of a file to pictures and sound packets, with gaps where something is lost."""

from __future__ import annotations

from collections.abc import Iterator

from neurocodec.decoding.block_decoder import BlockDecoder
from neurocodec.decoding.layered_decoder import LayeredDecoder
from neurocodec.decoding.loss_account import LossAccount
from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span import Span, plan
from neurocodec.errors import DamagedFileError, UsageError
from neurocodec.format.block import Block, SoundPacket
from neurocodec.format.checksums import Part
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import Gap, Timeline, end_of, seconds_of
from neurocodec.options import DecodeOptions
from neurocodec.types import Picture

Shown = tuple[int, Picture] | SoundPacket | Gap
"""A timestamp with its picture, a sound packet, or what is missing."""


def decode_pictures(
    reader: NfcReader, options: DecodeOptions, report: DecodeReport
) -> Iterator[tuple[int, Picture] | SoundPacket]:
    """Timestamps with pictures, and sound packets, of the wanted part; nothing where there are gaps.

    Pictures are the model's (S,S,3), in a layered file whole frames.

    Raises:
        UnsupportedError: the model is not installed.
        DamagedFileError: nothing could be decoded, or, if ``options`` are strict, something could not.
    """
    return (i for i in decode_items(reader, options, report) if not isinstance(i, Gap))


def decode_items(reader: NfcReader, options: DecodeOptions, report: DecodeReport) -> Iterator[Shown]:
    """As :func:`decode_pictures`, with a :class:`Gap` wherever pictures are lost."""
    yield from _SpanDecoder(reader, options, report).items()
    if not report.frames:
        if report.losses:
            raise DamagedFileError(f"nothing of {reader.name} can be decoded: {report.losses[0]}")
        raise UsageError(f"{reader.name} has no frame in the chosen part")


class _SpanDecoder:
    """Decodes the wanted part of a file: chooses blocks, has them rendered, accounts for what is lost."""

    def __init__(self, reader: NfcReader, options: DecodeOptions, report: DecodeReport) -> None:
        self._reader, self._header, self._report = reader, reader.header, report
        decoder = LayeredDecoder if reader.header.layered else BlockDecoder
        self._decoder = decoder(reader.header, options)
        self._account = LossAccount(reader, report, options.strict)
        self._span = span = Span.of(options, reader.header)
        first, self._blocks = plan(reader, span)
        self._timeline = Timeline(reader.header, first, span.start, span.end)
        self._shown_at: int | None = None
        self._over = False

    def items(self) -> Iterator[Shown]:
        """Everything that the part has, in order."""
        for item, following in self._blocks:
            block = item.salvaged if isinstance(item, Loss) else item[0]
            if block is None:
                harmless = isinstance(item, Loss) and item.harmless
                self._account.of_item(item, matters=not self._over and not harmless)
                continue
            inside = self._span.shows(block, self._header, following)
            self._over = self._is_over(block)
            self._account.of_item(item, matters=bool(block.lost) and (bool(inside) or not block.pts))
            yield from self._missing_before(block)
            if inside:
                yield from self._block(block, inside)
            else:
                self._decoder.learn(block)
            yield from (p for p in block.audio if self._span.hears(p, self._header))
        if self._reader.promised is not None:
            for gap in self._timeline.until(self._reader.promised):
                yield self._account.add_gap(gap)
        self._report.symbols_sha256 = self._decoder.digest.hexdigest()

    def _is_over(self, block: Block) -> bool:
        """Whether the part ends with this block."""
        end = self._span.end
        return end is not None and bool(block.pts) and end_of(block, -1, self._header) >= end

    def _missing_before(self, block: Block) -> Iterator[Gap]:
        """What is missing between the blocks so far and this one."""
        timeline = self._timeline
        if block.first_frame + len(block.pts) > timeline.expected:  # else it only lends references
            for gap in timeline.until(block.first_frame, block.pts[0] if block.pts else None):
                self._account.add_lost_sound(gap)
                yield self._account.add_gap(gap)
        timeline.seen(block.first_frame, block.pts)

    def _block(self, block: Block, inside: list[int]) -> Iterator[Shown]:
        """The frames ``inside`` the part of a block, and gaps for those that cannot be had."""
        stretch = Gap((), block.pts[inside[0]], end_of(block, inside[-1], self._header))
        before = self._report.frames
        yield from self._rendered(block, inside)
        done = self._report.frames - before
        if done and Part.LANDMARKS in block.lost:
            self._account.add_concealed(stretch)
        if done < len(inside):
            times = [self._shown_from(block.pts[k]) for k in inside[done:]]
            yield self._account.add_gap(Gap(times, times[0], stretch.end))
        if Part.SOUND in block.lost:
            self._account.add_lost_sound(stretch)
            yield stretch

    def _rendered(self, block: Block, inside: list[int]) -> Iterator[tuple[int, Picture]]:
        """Pictures as far as they can be had; what stops them is a loss."""
        begins = f"{seconds_of(block.pts[0], self._header):.2f} s"
        if not self._decoder.can_decode(block):
            self._decoder.learn(block)
            self._account.add_loss(f"{len(block.pts)} frames from {begins} on are lost: their reference is")
            return
        shown = {r.offset for r in block.references}
        guessed = Part.LANDMARKS in block.lost
        try:
            pictures = self._decoder.pictures(block, range(inside[0], inside[-1] + 1))
            for (pts, picture), k in zip(pictures, inside, strict=False):
                self._report.frames += 1
                self._report.concealed += guessed and k not in shown
                at = self._shown_from(pts)
                if self._shown_at is None or at > self._shown_at:  # not the end of a block cut short
                    yield at, picture
                self._shown_at = at
        except DamagedFileError as error:
            self._account.add_loss(f"frames from {begins} on are lost: {error}")

    def _shown_from(self, pts: int) -> int:
        """When a frame is shown: not before the part begins."""
        return pts if self._span.start is None else max(pts, self._span.start)
