"""What is in an ``.nfc`` file, read without any network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO

from neurocodec.errors import DamagedFileError, UnsupportedError
from neurocodec.files.opening import PathOrFile, opened_input
from neurocodec.format.block import Block
from neurocodec.format.checksums import Part
from neurocodec.format.header import Header
from neurocodec.format.limits import LISTED, MOST_LISTED, MOST_REFRESHES, Limits
from neurocodec.format.losses import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.format.times import LostSeconds, Timeline, end_of, playing_time, rates, seconds_of
from neurocodec.keypoints.packet_code import LandmarkEncoder
from neurocodec.keypoints.packets import code_of, parse_frames


@dataclass
class FileInfo:
    """Contents of a file; the attributes are those of ``neurocodec info --json``.

    ``bytes`` has total, references, landmarks, audio and overhead, ``kbps`` total and video,
    ``refreshes`` a list of ``{"time", "frame", "codec", "bytes"}``, ``packets`` (when asked for) one
    entry a frame, ``losses`` what could not be read; the stretches of time (from and to, in seconds) of
    which something is missing are ``lost`` for frames, ``lost_landmarks`` and ``lost_sound``.
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

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; ``packets`` only when they were asked for."""
        return {k: v for k, v in self.__dict__.items() if k != "packets" or v is not None}


def _add(losses: list[str], text: str) -> None:
    """Note a loss; of very many, the first hundred."""
    if len(losses) < MOST_LISTED:
        losses.append(text)
    elif len(losses) == MOST_LISTED:
        losses.append("and more")


def _latent(header: Header) -> dict[str, Any] | None:
    """What the header says of a landmark model."""
    m = header.latent
    return {"name": m.name, "hash": m.hash.hex(), "values": m.values} if m else None


def _packets(block: Block, reader: NfcReader) -> list[dict[str, Any]]:
    """One entry a frame; the bits of a packet are counted by writing it again."""
    header, out = reader.header, []
    writer = LandmarkEncoder(code_of(block, header), header.coordinates)
    for k, frame in enumerate(parse_frames(block, header)):
        entry: dict[str, Any] = {
            "frame": block.first_frame + k,
            "time": round(seconds_of(frame.pts, header), 6),
        }
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


def read_info(
    file: BinaryIO, name: str = "input", *, packets: bool = False, limits: Limits | None = None
) -> FileInfo:
    """Read a whole file or pipe.

    Raises:
        InputError, UnsupportedError, DamagedFileError: as :class:`NfcReader` has it; damage behind the
            header is listed in ``losses`` instead.
    """
    reader = NfcReader(file, name, limits)
    h = reader.header
    sizes = {"total": 0, "references": 0, "landmarks": 0, "audio": 0}
    refreshes: list[dict[str, Any]] = []
    listing: list[dict[str, Any]] = []
    losses: list[str] = []
    frames = blocks = landmark_frames = references = 0
    timeline, lost = Timeline(h), LostSeconds()
    lost_parts = {part: LostSeconds() for part in Part}
    first: int | None = None
    last: int | None = None
    before: int | None = None
    for item in reader:
        if isinstance(item, Loss):
            _add(losses, f"byte {item.offset}: {item.reason}")
            if item.left is None:
                continue
            block = item.left
        else:
            block = item[0]
        blocks += 1
        for gap in timeline.until(block.first_frame, block.pts[0] if block.pts else None):
            lost.add(seconds_of(gap.start, h), seconds_of(gap.end, h))
        timeline.seen(block.first_frame, block.pts)
        if block.pts:
            for part in block.lost:
                lost_parts[part].add(seconds_of(block.pts[0], h), seconds_of(end_of(block, -1, h), h))
        frames += len(block.pts)
        if Part.LANDMARKS not in block.lost:
            landmark_frames += len(block.pts) - len(block.references)
        for kind, count in block.payload_bytes.items():
            sizes[kind] += count
        if block.pts:
            first = block.pts[0] if first is None else first
            before = block.pts[-2] if len(block.pts) > 1 else last
            last = block.pts[-1]
        references += len(block.references)
        if references > MOST_REFRESHES:
            raise UnsupportedError(f"{name} has more than {MOST_REFRESHES} references, too many to list")
        for r in sorted(block.references, key=lambda r: r.offset):
            refreshes.append(
                {
                    "time": round(seconds_of(block.pts[r.offset], h), 6),
                    "frame": block.first_frame + r.offset,
                    "codec": r.codec.name.lower(),
                    "bytes": len(r.data),
                }
            )
        if packets:
            if h.coordinates * (len(listing) + len(block.pts)) > LISTED:
                raise UnsupportedError(f"{name} has too many packets to list them")
            try:
                listing += _packets(block, reader)
            except DamagedFileError as error:
                _add(losses, f"block at frame {block.first_frame}: {error}")
    for gap in timeline.until(reader.promised or 0):
        lost.add(seconds_of(gap.start, h), seconds_of(gap.end, h))
    if lost.stretches and not losses:
        losses.append("blocks are missing")
    sizes["total"] = reader.finish()
    sizes["overhead"] = sizes["total"] - sizes["references"] - sizes["landmarks"] - sizes["audio"]
    duration = 0.0
    if first is not None and last is not None:
        step = last - before if before is not None else 0
        duration = playing_time(h, first, last, step)
    a, c = h.audio, h.colour
    return FileInfo(
        format_version=h.version, width=h.width, height=h.height,
        sar=f"{h.sar.numerator}:{h.sar.denominator}",
        rotation=h.rotation, fit=h.fit.name.lower(), fps=round(float(h.fps), 6),
        time_base=f"{h.time_base.numerator}/{h.time_base.denominator}", duration=round(duration, 6),
        frames=frames, references=len(refreshes), blocks=blocks, model=h.model, model_hash=h.model_hash.hex(),
        model_size=h.model_size, keypoints=h.keypoints, quantization=h.quantization,
        landmark_code=h.landmark_code.name.lower(),
        colour={
            "primaries": c.primaries, "transfer": c.transfer, "matrix": c.matrix, "full_range": c.full_range,
        },
        audio={"codec": a.codec, "sample_rate": a.sample_rate, "channels": a.channels} if a else None,
        landmark_model=_latent(h),
        bytes=sizes, kbps=rates(sizes, duration) if duration else {"total": 0.0, "video": 0.0},
        landmark_bits_per_frame=8 * sizes["landmarks"] / landmark_frames if landmark_frames else 0.0,
        refreshes=refreshes, packets=listing if packets else None, losses=losses, lost=lost.rounded(),
        lost_landmarks=lost_parts[Part.LANDMARKS].rounded(), lost_sound=lost_parts[Part.SOUND].rounded(),
    )  # fmt: skip


def probe(source: PathOrFile, *, packets: bool = False, limits: Limits | None = None) -> FileInfo:
    """What is in an ``.nfc`` file (path or file object); with ``packets``, every frame's symbols.

    Raises:
        NeurocodecError: see :mod:`neurocodec.errors`.
    """
    with opened_input(source) as (file, name):
        return read_info(file, name, packets=packets, limits=limits)
