"""What is in an ``.nfc`` file, read without any network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.files.opening import PathOrFile, opened_input
from neurocodec.format.block import Block
from neurocodec.format.checksums import Part
from neurocodec.format.damage import Loss
from neurocodec.format.head import HeadPart
from neurocodec.format.header import Header
from neurocodec.format.limits import LISTED, MOST_LISTED, MOST_REFRESHES, Limits
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import LostSeconds, Timeline, end_of, playing_time, rates, seconds_of
from neurocodec.inspect.layered import LayeredAccount
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.keypoints.packets import code_of, parse_frames, parse_head


@dataclass
class FileInfo:
    """Contents of a file; the attributes are those of ``neurocodec info --json``.

    ``bytes`` has total, references, landmarks, audio and overhead, ``kbps`` total and video,
    ``refreshes`` a list of ``{"time", "frame", "codec", "bytes"}``, ``packets`` (when asked for) one entry a
    frame, in layered files one for each picture of the layer and each packet of a head, ``losses`` what could
    not be read; the stretches of time (from and to, in seconds) of which something is missing are ``lost``
    for frames, ``lost_landmarks``, ``lost_sound``, ``lost_layer`` and ``lost_heads``.  Layered files alone
    have ``layer`` and ``heads``, and a ``layer`` in ``bytes``; their landmarks are those of heads, and they
    have no references.  ``description`` is what the file says of its source, if anything
    (:meth:`neurocodec.format.description.Description.as_dict`).
    """

    format_version: int
    width: int
    height: int
    sar: str
    rotation: int
    fit: str
    fps: float
    time_base: str
    duration: float
    frames: int
    references: int
    blocks: int
    model: str
    model_hash: str
    model_size: int
    keypoints: int
    quantization: int
    landmark_code: str
    colour: dict[str, Any]
    audio: dict[str, Any] | None
    landmark_model: dict[str, Any] | None
    bytes: dict[str, int]
    kbps: dict[str, float]
    landmark_bits_per_frame: float
    refreshes: list[dict[str, Any]] = field(default_factory=list)
    packets: list[dict[str, Any]] | None = None
    losses: list[str] = field(default_factory=list)
    lost: list[list[float]] = field(default_factory=list)
    lost_landmarks: list[list[float]] = field(default_factory=list)
    lost_sound: list[list[float]] = field(default_factory=list)
    lost_layer: list[list[float]] = field(default_factory=list)
    lost_heads: list[list[float]] = field(default_factory=list)
    layer: dict[str, Any] | None = None
    heads: dict[str, Any] | None = None
    description: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; ``packets`` only when asked for, layer, heads and description if there are any."""
        left_out = ("packets", "layer", "heads", "description")
        return {k: v for k, v in self.__dict__.items() if k not in left_out or v is not None}


class _Account:
    """Adds up what the blocks of a file hold."""

    def __init__(self, header: Header, name: str, packets: bool) -> None:
        self._header, self._name = header, name
        self.sizes = {"references": 0, "landmarks": 0, "audio": 0}
        self.layered = LayeredAccount() if header.layered else None
        if self.layered:
            self.sizes["layer"] = 0
        self.frames = self.blocks = self.landmark_frames = 0
        self.refreshes: list[dict[str, Any]] = []
        self.packets: list[dict[str, Any]] | None = [] if packets else None
        self.losses: list[str] = []
        self.lost, self.lost_parts = LostSeconds(), {part: LostSeconds() for part in Part}
        self._timeline = Timeline(header)
        self._first: int | None = None
        self._last: int | None = None
        self._before: int | None = None

    def add_loss(self, text: str) -> None:
        """Note a loss; of very many, the first hundred."""
        if len(self.losses) < MOST_LISTED:
            self.losses.append(text)
        elif len(self.losses) == MOST_LISTED:
            self.losses.append("and more")

    def add(self, block: Block) -> None:
        """Note a block.

        Raises:
            UnsupportedError: there is more in the file than can be listed.
        """
        self.blocks += 1
        self._miss(block.first_frame, block.pts[0] if block.pts else None)
        self._timeline.seen(block.first_frame, block.pts)
        self.frames += len(block.pts)
        if self.layered:
            self.layered.add(block)
            self.landmark_frames = self.layered.packets
        elif Part.LANDMARKS not in block.lost:
            self.landmark_frames += len(block.pts) - len(block.references)
        for kind, count in block.payload_bytes.items():
            self.sizes[kind] += count
        if block.pts:
            self._add_times(block)
        self._add_refreshes(block)
        if self.packets is not None:
            self._add_packets(block, self.packets)

    def end(self, promised: int | None) -> None:
        """The file ends; its index promises so many frames, if it says so."""
        self._miss(promised or 0)
        if self.lost.stretches and not self.losses:
            self.losses.append("blocks are missing")

    def _miss(self, number: int, pts: int | None = None) -> None:
        for gap in self._timeline.until(number, pts):
            self.lost.add(seconds_of(gap.start, self._header), seconds_of(gap.end, self._header))

    def _add_times(self, block: Block) -> None:
        self._first = block.pts[0] if self._first is None else self._first
        self._before = block.pts[-2] if len(block.pts) > 1 else self._last
        self._last = block.pts[-1]
        start = seconds_of(block.pts[0], self._header)
        for part in block.lost:
            self.lost_parts[part].add(start, seconds_of(end_of(block, -1, self._header), self._header))

    def _add_refreshes(self, block: Block) -> None:
        if len(self.refreshes) + len(block.references) > MOST_REFRESHES:
            raise UnsupportedError(
                f"{self._name} has more than {MOST_REFRESHES} references, too many to list"
            )
        self.refreshes += (
            {
                "time": round(seconds_of(block.pts[r.offset], self._header), 6),
                "frame": block.first_frame + r.offset,
                "codec": r.codec.name.lower(),
                "bytes": len(r.data),
            }
            for r in sorted(block.references, key=lambda r: r.offset)
        )

    def _add_packets(self, block: Block, packets: list[dict[str, Any]]) -> None:
        frames = len(block.pts) + sum(part.frames for part in block.heads)
        if self._header.coordinates * (len(packets) + frames) > LISTED:
            raise UnsupportedError(f"{self._name} has too many packets to list them")
        try:
            packets += (_pictures if self.layered else _packets)(block, self._header)
            for part in block.heads:
                packets += _packets_of_head(part, block, self._header)
        except DamagedFileError as error:
            self.add_loss(f"block at frame {block.first_frame}: {error}")

    @property
    def duration(self) -> float:
        """Playing time in seconds."""
        if self._first is None or self._last is None:
            return 0.0
        step = 0 if self._before is None else self._last - self._before
        return playing_time(self._header, self._first, self._last, step)


def _packets(block: Block, header: Header) -> list[dict[str, Any]]:
    """One entry a frame; the bits of a packet are counted by writing it again."""
    out = []
    writer = PacketEncoder(code_of(block, header), header.coordinates)
    for k, frame in enumerate(parse_frames(block, header)):
        entry = _at(block, k, header)
        if frame.reference:
            entry |= {"kind": "reference", "bits": 8 * len(frame.reference.data)}
        else:
            assert frame.symbols is not None
            if frame.fresh:
                writer.refresh()
            before = writer.bits
            writer.write(frame.symbols)
            entry |= {"kind": "landmarks", "bits": writer.bits - before}
            entry["symbols"] = frame.symbols.tolist()
            entry["references"] = list(frame.uses)
        out.append(entry)
    return out


def _packets_of_head(part: HeadPart, block: Block, header: Header) -> list[dict[str, Any]]:
    """One entry for each packet of a head."""
    out = []
    writer = PacketEncoder(code_of(part, header), header.coordinates)
    for frame in parse_head(part, block, header):
        if frame.symbols is None:
            continue
        if frame.fresh:
            writer.refresh()
        before = writer.bits
        writer.write(frame.symbols)
        entry = {"kind": "landmarks", "bits": writer.bits - before, "head": part.head}
        out.append(_at(block, frame.offset, header) | entry | {"symbols": frame.symbols.tolist()})
    return out


def _pictures(block: Block, header: Header) -> list[dict[str, Any]]:
    """One entry for each picture of the layer."""
    return [
        _at(block, picture.offset, header) | {"kind": "layer", "bits": 8 * len(picture.data)}
        for picture in (block.layer.pictures if block.layer else ())
    ]


def _at(block: Block, offset: int, header: Header) -> dict[str, Any]:
    """Number and time of a frame of a block."""
    return {"frame": block.first_frame + offset, "time": round(seconds_of(block.pts[offset], header), 6)}


def _of_header(h: Header) -> dict[str, Any]:
    """What the header alone says."""
    audio, colour, latent = h.audio, h.colour, h.latent
    return {
        "format_version": h.version,
        "width": h.width,
        "height": h.height,
        "sar": f"{h.sar.numerator}:{h.sar.denominator}",
        "rotation": h.rotation,
        "fit": h.fit.name.lower(),
        "fps": round(float(h.fps), 6),
        "time_base": f"{h.time_base.numerator}/{h.time_base.denominator}",
        "model": h.model,
        "model_hash": h.model_hash.hex(),
        "model_size": h.model_size,
        "keypoints": h.keypoints,
        "quantization": h.quantization,
        "landmark_code": h.landmark_code.name.lower(),
        "colour": asdict(colour),
        "audio": audio
        and {"codec": audio.codec, "sample_rate": audio.sample_rate, "channels": audio.channels},
        "landmark_model": latent
        and {"name": latent.name, "hash": latent.hash.hex(), "values": latent.values},
    }


def read_info(
    file: BinaryIO, name: str = "input", *, packets: bool = False, limits: Limits | None = None
) -> FileInfo:
    """Read a whole file or pipe.

    Raises:
        InputError, UnsupportedError, DamagedFileError: as :class:`NfcReader` has it; damage behind the
            header is listed in ``losses`` instead.
    """
    reader = NfcReader(file, name, limits)
    account = _Account(reader.header, name, packets)
    for item in reader:
        if isinstance(item, Loss):
            account.add_loss(f"byte {item.offset}: {item.reason}")
        block = item.salvaged if isinstance(item, Loss) else item[0]
        if block is not None:
            account.add(block)
    account.end(reader.promised)
    total, duration, sizes = reader.finish(), account.duration, account.sizes
    sizes = {"total": total, **sizes, "overhead": total - sum(sizes.values())}
    bits = 8 * sizes["landmarks"] / account.landmark_frames if account.landmark_frames else 0.0
    return FileInfo(
        **_of_header(reader.header),
        duration=round(duration, 6),
        frames=account.frames,
        references=len(account.refreshes),
        blocks=account.blocks,
        bytes=sizes,
        kbps=rates(sizes, duration) if duration else {"total": 0.0, "video": 0.0},
        landmark_bits_per_frame=bits,
        refreshes=account.refreshes,
        packets=account.packets,
        losses=account.losses,
        lost=account.lost.rounded(),
        lost_landmarks=account.lost_parts[Part.LANDMARKS].rounded(),
        lost_sound=account.lost_parts[Part.SOUND].rounded(),
        lost_layer=account.lost_parts[Part.LAYER].rounded(),
        lost_heads=account.lost_parts[Part.HEADS].rounded(),
        layer=account.layered.layer if account.layered else None,
        heads=account.layered.heads if account.layered else None,
        description=reader.description.as_dict() or None,
    )


def probe(source: PathOrFile, *, packets: bool = False, limits: Limits | None = None) -> FileInfo:
    """What is in an ``.nfc`` file (path or file object); with ``packets``, every frame's symbols.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`.
    """
    with opened_input(source) as (file, name):
        return read_info(file, name, packets=packets, limits=limits)
