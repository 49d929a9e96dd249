"""Container -> packets -> landmarks -> pictures."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurocodec.block import (
    MAX_BLOCK_REFERENCES,
    MAX_CHAIN,
    MAX_FRAMES,
    MAX_KEPT_BYTES,
    RECENT,
    Block,
    ReferenceFrame,
    SoundPacket,
    StillCodec,
)
from neurocodec.chain import ChainDecoder
from neurocodec.conceal import Anchors, between
from neurocodec.container import IndexEntry, Loss, NfcReader, loss_of_parts
from neurocodec.driven import engine_of
from neurocodec.engine import BATCH, Engine, Reference
from neurocodec.errors import DamagedFileError, UsageError
from neurocodec.fit import crop, resize
from neurocodec.gaps import Gap, LostSeconds, Timeline, fill
from neurocodec.header import Fit, Header
from neurocodec.landmarks import dequantize
from neurocodec.media.color import ColorInfo
from neurocodec.media.sound import as_kept
from neurocodec.media.types import AudioInfo, AudioPacket
from neurocodec.media.writer import MediaWriter
from neurocodec.options import DecodeOptions
from neurocodec.packets import FrameSymbols, SymbolDigest, outline_frames, parse_frames
from neurocodec.parts import Part
from neurocodec.prefetch import Ahead
from neurocodec.still import decode_still
from neurocodec.threads import ahead, beside
from neurocodec.units import is_one_picture

MOST_LISTED = 100
"""Losses that a report lists; the rest are counted."""
_AHEAD = 2 * BATCH
"""Pictures rendered before they are written."""
_READY = 6
"""References kept ready to render with."""
Picture = NDArray[np.uint8]
Progress = Callable[[int, int | None], None]
SLOWEST, FASTEST = Fraction(1, 86400), Fraction(100_000)
"""Frame rates a file may claim to be decoded to a video."""
COMMENT = (
    "Generative reconstruction by neurocodec: the pictures are rendered by a neural network from landmarks."
)


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


class ReferenceStore:
    """The references a decoder has to remember: coded ones, decoded ones, and those ready to render with.

    ``size`` is the side of the pictures, ``prepare`` makes them ready.
    """

    def __init__(self, size: int, prepare: Callable[[Picture], Reference] | None = None) -> None:
        self._size, self._prepare = size, prepare
        self._coded: OrderedDict[int, ReferenceFrame] = OrderedDict()
        self._bytes = 0
        self._ready: OrderedDict[int, Reference] = OrderedDict()
        self._chain: ChainDecoder | None = None
        self._chain_at = -1
        self._pictures: dict[int, Picture] = {}

    def add(self, number: int, reference: ReferenceFrame) -> None:
        """Remember the coded reference with this number; what no block can need any more is dropped."""
        self._drop(number)
        self._coded[number] = reference
        self._bytes += len(reference.data)
        while len(self._coded) > MAX_FRAMES + MAX_CHAIN or self._bytes > MAX_KEPT_BYTES:
            self._drop(next(iter(self._coded)))

    def _drop(self, number: int) -> None:
        old = self._coded.pop(number, None)
        self._bytes -= len(old.data) if old else 0

    def has(self, numbers: tuple[int, ...]) -> bool:
        """Whether all of these, which a block needs, are at hand and can be decoded by themselves."""
        return all(n in self._coded for n in numbers) and not (numbers and self._coded[numbers[0]].dependent)

    def get(self, number: int) -> Reference:
        """A reference ready to render with.

        Raises:
            DamagedFileError: it cannot be decoded.
        """
        if number in self._ready:
            self._ready.move_to_end(number)
            return self._ready[number]
        assert self._prepare
        reference = self._prepare(self.picture(number))
        self._ready[number] = reference
        if len(self._ready) > _READY:
            self._ready.popitem(last=False)
        return reference

    def picture(self, number: int) -> Picture:
        """A decoded reference (S,S,3).

        Raises:
            DamagedFileError: it cannot be decoded.
        """
        if number not in self._pictures:
            self._decode(number)
        picture = self._pictures[number]
        for old in [n for n in self._pictures if n < self._oldest_in_use]:
            del self._pictures[old]
        return picture

    @property
    def _oldest_in_use(self) -> int:
        return max(self._coded) - MAX_BLOCK_REFERENCES - RECENT

    def _decode(self, number: int) -> None:
        coded = self._coded.get(number)
        if coded is None:
            raise DamagedFileError("a reference is missing")
        if coded.codec is not StillCodec.AV1:
            self._pictures[number] = decode_still(coded.data, coded.codec, self._size)
            return
        start = number
        while self._coded[start].dependent:
            start -= 1
            if start not in self._coded or self._coded[start].codec is not StillCodec.AV1:
                raise DamagedFileError("a reference is missing that another one depends on")
        if self._chain is None or not start <= self._chain_at < number:
            self._chain, self._chain_at = ChainDecoder(self._size), start - 1
        n = self._chain_at + 1
        # to the end of what is known of the chain, so that going to and fro between two costs nothing
        while n in self._coded and (n == start or self._coded[n].dependent):
            try:
                if not is_one_picture(self._coded[n].data, StillCodec.AV1):
                    raise DamagedFileError("a reference frame cannot be decoded")
                picture = self._chain.decode(self._coded[n].data)
            except DamagedFileError:
                self._chain = None
                if n <= number:
                    raise
                return
            if n == number or n >= self._oldest_in_use:
                self._pictures[n] = picture
            self._chain_at = n
            n += 1


class Decoder:
    """Turns blocks into pictures of the model's size."""

    def __init__(self, header: Header, options: DecodeOptions) -> None:
        self.engine = engine_of(header, options.model, options.device, options.threads)
        self.header = header
        self.basis = basis_of(header, self.engine)
        self._references = ReferenceStore(self.engine.size, self.engine.reference)
        self._anchors = Anchors()
        self.digest = SymbolDigest()

    def learn(self, block: Block) -> None:
        """Remember a block's references without rendering it."""
        for k, reference in enumerate(block.references):
            self._references.add(block.first_reference + k, reference)
        self._anchors.add(block)

    def can_decode(self, block: Block) -> bool:
        """Whether the earlier references it names are at hand."""
        return self._references.has(block.needed)

    def pictures(
        self, block: Block, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Timestamps and pictures (S,S,3) of a block's frames from ``first`` to before ``last``.

        Frames are rendered in groups that do not depend on ``first``, so that random access gives the
        same pictures as linear decoding.  Where the landmarks are lost, guessed ones take their place.
        """
        guessed = Part.LANDMARKS in block.lost
        frames = outline_frames(block) if guessed else parse_frames(block, self.header)
        last = len(frames) if last is None else last
        self.learn(block)
        anchors = self._anchors.of(block) if guessed else []
        for frame in frames:
            if frame.reference:
                self.digest.reference(frame.reference.data)
            elif frame.symbols is not None:
                self.digest.symbols(frame.symbols)
        group: list[tuple[int, FrameSymbols]] = []
        for k, frame in enumerate(frames):
            if group and (len(group) == BATCH or frame.uses != group[0][1].uses or self._alone(group[0][1])):
                yield from self._render(group, first, last, anchors)
                group = []
            group.append((k, frame))
        yield from self._render(group, first, last, anchors)

    def _alone(self, frame: FrameSymbols) -> bool:
        """Whether a frame shows the still itself."""
        return self.header.version == 1 and frame.reference is not None

    def _render(
        self, group: list[tuple[int, FrameSymbols]], first: int, last: int, anchors: list[tuple[int, int]]
    ) -> Iterator[tuple[int, Picture]]:
        if not any(first <= k < last for k, _ in group):
            return
        uses = group[0][1].uses
        if self._alone(group[0][1]):
            pictures: Any = [self._references.picture(uses[0])]
        else:
            references = [self._references.get(n) for n in uses]
            still = np.zeros(self.header.coordinates, np.int32)
            u = np.stack([still if f.symbols is None else f.symbols for _, f in group])
            values = dequantize(u, references[0].coded, self.header.quantization, self.basis)
            for row, (_, frame) in enumerate(group):
                if anchors and frame.reference is None:
                    values[row] = between(frame.pts, anchors, lambda n: self._references.get(n).coded)
            pictures = self.engine.render(references, self.engine.points(values))
        for (k, frame), picture in zip(group, pictures, strict=True):
            if first <= k < last:
                yield frame.pts, picture


def basis_of(header: Header, engine: Engine) -> NDArray[np.int16] | None:
    """The basis that landmarks of this file are coded in: the model's, or None.

    Raises:
        DamagedFileError: the file asks for one that the model lacks.
    """
    if header.transformed and engine.basis is None:
        raise DamagedFileError("the landmarks are in a basis that the model does not have")
    return engine.basis if header.transformed else None


@dataclass(frozen=True)
class Span:
    """The part of a file that is wanted, in units of the video's time base; ``end`` may be None."""

    start: int | None
    end: int | None

    @staticmethod
    def of(options: DecodeOptions, header: Header) -> Span:
        """From seconds after the first frame."""
        begin = Fraction(options.start or 0).limit_denominator(10**6)
        start = None if options.start is None else header.start + int(begin / header.time_base)
        if options.duration is None:
            return Span(start, None)
        length = Fraction(options.duration).limit_denominator(10**6)
        return Span(start, header.start + int((begin + length) / header.time_base))

    def shows(self, block: Block, header: Header, following: int | None = None) -> list[int]:
        """The frames of a block that are on screen in the span; one may have begun before it.

        ``following`` is when the next block's first frame is shown, where that is known.
        """
        if not block.pts:
            return []
        ends = [*block.pts[1:], end_of(block, -1, header) if following is None else following]
        return [
            k
            for k, (pts, end) in enumerate(zip(block.pts, ends, strict=True))
            if (self.start is None or end > self.start) and (self.end is None or pts < self.end)
        ]


Item = tuple[Block, int] | Loss
"""A block and its bytes, or what is lost."""


def _blocks_by_index(
    reader: NfcReader, entries: list[IndexEntry], span: Span
) -> Iterator[tuple[Item, int | None]]:
    """The blocks of ``span``, each after those before the span that lend it references."""
    first = _first_wanted(entries, span)[0]
    lenders = entries[:first]
    begins = {e.first_frame: e.pts for e in entries if e.frames}

    def following(entry: IndexEntry) -> int | None:
        return begins.get(entry.first_frame + entry.frames)

    for entry in entries[first:]:
        beyond = span.end is not None and entry.frames > 0 and entry.pts >= span.end
        try:
            block = reader.block_at(entry)
        except DamagedFileError as error:
            yield Loss(entry.offset, str(error)), None
            if beyond:
                return
            continue
        if block.needed:
            low, high = min(block.needed), max(block.needed)
            wanted = [
                e for e in lenders if e.first_reference <= high and e.first_reference + e.references > low
            ]
            lenders = [e for e in lenders if e not in wanted]
            for lender in wanted:
                try:
                    yield (reader.block_at(lender), 0), following(lender)
                except DamagedFileError as error:
                    yield Loss(lender.offset, str(error)), None
        yield loss_of_parts(entry.offset, block) if block.lost else (block, 0), following(entry)
        if beyond:
            return
    reader.promised = sum(e.frames for e in entries)


def plan(reader: NfcReader, span: Span) -> tuple[int, Iterator[tuple[Item, int | None]]]:
    """The number of the first frame that may be wanted, and all that is needed to decode ``span``.

    By index where there is one, else everything in order; each with the time of the first frame after the
    block, where it is known.
    """
    entries = reader.index() if span.start is not None else None
    if entries:
        return _first_wanted(entries, span)[1], _blocks_by_index(reader, entries, span)
    return 0, _blocks_in_order(reader, span)


def _first_wanted(entries: list[IndexEntry], span: Span) -> tuple[int, int]:
    """Place in the index, and first frame, of the last block that begins before the span."""
    assert span.start is not None
    first = max((k for k, e in enumerate(entries) if e.frames and e.pts <= span.start), default=0)
    return first, entries[first].first_frame


def _blocks_in_order(reader: NfcReader, span: Span) -> Iterator[tuple[Item, int | None]]:
    """Each one after a look at the next, where the part begins somewhere in the file."""
    held: Item | None = None
    for item in reader:
        begins = None if isinstance(item, Loss) or not item[0].pts else item[0].pts[0]
        if span.start is None:
            yield item, None
        elif held is not None:
            yield held, begins if _adjacent(held, item) else None
        held = item
        if span.end is not None and begins is not None and begins >= span.end:
            break
    if span.start is not None and held is not None:
        yield held, None


def _adjacent(a: Item, b: Item) -> bool:
    """Whether ``b`` is the block right after ``a``."""
    if isinstance(a, Loss) or isinstance(b, Loss):
        return False
    return b[0].first_frame == a[0].first_frame + len(a[0].pts)


def decode_pictures(
    reader: NfcReader, options: DecodeOptions, report: DecodeReport
) -> Iterator[tuple[int, Picture] | SoundPacket]:
    """Timestamps with pictures (S,S,3), and sound packets, of the wanted part; nothing where there are gaps.

    Raises:
        UnsupportedError: the model is not installed.
        DamagedFileError: nothing could be decoded, or, if ``options`` are strict, something could not.
    """
    return (i for i in decode_items(reader, options, report) if not isinstance(i, Gap))


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
            (losses.note if over else losses.say)(_say(item, report, header))
            continue
        else:
            block = item.left
        inside = span.shows(block, header, following)
        over = span.end is not None and bool(block.pts) and end_of(block, -1, header) >= span.end
        if isinstance(item, Loss):
            tell = losses.say if block.lost and (inside or not block.pts) else losses.note
            tell(_say(item, report, header))
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


def end_of(block: Block, k: int, header: Header) -> int:
    """When frame ``k`` (or, from the end, -1) of a block ends."""
    k %= len(block.pts)
    if k + 1 < len(block.pts):
        return block.pts[k + 1]
    number = block.first_frame + k
    return block.pts[k] + max(1, header.regular_pts(number + 1) - header.regular_pts(number))


def seconds_of(pts: int, header: Header) -> float:
    """Seconds since the first frame."""
    return float((pts - header.start) * header.time_base)


def _say(loss: Loss, report: DecodeReport, header: Header) -> str:
    if loss.truncated:
        kept = "; decoded up to the last whole block" if report.frames else ""
        return f"the file is cut off at byte {loss.offset}{kept}"
    return f"damage at byte {loss.offset}: {loss.reason}"


def _heard(packet: SoundPacket, span: Span, header: Header) -> bool:
    assert header.audio is not None
    place = (packet.pts + packet.duration // 2) * header.audio.time_base / header.time_base
    return (span.start is None or place >= span.start) and (span.end is None or place < span.end)


def output_size(header: Header, size: str) -> tuple[int, int]:
    """Width and height of the decoded video for ``source`` or ``model``."""
    if size == "source":
        return header.width, header.height
    place = header.content()
    return place.width, place.height


def audio_info(header: Header) -> AudioInfo | None:
    """The header's sound track as the media layer describes it.

    Raises:
        UnsupportedError: more channels than there is a layout for.
    """
    a = header.audio
    if a is None:
        return None
    return as_kept(
        AudioInfo(a.codec, a.sample_rate, a.channels, "", a.time_base, a.extradata, 0, a.initial_padding)
    )


def decode_stream(
    file: BinaryIO,
    name: str,
    destination: Any,
    options: DecodeOptions,
    progress: Progress | None = None,
    output_name: str | None = None,
) -> DecodeReport:
    """Decode an open ``.nfc`` file (or pipe) into an MP4 at ``destination`` (path or file object).

    ``output_name`` is what messages call the destination.

    Raises:
        NeurocodecError: for bad options, files, models or output; see :mod:`neurocodec.errors`.
    """
    began = time.perf_counter()
    options = options.resolved()
    reader = NfcReader(file, name, options.limits)
    header, report = reader.header, DecodeReport()
    if reader.corrected:
        report.notes.append(reader.corrected)
    if not SLOWEST <= header.fps <= FASTEST:
        raise DamagedFileError(f"{name} claims {float(header.fps):g} frames/s")
    report.width, report.height = output_size(header, options.size)
    options.limits.check_picture(report.width, report.height, name)
    place = header.content()
    square = options.size == "model" and header.fit is not Fit.LETTERBOX
    sar = _output_sar(header, options.size)
    c = header.colour
    track = audio_info(header)
    entries = reader.index() if options.start is None and options.duration is None else None
    total = sum(e.frames for e in entries) if entries else None
    options.limits.check_frames(total or 0, name)
    items = fill(decode_items(reader, options, report), header, report)
    first = next(items, None)
    shift = _origin(first, Span.of(options, header), header)
    audio_shift = int(shift * header.time_base / track.time_base) if track else 0
    last_audio: int | None = None
    written = 0
    with MediaWriter(
        destination, width=report.width, height=report.height, sar=sar, fps=header.fps,
        time_base=header.time_base, color=ColorInfo(c.primaries, c.transfer, c.matrix, c.full_range),
        crf=options.crf, threads=beside(options.threads), audio=track, force=True,
        metadata={"comment": f"{COMMENT} Model: {header.model}."}, name=output_name,
    ) as writer, Ahead(items, ahead(_AHEAD, options.threads)) as rest:  # fmt: skip
        for item in chain([] if first is None else [first], rest):
            if isinstance(item, SoundPacket):
                at = item.pts - audio_shift
                if last_audio is not None:  # the format lets packets share a time, MP4 does not
                    at = max(at, last_audio + 1)
                last_audio = at
                writer.write_audio(AudioPacket(item.data, at, item.duration))
            else:
                pts, picture = item
                shown = picture if square else crop(picture, place)
                writer.write_video(resize(shown, report.width, report.height), pts - shift)
                written += 1
                if progress:
                    progress(written, total)
    report.seconds = time.perf_counter() - began
    return report


def _origin(first: tuple[int, Picture] | SoundPacket | None, span: Span, header: Header) -> int:
    """The time, in units of the video's, that is zero in the output: MP4 has no pictures before it."""
    if span.start is not None:
        return span.start
    return min(0, first[0] if isinstance(first, tuple) else header.start)


def _output_sar(header: Header, size: str) -> Fraction:
    """Pixel aspect of the output, so that it is shown with the source's shape."""
    if size == "source" or header.fit is Fit.REGION:
        return header.sar
    if header.fit is Fit.LETTERBOX:
        return Fraction(1)
    return header.sar * header.width / header.height
