"""Decoding an .nfc file into an MP4 with picture and sound."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from typing import Any, BinaryIO

from neurocodec.decoding.filling import fill
from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span import Span
from neurocodec.decoding.span_decoder import decode_items
from neurocodec.errors import DamagedFileError, UsageError
from neurocodec.format.block import SoundPacket
from neurocodec.format.description import Description
from neurocodec.format.header import Fit, Header
from neurocodec.format.reader import NfcReader
from neurocodec.media.color import ColorInfo
from neurocodec.media.outputs import SILENT, Writer, open_writer
from neurocodec.media.sound import as_kept
from neurocodec.media.square import crop, resize
from neurocodec.media.types import AudioInfo, AudioPacket
from neurocodec.models.device import BATCH
from neurocodec.options import DecodeOptions
from neurocodec.prefetch import Ahead
from neurocodec.threads import depth_ahead, threads_beside
from neurocodec.types import Picture, Progress

_AHEAD = 2 * BATCH
"""Pictures rendered before they are written."""
SLOWEST, FASTEST = Fraction(1, 86400), Fraction(100_000)
"""Frame rates a file may claim to be decoded to a video."""
COMMENT = (
    "Generative reconstruction by neurocodec: the pictures are rendered by a neural network from landmarks."
)


def output_size(header: Header, size: str) -> tuple[int, int]:
    """Width and height of the decoded video for ``source`` or ``model``.

    Raises:
        UsageError: the model's size is asked for of whole frames.
    """
    if header.layered and size != "source":
        raise UsageError("a file of whole frames has only the source's size")
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
    """Decode an open ``.nfc`` file (or pipe) into a video at ``destination``: a path or a file object.

    A folder of PNG is there already.
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
    if options.format in SILENT and header.audio:
        report.notes.append(f"the sound is left out: {options.format} has none")
    if not SLOWEST <= header.fps <= FASTEST:
        raise DamagedFileError(f"{name} claims {float(header.fps):g} frames/s")
    report.width, report.height = output_size(header, options.size)
    options.limits.check_picture(report.width, report.height, name)
    c, track = header.colour, audio_info(header)
    total = _frames_in_all(reader, options)
    items = fill(decode_items(reader, options, report), header, report)
    first = next(items, None)
    span = Span.of(options, header)
    shift = _origin(first, span, header)
    with (
        open_writer(
            options.format,
            destination,
            output_name,
            width=report.width,
            height=report.height,
            sar=_output_sar(header, options.size),
            fps=header.fps,
            time_base=header.time_base,
            color=ColorInfo(c.primaries, c.transfer, c.matrix, c.full_range),
            crf=options.crf,
            threads=threads_beside(options.threads),
            audio=track,
            force=True,
            metadata={_place_of_ours(reader.description): f"{COMMENT} Model: {header.model}."},
            description=_shown_description(reader.description, shift, span, header),
        ) as writer,
        Ahead(items, depth_ahead(_AHEAD, options.threads)) as rest,
    ):
        output = _VideoOutput(writer, header, options.size, shift)
        for item in chain([] if first is None else [first], rest):
            if isinstance(item, SoundPacket):
                output.write_sound(item)
                continue
            output.write_picture(*item)
            if progress:
                progress(output.pictures, total)
    report.seconds = time.perf_counter() - began
    return report


def _frames_in_all(reader: NfcReader, options: DecodeOptions) -> int | None:
    """How many frames a decode of the whole file gives, where its index says so.

    Raises:
        UnsupportedError: more than the limit.
    """
    if options.start is not None or options.duration is not None:
        return None
    entries = reader.index()
    if not entries:
        return None
    total = sum(e.frames for e in entries)
    options.limits.check_frames(total, reader.name)
    return total


class _VideoOutput:
    """Writes pictures at the output's size, and sound, both moved to begin ``shift`` earlier."""

    def __init__(self, writer: Writer, header: Header, size: str, shift: int) -> None:
        self._writer, self._shift = writer, shift
        self._width, self._height = output_size(header, size)
        whole = header.layered or (size == "model" and header.fit is not Fit.LETTERBOX)
        self._content = None if whole else header.content()
        track = header.audio
        self._sound_shift = int(shift * header.time_base / track.time_base) if track else 0
        self._last_sound: int | None = None
        self.pictures = 0

    def write_picture(self, pts: int, picture: Picture) -> None:
        """A picture (S,S,3) as the model makes it, or a whole frame."""
        shown = picture if self._content is None else crop(picture, self._content)
        self._writer.write_video(resize(shown, self._width, self._height), pts - self._shift)
        self.pictures += 1

    def write_sound(self, packet: SoundPacket) -> None:
        """A packet, later than the last one: the format lets packets share a time, MP4 does not."""
        at = packet.pts - self._sound_shift
        if self._last_sound is not None:
            at = max(at, self._last_sound + 1)
        self._last_sound = at
        self._writer.write_audio(AudioPacket(packet.data, at, packet.duration))


def _origin(first: tuple[int, Picture] | SoundPacket | None, span: Span, header: Header) -> int:
    """The time, in units of the video's, that is zero in the output: MP4 has no pictures before it."""
    if span.start is not None:
        return span.start
    return min(0, first[0] if isinstance(first, tuple) else header.start)


def _place_of_ours(description: Description) -> str:
    """The tag in which we say what the pictures are; the source's comment stays its own."""
    return "description" if description.comment else "comment"


def _shown_description(description: Description, shift: int, span: Span, header: Header) -> Description:
    """What the file says of itself, for an output that begins at ``shift``; of sound only if it has some."""
    begin, end = (None if t is None else round(t * header.time_base * 1000) for t in (shift, span.end))
    told = description.within(begin or 0, end)
    return told if header.audio else replace(told, language="", sound_title="")


def _output_sar(header: Header, size: str) -> Fraction:
    """Pixel aspect of the output, so that it is shown with the source's shape."""
    if size == "source" or header.fit is Fit.REGION:
        return header.sar
    if header.fit is Fit.LETTERBOX:
        return Fraction(1)
    return header.sar * header.width / header.height
