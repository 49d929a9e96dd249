"""From the blocks of a file to pictures and sound packets, with gaps where something is lost."""

from __future__ import annotations

from collections.abc import Iterator

from neurocodec.decoding.decoder import Decoder
from neurocodec.decoding.report import DecodeReport, _Losses, describe
from neurocodec.decoding.span import Span, plan
from neurocodec.errors import DamagedFileError, UsageError
from neurocodec.format.block import SoundPacket
from neurocodec.format.checksums import Part
from neurocodec.format.header import Header
from neurocodec.format.losses import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import Gap, Timeline, end_of, seconds_of
from neurocodec.options import DecodeOptions
from neurocodec.types import Picture


def decode_pictures(
    reader: NfcReader, options: DecodeOptions, report: DecodeReport
) -> Iterator[tuple[int, Picture] | SoundPacket]:
    """Timestamps with pictures (S,S,3), and sound packets, of the wanted part; nothing where there are gaps.

    Raises:
        UnsupportedError: the model is not installed.
        DamagedFileError: nothing could be decoded, or, if ``options`` are strict, something could not.
    """
    return (i for i in decode_items(reader, options, report) if not isinstance(i, Gap))


def decode_items(
    reader: NfcReader, options: DecodeOptions, report: DecodeReport
) -> Iterator[tuple[int, Picture] | SoundPacket | Gap]:
    """As :func:`decode_pictures`, with a :class:`Gap` wherever pictures are lost."""
    header = reader.header
    span = Span.of(options, header)
    decoder = Decoder(header, options)
    losses = _Losses(reader, report, options.strict)
    expected, blocks = plan(reader, span)
    timeline = Timeline(header, expected, span.start, span.end)
    shown_at: int | None = None
    over = False
    for item, following in blocks:
        if not isinstance(item, Loss):
            block = item[0]
        elif item.left is None:
            (losses.note if over else losses.say)(describe(item, report, header))
            continue
        else:
            block = item.left
        inside = span.shows(block, header, following)
        over = span.end is not None and bool(block.pts) and end_of(block, -1, header) >= span.end
        if isinstance(item, Loss):
            tell = losses.say if block.lost and (inside or not block.pts) else losses.note
            tell(describe(item, report, header))
        if block.first_frame + len(block.pts) > timeline.expected:  # else it only lends references
            for gap in timeline.until(block.first_frame, block.pts[0] if block.pts else None):
                losses.sound(gap)
                yield losses.gap(gap)
        timeline.seen(block.first_frame, block.pts)
        if inside:
            stretch = Gap((), block.pts[inside[0]], end_of(block, inside[-1], header))
            done = 0
            if not decoder.can_decode(block):
                decoder.learn(block)
                losses.say(
                    f"{len(block.pts)} frames from {seconds_of(block.pts[0], header):.2f} s on are lost: "
                    "their reference is"
                )
            else:
                shown = {r.offset for r in block.references}
                try:
                    for pts, picture in decoder.pictures(block, inside[0], inside[-1] + 1):
                        report.frames += 1
                        report.concealed += Part.LANDMARKS in block.lost and inside[done] not in shown
                        done += 1
                        at = max(pts, span.start or pts)
                        if shown_at is None or at > shown_at:  # not the end of a block cut short by damage
                            yield at, picture
                        shown_at = at
                except DamagedFileError as error:
                    losses.say(f"frames from {seconds_of(block.pts[0], header):.2f} s on are lost: {error}")
            if done and Part.LANDMARKS in block.lost:
                losses.landmarks(stretch)
            if done < len(inside):
                times = [max(block.pts[k], span.start or block.pts[k]) for k in inside[done:]]
                yield losses.gap(Gap(times, times[0], stretch.end))
            if Part.SOUND in block.lost:
                losses.sound(stretch)
                yield stretch
        else:
            decoder.learn(block)
        yield from (p for p in block.audio if _heard(p, span, header))
    if reader.promised is not None:
        for gap in timeline.until(reader.promised):
            yield losses.gap(gap)
    report.symbols_sha256 = decoder.digest.hexdigest()
    if not report.frames:
        if report.losses:
            raise DamagedFileError(f"nothing of {reader.name} can be decoded: {report.losses[0]}")
        raise UsageError(f"{reader.name} has no frame in the chosen part")


def _heard(packet: SoundPacket, span: Span, header: Header) -> bool:
    assert header.audio is not None
    place = (packet.pts + packet.duration // 2) * header.audio.time_base / header.time_base
    return (span.start is None or place >= span.start) and (span.end is None or place < span.end)
