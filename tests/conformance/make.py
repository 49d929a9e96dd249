"""Makes the conformance files anew: ``python tests/conformance/make.py [--accept]``.

Every file shows one feature of one version of the format, with the model of ``tiny_model``.  Without
``--accept`` nothing is written: what the script would make is compared with what is there, so that a change
of the writer is noticed.  With it, files that are not there yet are added with what they decode to
(``expected.json`` by the independent reader, PNG pictures by the package); existing ones are never
replaced, for they are the promise.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1] / "tools"), str(FOLDER.parents[1])]

import nfc_reader
import tiny_model

from neurocodec.format.block import Block, ReferenceFrame, Region, Run, SoundPacket, StillCodec
from neurocodec.format.chunks import DESCRIPTION_CHUNK
from neurocodec.format.head import HeadPart
from neurocodec.format.header import AudioTrack, Colour, Fit, Header, LandmarkCode, LatentModel
from neurocodec.format.layer import LayerPart, LayerPicture
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints.packet_code import PacketEncoder
from neurocodec.keypoints.packets import outline_head, pack_head
from neurocodec.layers.switches import Switch, grid_of, write_switches
from neurocodec.references.chain import ChainEncoder
from neurocodec.references.still import encode_still

SIZE, COUNT = tiny_model.SIZE, 2 * tiny_model.KEYPOINTS
SHOWN = 4
"""Pictures of a file that are kept, evenly spread."""
HEAD = bytes.fromhex("4f707573486561640101380180bb0000000000")
TONE = bytes.fromhex("f8fffe")


def picture(k: int) -> Any:
    """A smooth scene that moves with ``k``, (64,64,3) uint8."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    blob = 90 * np.exp(-((x - 30 - 2 * k) ** 2 + (y - 28 - k) ** 2) / 220)
    planes = [60 + x + blob, 40 + y + blob, 90 + 40 * np.sin((x + y + 3 * k) / 17) + blob / 2]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def model_hash() -> bytes:
    from neurocodec.models.model_files import weights_hash

    return bytes.fromhex(weights_hash(tiny_model.tensors()))[:8]


def header(**changes: Any) -> Header:
    plain = Header(
        width=SIZE, height=SIZE, sar=Fraction(1), rotation=0, fit=Fit.LETTERBOX, time_base=Fraction(1, 1000),
        fps=Fraction(10), start=0, colour=Colour(), model=tiny_model.NAME, model_hash=model_hash(),
        model_size=SIZE, keypoints=tiny_model.KEYPOINTS, quantization=100, landmark_code=LandmarkCode.RANGE,
        version=2,
    )  # fmt: skip
    return replace(plain, **changes)


def walk(frames: int, seed: int, size: float = 2) -> list[Any]:
    """Symbols that wander, one row of 10 for each frame."""
    rng = np.random.default_rng(seed)
    return list(np.cumsum(np.rint(rng.normal(0, size, (frames, COUNT))), 0).astype(np.int32))


def coded(groups: list[list[Any]], code: LandmarkCode) -> bytes:
    """Packets; prediction starts again with each group."""
    writer = PacketEncoder(code, COUNT)
    for rows in groups:
        writer.refresh()
        for row in rows:
            writer.write(row)
    return writer.getvalue()


def still(offset: int, k: int, codec: StillCodec = StillCodec.AV1) -> ReferenceFrame:
    return ReferenceFrame(offset, codec, encode_still(picture(k), codec, 50))


def chain(count: int) -> list[bytes]:
    """A key picture and those predicted from it."""
    encoder = ChainEncoder(SIZE, 40)
    data = [encoder.encode(picture(3 * k)) for k in range(count)]
    encoder.close()
    return data


def linked(offsets: list[int], data: list[bytes], first_is_key: bool = True) -> tuple[ReferenceFrame, ...]:
    return tuple(
        ReferenceFrame(o, StillCodec.AV1, d, dependent=k > 0 or not first_is_key)
        for k, (o, d) in enumerate(zip(offsets, data, strict=True))
    )


def pts(h: Header, first: int, count: int) -> tuple[int, ...]:
    return tuple(h.regular_pts(first + k) for k in range(count))


def file(h: Header, blocks: list[Block], optional: bool = False, words: bytes | None = None) -> bytes:
    out = io.BytesIO()
    writer = NfcWriter(out, h)
    if words is not None:
        writer.write_optional(DESCRIPTION_CHUNK, words)
    for block in blocks:
        if optional:
            writer.write_optional(0xE3, b"a chunk of the future")
        writer.write_block(block)
    if optional:
        writer.write_optional(0xEF, b"")
    writer.close()
    return out.getvalue()


def version_1() -> dict[str, bytes]:
    """Files of version 1."""
    old = header(version=1, landmark_code=LandmarkCode.GOLOMB)
    out = {}
    h = replace(old, landmark_code=LandmarkCode.ORIGINAL, fit=Fit.SQUASH, width=80, height=60)
    rows = walk(6, 1)
    blocks = [
        Block(0, pts(h, 0, 8), 0, (), (still(0, 0, StillCodec.JPEG), still(4, 5, StillCodec.JPEG)),
              coded([rows[:3], rows[3:]], h.landmark_code)),
    ]  # fmt: skip
    out["v1-original-jpeg-squash"] = file(h, blocks)
    h = replace(old, width=96, height=54, sar=Fraction(4, 3), rotation=90, start=-40)
    blocks = [
        Block(0, pts(h, 0, 6), 0, (), (still(0, 0, StillCodec.HEVC),), coded([walk(5, 2)], h.landmark_code)),
        Block(6, pts(h, 6, 4), 1, (0,), (), coded([walk(4, 3)], h.landmark_code)),
    ]
    out["v1-golomb-hevc-letterbox-continues"] = file(h, blocks)
    audio = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960, HEAD)
    h = replace(old, fit=Fit.REGION, audio=audio, fps=Fraction(30000, 1001))
    late = tuple(t + (k * k) % 5 for k, t in enumerate(pts(h, 0, 8)))
    sound = tuple(SoundPacket(TONE + bytes(k % 3), 960 * k - 312, 960) for k in range(10))
    odd = (*sound[:5], SoundPacket(TONE, 960 * 5, 480), *sound[7:])
    blocks = [
        Block(0, late, 0, (), (still(0, 0), still(3, 4)), coded([walk(2, 4), walk(4, 5)], h.landmark_code),
              odd, Region(10, 20, 300)),
        Block(8, pts(h, 8, 3), 2, (0, 1), (), coded([walk(3, 6)], h.landmark_code), (), Region(12, 20, 300)),
    ]  # fmt: skip
    out["v1-region-sound-irregular-needed"] = file(h, blocks)
    return out


def version_2() -> dict[str, bytes]:
    """Files of version 2."""
    h, out, links = header(), {}, chain(4)
    code = h.landmark_code
    blocks = [
        Block(0, pts(h, 0, 8), 0, (), linked([0, 4, 7], links[:3]), coded([walk(3, 7), walk(2, 8)], code),
              pairs=True),
        Block(8, pts(h, 8, 4), 3, (0, 1, 2), linked([2], links[3:], False),
              coded([walk(2, 9), walk(1, 10)], code), current=1),
    ]  # fmt: skip
    out["v2-range-chain-pairs-back"] = file(h, blocks)
    runs = (Run(2, 1, 2), Run(2, 0), Run(1, 2, 0))
    blocks = [
        Block(0, pts(h, 0, 8), 0, (), linked([6, 0, 3], links[:3]),
              coded([walk(2, 11), walk(2, 12), walk(1, 13)], code), runs=runs),
    ]  # fmt: skip
    out["v2-runs-any-order"] = file(h, blocks)
    t = replace(h, transformed=True, quantization=200)
    wild = [np.array([0, 2**23 - 1, -(2**23 - 1), 13, -14, 15, 0, 40, -300, 1], np.int32)]
    blocks = [Block(0, pts(t, 0, 5), 0, (), (still(0, 2),), coded([[*walk(3, 14, 20), *wild]], code))]
    out["v2-transformed-wide-symbols"] = file(t, blocks)
    blocks = [
        Block(0, pts(h, 0, 6), 0, (), (still(0, 1),), coded([walk(5, 15, 9)], LandmarkCode.GOLOMB),
              golomb=True),
        Block(6, pts(h, 6, 3), 1, (0,), (), coded([[np.zeros(COUNT, np.int32)] * 3], code)),
    ]  # fmt: skip
    out["v2-golomb-block-and-skips"] = file(h, blocks)
    g = replace(h, landmark_code=LandmarkCode.GOLOMB, extensions=((7, b"later"), (300, b"")))
    blocks = [Block(0, pts(g, 0, 5), 0, (), (still(0, 6),), coded([walk(4, 16)], LandmarkCode.GOLOMB))]
    out["v2-golomb-extensions-optional-chunks"] = file(g, blocks, optional=True)
    o = replace(h, landmark_code=LandmarkCode.ORIGINAL)
    mixed = (still(0, 0, StillCodec.JPEG), still(3, 3, StillCodec.HEVC), still(1, 6))
    blocks = [Block(0, pts(o, 0, 6), 0, (), mixed, coded([walk(1, 17), walk(2, 18)], LandmarkCode.ORIGINAL))]
    out["v2-original-mixed-codecs"] = file(o, blocks)
    audio = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960, HEAD)
    a = replace(h, audio=audio)
    sound = tuple(SoundPacket(TONE, 960 * k - 312, 960) for k in range(40))
    blocks = [
        Block(0, pts(a, 0, 4), 0, (), (still(0, 0),), coded([walk(3, 19)], code), sound[:20]),
        Block(4, (), 1, (), (), b"", sound[20:]),
    ]
    out["v2-sound-after-pictures"] = file(a, blocks)
    whole = out["v2-range-chain-pairs-back"]
    out["v2-cut-off"] = whole[:-40]
    bad = bytearray(whole)
    bad[len(bad) // 3] ^= 0x10
    out["v2-damaged-first-block"] = bytes(bad)
    return out


def version_3() -> dict[str, bytes]:
    """Latents of a landmark model that is not here: integers only, no pictures."""
    latent = LatentModel("conformance-latents", bytes(range(8)), 6)
    h = header(version=3, latent=latent)
    rows = [row[:6] for row in walk(9, 20)]
    writer = PacketEncoder(h.landmark_code, 6)
    for k, row in enumerate(rows):
        if k in (0, 5):
            writer.refresh()
        writer.write(row)
    block = Block(0, pts(h, 0, 11), 0, (), (still(0, 0), still(6, 4)), writer.getvalue(), pairs=True)
    return {"v3-latent": file(h, [block])}


def version_4() -> dict[str, bytes]:
    """Guarded blocks, whole and with one part damaged each."""
    audio = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960, HEAD)
    h, links = header(version=4), chain(4)
    a, code = replace(h, audio=audio), LandmarkCode.RANGE
    sound = tuple(SoundPacket(TONE + bytes(k % 3), 960 * k - 312, 960) for k in range(30))
    blocks = [
        Block(0, pts(h, 0, 8), 0, (), linked([0, 4, 7], links[:3]), coded([walk(3, 21), walk(2, 22)], code),
              sound[:15], pairs=True, guarded=True),
        Block(8, pts(h, 8, 6), 3, (0, 1, 2), linked([3], links[3:], False),
              coded([walk(3, 23), walk(2, 24)], code), sound[15:], guarded=True),
        Block(14, pts(h, 14, 3), 4, (0, 1, 2, 3), (), coded([walk(3, 25)], code), guarded=True),
    ]  # fmt: skip
    silent = [replace(b, audio=()) for b in blocks]
    mixed = [replace(silent[0], guarded=False), *silent[1:]]
    out = {"v4-guarded-sound": file(a, blocks), "v4-guarded-silent": file(h, mixed)}
    for name, data, place in (
        ("v4-damaged-landmarks", out["v4-guarded-sound"], blocks[1].landmarks),
        ("v4-damaged-sound", out["v4-guarded-sound"], sound[4].data + sound[5].data),
        ("v4-damaged-silent", out["v4-guarded-silent"], silent[1].landmarks),
    ):
        bad = bytearray(data)
        bad[bad.index(place) + 2] ^= 0x10
        out[name] = bytes(bad)
    latent = LatentModel("conformance-latents", bytes(range(8)), 6)
    block = replace(next(iter(NfcReader(io.BytesIO(version_3()["v3-latent"]))))[0], guarded=True)
    out["v4-latent"] = file(header(version=4, latent=latent), [block])
    return out


def head_part(
    head: int, start: int, frames: int, layer: LayerPart | None, square: Region,
    moves: tuple[tuple[int, Region], ...] = (), h: Header | None = None, size: float = 2,
) -> HeadPart:  # fmt: skip
    """Frames of a head in a block with this layer; the square is another one from some offsets on."""
    part = HeadPart(head, start, frames, ((start, square), *moves), b"")
    shown = {picture.offset for picture in layer.pictures} if layer else set()
    coded_frames = [f for f in outline_head(part, shown) if f.offset not in shown]
    rows = walk(len(coded_frames), 30 + 8 * head + start, size)
    packets = [(frame.fresh, row) for frame, row in zip(coded_frames, rows, strict=True)]
    landmarks, golomb = pack_head(packets, h or header())
    return replace(part, landmarks=landmarks, golomb=golomb)


def layered(h: Header) -> list[Block]:
    """Blocks of two entries with two heads, one of which comes, goes and reaches outside the picture."""
    units = chain(5)
    layer = LayerPart(tuple(LayerPicture(o, d) for o, d in zip((0, 3, 4), units, strict=False)), (SIZE, SIZE))
    moves = ((2, Region(13, 10, 40)), (4, Region(15, 8, 44)), (7, Region(15, 9, 44)))
    parts = (
        head_part(0, 0, 8, layer, Region(12, 10, 40), moves, h),
        head_part(5, 1, 3, layer, Region(70, -9, 30), (), h, 9),
        head_part(5, 5, 3, layer, Region(74, -8, 33), ((6, Region(74, -8, 30)),), h, 0.2),
    )
    sound = tuple(SoundPacket(TONE + bytes(k % 3), 960 * k - 312, 960) for k in range(40))
    start = Block(0, pts(h, 0, 8), 0, (), (), b"", sound[:20], guarded=True, entry=True, layer=layer,
                  heads=parts)  # fmt: skip
    late = tuple(t + k % 3 for k, t in enumerate(pts(h, 8, 6)))
    layer = LayerPart((LayerPicture(2, units[3]),))
    parts = (head_part(0, 0, 6, layer, Region(20, 8, 42), ((5, Region(21, 8, 42)),), h),)
    middle = Block(8, late, 0, (), (), b"", sound[20:30], guarded=True, layer=layer, heads=parts)
    layer = LayerPart((LayerPicture(0, units[0]),), (SIZE, SIZE))
    parts = (
        head_part(0, 0, 4, layer, Region(20, 8, 42), (), h),
        head_part(5, 0, 1, layer, Region(60, 0, 30), (), h),
    )
    end = Block(14, pts(h, 14, 5), 0, (), (), b"", sound[30:35], guarded=False, entry=True, layer=layer,
                heads=parts)  # fmt: skip
    without = Block(19, pts(h, 19, 3), 0, (), (), b"", guarded=True,
                    heads=(head_part(9, 1, 2, None, Region(5, 6, 70), (), h),))  # fmt: skip
    return [start, middle, end, without, Block(22, (), 0, (), (), b"", sound[35:], guarded=True)]


def switched(h: Header) -> list[Block]:
    """The blocks of :func:`layered`, with a switch of all in the first one and one of some places later."""
    start, middle, *rest = layered(h)
    assert start.layer and middle.layer
    grid = grid_of(h.width, h.height)
    places = np.random.default_rng(5).random(grid) < 0.2
    places[3:9, 4:14] = True
    first = write_switches([None, Switch(1), None], [0, 2, 0], grid)
    second = write_switches([Switch(0, places)], [2], grid)
    return [
        replace(start, layer=replace(start.layer, switches=first)),
        replace(middle, layer=replace(middle.layer, switches=second)),
        *rest,
    ]


DEFLATED = "63e477542849ccc956c8cf03d3c5cc8e68023a0a8928029979e9c842e5102185c4bc14983400"
"""Fields of a description under raw DEFLATE; how they are compressed is the writer's choice."""


def described() -> dict[str, bytes]:
    """Files that say something of themselves: as it stands, deflated, damaged, nonsense, in another place."""
    h = header(version=4)
    blocks = [
        Block(0, pts(h, 0, 5), 0, (), (still(0, 2),), coded([walk(4, 27)], LandmarkCode.RANGE), guarded=True)
    ]
    title, comment = "Talk \u2014 \U0001f600".encode(), b"two\nlines"
    chapters = b"\x00\xe8\x07\x05First" + b"\x00\x64\x00" + b"\x63\x01\x04Over"
    fields = (
        (1, title),
        (3, comment),
        (6, b"de-CH"),
        (8, b"\x80\xe0\xb2\xf0\x05"),
        (9, chapters),
        (77, b"later"),
    )
    plain = b"\0" + b"".join(bytes([number, len(data)]) + data for number, data in fields)
    deflated = b"\1" + bytes.fromhex(DEFLATED)
    whole = file(h, blocks, words=plain)
    bad = bytearray(whole)
    bad[bad.index(comment)] ^= 0x10
    layers = header(version=5, layered=True, fit=Fit.REGION, width=96, height=72)
    silent = [replace(b, audio=()) for b in layered(layers)[:2]]
    elsewhere = io.BytesIO()
    writer = NfcWriter(elsewhere, h)
    writer.write_optional(0xE3, b"a chunk of the future")
    writer.write_optional(DESCRIPTION_CHUNK, plain)
    writer.write_block(blocks[0])
    writer.close()
    return {
        "v4-description": whole,
        "v4-damaged-description": bytes(bad),
        "v4-damaged-description-fields": file(h, blocks, words=plain[:-9]),
        "v4-description-elsewhere": elsewhere.getvalue(),
        "v5-description-deflated": file(layers, silent, words=deflated),
    }


def version_5() -> dict[str, bytes]:
    """Layered files, whole and damaged, and one that is not layered."""
    audio = AudioTrack("opus", 48000, 1, Fraction(1, 48000), 312, 960, HEAD)
    h = header(version=5, layered=True, fit=Fit.REGION, width=96, height=72, audio=audio)
    blocks = layered(h)
    whole = file(h, blocks)
    silent = [replace(b, audio=()) for b in blocks[:4]]
    plain = header(version=5)
    out = {
        "v5-layered": whole,
        "v5-switches": file(replace(h, audio=None), [replace(b, audio=()) for b in switched(h)[:4]]),
        "v5-layered-silent-optional": file(replace(h, audio=None), silent, optional=True),
        "v5-not-layered": file(plain, [
            Block(0, pts(plain, 0, 5), 0, (), (still(0, 2),), coded([walk(4, 26)], LandmarkCode.RANGE),
                  guarded=True),
        ]),
        "v5-cut-off-head": whole[: whole.index(blocks[1].heads[0].landmarks) + 3],
    }  # fmt: skip
    assert blocks[1].layer
    for name, place in (
        ("v5-damaged-layer", blocks[1].layer.pictures[0].data),
        ("v5-damaged-head", blocks[0].heads[1].landmarks),
        ("v5-damaged-sound", blocks[1].audio[0].data + blocks[1].audio[1].data),
    ):
        bad = bytearray(whole)
        bad[bad.index(place) + 2] ^= 0x10
        out[name] = bytes(bad)
    return out


def golden(data: bytes, model: Path) -> Any:
    """Some of the pictures that a file is rendered to, side by side; None if there are none."""
    from neurocodec.decoding.report import DecodeReport
    from neurocodec.decoding.span_decoder import decode_pictures
    from neurocodec.errors import NeurocodecError
    from neurocodec.options import DecodeOptions

    options = DecodeOptions(model=str(model), device="cpu")
    if NfcReader(io.BytesIO(data)).header.layered:  # only integers: renderings of the layer are not exact
        return None
    try:
        items: Any = decode_pictures(NfcReader(io.BytesIO(data)), options, DecodeReport())
        found = [i[1] for i in items if isinstance(i, tuple)]
    except NeurocodecError:
        return None
    places = sorted({round(k * (len(found) - 1) / (SHOWN - 1)) for k in range(SHOWN)})
    return np.concatenate([found[k] for k in places], 1)


def main(accept: bool) -> int:
    import tempfile

    import cv2

    expected_path = FOLDER / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_model.write(Path(folder))
        parts = (version_1, version_2, version_3, version_4, version_5, described)
        for name, data in {name: data for part in parts for name, data in part().items()}.items():
            path = FOLDER / f"{name}.nfc"
            if path.exists():
                same = path.read_bytes() == data
                differ += not same
                print(f"{name}: {'as stored' if same else 'the writer now writes other bytes'}")
            elif accept:
                path.write_bytes(data)
                expected[name] = nfc_reader.read(data)
                shown = golden(data, model)
                if shown is not None:
                    cv2.imwrite(str(path.with_suffix(".png")), shown[..., ::-1])
                print(f"{name}: added, {len(data)} bytes")
            else:
                differ += 1
                print(f"{name}: not there; --accept adds it")
    if accept:
        lines = [f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in expected.items()]
        expected_path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main("--accept" in sys.argv[1:]))
