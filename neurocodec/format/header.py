"""The file header: what a decoder must know before the first block, and its serialization."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from functools import cached_property

from neurocodec.entropy.bits import ByteReader, svarint, varint
from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.format.limits import MAX_QUANTIZATION


class LandmarkCode(IntEnum):
    """How landmark packets are written; the number stands in the file."""

    ORIGINAL = 0
    GOLOMB = 1
    RANGE = 2


MAX_DIMENSION = 32768
MAX_MODEL_SIZE = 4096
MAX_KEYPOINTS = 1024
MAX_TERM = (1 << 31) - 1
MAX_EXTRADATA = 1 << 20
MAX_EXTENSIONS = 64
MAX_PTS = (1 << 62) - 1
HASH_BYTES = 8
FINEST_TIME_BASE = 1_000_000
_LATENT = 0x40


class Fit(IntEnum):
    """How the source's picture was brought to the model's square."""

    SQUASH = 0
    LETTERBOX = 1
    REGION = 2


@dataclass(frozen=True)
class Colour:
    """ITU-T H.273 code points of the source's pictures (and of what a decoder should write)."""

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    full_range: bool = False


@dataclass(frozen=True)
class AudioTrack:
    """The sound's codec (FFmpeg's name), layout and decoder configuration.

    ``initial_padding`` is in samples, ``packet_duration`` (0: unknown) in units of ``time_base``.
    """

    codec: str
    sample_rate: int
    channels: int
    time_base: Fraction
    initial_padding: int = 0
    packet_duration: int = 0
    extradata: bytes = b""


@dataclass(frozen=True)
class LatentModel:
    """A landmark model whose latents are coded instead of keypoints: ``values`` a frame (version 3)."""

    name: str
    hash: bytes
    values: int


@dataclass(frozen=True)
class Rectangle:
    """x, y, width, height in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Header:
    """Geometry, timing, colour, model and coding modes of a file.

    ``width`` x ``height`` is the picture as shown upright, before pixel aspect ``sar`` is applied (with
    :attr:`Fit.REGION`, the size of the square that is given back); ``rotation`` says how many degrees
    clockwise the source was turned to be upright.  ``version`` is that of the format; ``transformed`` says
    that keypoints are coded in the model's basis (:mod:`neurocodec.keypoints.transform`), ``latent`` that
    they are latents of a landmark model (:mod:`neurocodec.models.latent_engine`), ``layered`` that blocks
    hold a layer and heads (version 5).
    """

    width: int
    height: int
    sar: Fraction
    rotation: int
    fit: Fit
    time_base: Fraction
    fps: Fraction
    start: int
    colour: Colour
    model: str
    model_hash: bytes
    model_size: int
    keypoints: int
    quantization: int
    landmark_code: LandmarkCode
    audio: AudioTrack | None = None
    extensions: tuple[tuple[int, bytes], ...] = field(default=())
    version: int = 1
    transformed: bool = False
    latent: LatentModel | None = None
    layered: bool = False

    @property
    def coordinates(self) -> int:
        """Integers in a landmark packet."""
        return self.latent.values if self.latent else 2 * self.keypoints

    def regular_pts(self, frame: int) -> int:
        """Timestamp of frame ``frame`` at exactly ``fps``, in units of ``time_base``, rounded half up."""
        step = self._step
        return self.start + (2 * frame * step.numerator + step.denominator) // (2 * step.denominator)

    @cached_property
    def _step(self) -> Fraction:
        return 1 / (self.fps * self.time_base)

    def content(self) -> Rectangle:
        """Where the source's picture lies in the model's square."""
        return content_rectangle(self.width, self.height, self.sar, self.fit, self.model_size)


def content_rectangle(width: int, height: int, sar: Fraction, fit: Fit, side: int) -> Rectangle:
    """Where a picture, whose pixels have the aspect ``sar``, lies in a square of ``side`` pixels."""
    if fit is not Fit.LETTERBOX:
        return Rectangle(0, 0, side, side)
    wide, high = width * sar.numerator, height * sar.denominator
    if wide >= high:
        across = max(1, (2 * side * high + wide) // (2 * wide))
        return Rectangle(0, (side - across) // 2, side, across)
    across = max(1, (2 * side * wide + high) // (2 * high))
    return Rectangle((side - across) // 2, 0, across, side)


def _fraction(value: Fraction) -> bytes:
    return varint(value.numerator) + varint(value.denominator)


def _text(value: str) -> bytes:
    raw = value.encode()
    return varint(len(raw)) + raw


def write_header(h: Header) -> bytes:
    """Payload of the header chunk (``docs/format.md``, "Header")."""
    out = bytearray()
    flags = h.fit | (h.rotation // 90) << 2 | (h.audio is not None) << 4 | h.colour.full_range << 5
    out.append(flags | (h.sar != 1) << 6 | h.layered << 7)
    out += varint(h.width) + varint(h.height)
    if h.sar != 1:
        out += _fraction(h.sar)
    out += _fraction(h.time_base) + _fraction(h.fps) + svarint(h.start)
    out += bytes([h.colour.primaries, h.colour.transfer, h.colour.matrix])
    out += _text(h.model) + h.model_hash + varint(h.model_size) + varint(h.keypoints)
    out += varint(h.quantization)
    out.append(h.landmark_code | h.transformed << 7 | (_LATENT if h.latent else 0))
    if h.latent:
        out += _text(h.latent.name) + h.latent.hash + varint(h.latent.values)
    if h.audio:
        a = h.audio
        out += _text(a.codec) + varint(a.sample_rate) + varint(a.channels) + _fraction(a.time_base)
        out += varint(a.initial_padding) + varint(a.packet_duration)
        out += varint(len(a.extradata)) + a.extradata
    for key, value in h.extensions:
        out += varint(key) + varint(len(value)) + value
    return bytes(out)


def _read_fraction(source: ByteReader, what: str) -> Fraction:
    numerator, denominator = source.varint(MAX_TERM), source.varint(MAX_TERM)
    if not numerator or not denominator:
        raise DamagedFileError(f"the {what} is zero or infinite")
    return Fraction(numerator, denominator)


def _read_text(source: ByteReader, what: str) -> str:
    try:
        text = source.take(source.varint(255)).decode("ascii")
    except UnicodeDecodeError:
        raise DamagedFileError(f"the {what} is not valid text") from None
    if not text or not text.isprintable():
        raise DamagedFileError(f"the {what} is not valid text")
    return text


def _positive(source: ByteReader, limit: int, what: str) -> int:
    value = source.varint(limit)
    if not value:
        raise DamagedFileError(f"the {what} is zero")
    return value


def read_header(payload: bytes, version: int = 1) -> Header:
    """Inverse of :func:`write_header`.

    Raises:
        DamagedFileError: for truncated fields and impossible values.
        UnsupportedError: for a landmark code or fit this version does not know.
    """
    source = ByteReader(payload)
    flags = source.byte()
    layered = bool(flags & 0x80)
    if flags & 3 == 3 or (layered and version < 5):
        raise UnsupportedError("the file uses a feature this version does not know (header flags)")
    if layered and Fit(flags & 3) is not Fit.REGION:
        raise DamagedFileError("a layered file has another fit than region")
    width = _positive(source, MAX_DIMENSION, "width")
    height = _positive(source, MAX_DIMENSION, "height")
    sar = _read_fraction(source, "pixel aspect ratio") if flags & 64 else Fraction(1)
    time_base = _read_fraction(source, "time base")
    fps = _read_fraction(source, "frame rate")
    start = source.svarint(MAX_PTS)
    primaries, transfer, matrix = source.take(3)
    model = _read_text(source, "model name")
    model_hash = source.take(HASH_BYTES)
    model_size = _positive(source, MAX_MODEL_SIZE, "model size")
    keypoints = _positive(source, MAX_KEYPOINTS, "number of keypoints")
    quantization = _positive(source, MAX_QUANTIZATION, "quantization")
    code = source.byte()
    transformed = version > 1 and bool(code & 0x80)
    code -= 0x80 * transformed
    latent = None
    if version > 2 and code & _LATENT and not transformed:
        code -= _LATENT
        name, digest = _read_text(source, "landmark model name"), source.take(HASH_BYTES)
        values = _positive(source, 2 * MAX_KEYPOINTS, "number of values")
        if values % 2:
            raise DamagedFileError("the number of values of a latent is odd")
        latent = LatentModel(name, digest, values)
    if code not in list(LandmarkCode) or (version == 1 and code == LandmarkCode.RANGE):
        raise UnsupportedError(f"landmark code {code} is not known to this version of neurocodec")
    audio = None
    if flags & 16:
        codec = _read_text(source, "audio codec")
        rate = _positive(source, 1_000_000, "audio sample rate")
        channels = _positive(source, 255, "number of audio channels")
        audio = AudioTrack(
            codec, rate, channels, _read_fraction(source, "audio time base"),
            source.varint(MAX_TERM), source.varint(MAX_TERM), source.take(source.varint(MAX_EXTRADATA)),
        )  # fmt: skip
    extensions: list[tuple[int, bytes]] = []
    while source.remaining:
        if len(extensions) == MAX_EXTENSIONS:
            raise DamagedFileError("the header has too many extensions")
        extensions.append((source.varint(), source.take(source.varint())))
    return Header(
        width, height, sar, 90 * (flags >> 2 & 3), Fit(flags & 3), time_base, fps, start,
        Colour(primaries, transfer, matrix, bool(flags & 32)),
        model, model_hash, model_size, keypoints, quantization, LandmarkCode(code),
        audio, tuple(extensions), version, transformed, latent, layered,
    )  # fmt: skip
