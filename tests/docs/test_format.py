"""``docs/format.md`` against the code: its example byte by byte, its rules by a reader written from them."""

import io
import json
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from rewriting import rewritten

from neurocodec.entropy import contexts as rangecode
from neurocodec.entropy import golomb
from neurocodec.entropy.bits import BitWriter
from neurocodec.entropy.golomb import AdaptiveGolomb, write_original
from neurocodec.entropy.initial_states import INITIAL
from neurocodec.entropy.range_coder import RangeEncoder
from neurocodec.errors import UnsupportedError
from neurocodec.format import block, chunks, header, limits
from neurocodec.format.block_writer import write_block
from neurocodec.format.checksums import crc16
from neurocodec.format.head import MAX_HEADS, MAX_HEADS_AT_ONCE, write_head
from neurocodec.format.header import LatentModel
from neurocodec.format.layer import SMALLEST_LAYER, write_layer
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter
from neurocodec.keypoints import packet_code as landmarks
from neurocodec.keypoints import transform
from neurocodec.keypoints.packets import parse_frames, parse_head
from neurocodec.layers import switches
from neurocodec.references.ycbcr import planes_to_rgb

TEXT = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")


def fenced(kind: str) -> list[str]:
    return [str(found) for found in re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.M | re.S)]


EXAMPLES = [bytes.fromhex(part) for part in fenced("hex")]
DATA, DATA2, DATA3, DATA4, DATA5 = EXAMPLES
SECTIONS = [
    ["Signature, version, header chunk", "First block", "Second block", "Index chunk and trailer"],
    [
        f"Version 2: {part}"
        for part in (
            "signature, version, header chunk",
            "first block",
            "second block",
            "index chunk and trailer",
        )
    ],
]


def rows(section: str, columns: int) -> Iterator[list[str]]:
    """Table rows of a section of the example, without heads."""
    part = TEXT.split(f"\n### {section}\n")[1].split("\n### ")[0]
    for line in re.findall(r"^\| (.*) \|$", part, re.M):
        cells = [c.strip() for c in line.split(" |")]
        if len(cells) == columns and "`" in line:
            yield [c.removeprefix("| ").strip().strip("`") for c in cells]


def decoded(reader: NfcReader) -> dict[str, Any]:
    """What the document's JSON block says, from the real reader."""
    h, place = reader.header, reader.header.content()
    second = h.version >= 2
    blocks = []
    for item in reader:
        assert isinstance(item, tuple)
        b = item[0]
        frames = parse_frames(b, h)
        kinds = [["dependent" if r.dependent else "independent"] if second else [] for r in b.references]
        blocks.append(
            {
                "first_frame": b.first_frame,
                "pts": list(b.pts),
                "first_reference": b.first_reference,
                "needed": list(b.needed),
                "references": [
                    [r.offset, r.codec.name, r.data.hex(), *kind]
                    for r, kind in zip(b.references, kinds, strict=True)
                ],
                "symbols": [None if f.symbols is None else f.symbols.tolist() for f in frames],
                **({"uses": [list(f.uses) for f in frames]} if second else {}),
                "audio": [[p.pts, p.duration, p.data.hex()] for p in b.audio],
            }
        )
    names = ("offset", "first_frame", "frames", "first_reference", "references", "pts")
    return {
        "header": {
            "width": h.width,
            "height": h.height,
            "sar": str(h.sar),
            "rotation": h.rotation,
            "fit": h.fit.name,
            "content": [place.x, place.y, place.width, place.height],
            "time_base": str(h.time_base),
            "fps": str(h.fps),
            "start": h.start,
            "model": h.model,
            "model_hash": h.model_hash.hex(),
            "model_size": h.model_size,
            "keypoints": h.keypoints,
            "quantization": h.quantization,
            "landmark_code": h.landmark_code.name,
            "audio": h.audio.codec if h.audio else None,
            **({"transformed": h.transformed} if second else {}),
        },
        "blocks": blocks,
        "index": [{n: getattr(e, n) for n in names} for e in reader.index() or []],
    }


@pytest.mark.parametrize("data", EXAMPLES)
def test_the_first_pages_program_lists_the_chunks(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = fenced("python")
    (tmp_path / "example.nfc").write_bytes(data)
    monkeypatch.setattr(sys, "argv", ["chunks.py", str(tmp_path / "example.nfc")])
    exec(compile(program, "format.md", "exec"), {})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    parts = ["F4", "F5"] if data[4] == 5 else []
    assert [kind for _, kind, *_ in lines] == ["F1", "F2", *parts, "F2", *parts, "F3"]
    assert {state for *_, state in lines} == {"intact"}
    assert int(lines[1][0]) == NfcReader(io.BytesIO(data)).header_bytes


def test_there_is_an_example_of_each_version() -> None:
    assert [data[4] for data in EXAMPLES] == list(chunks.VERSIONS)


@pytest.mark.parametrize("k", [0, 1])
def test_examples_decode_to_what_the_document_says(k: int) -> None:
    assert decoded(NfcReader(io.BytesIO(EXAMPLES[k]))) == json.loads(fenced("json")[k])


@pytest.mark.parametrize("data", EXAMPLES)
def test_writing_the_examples_gives_the_same_bytes(data: bytes) -> None:
    assert rewritten(data) == data


def test_the_third_example_differs_in_the_header_alone() -> None:
    older, newer = (NfcReader(io.BytesIO(data)) for data in (DATA2, DATA3))
    assert newer.header == replace(
        older.header, version=3, transformed=False, latent=LatentModel("faces", DATA3[42:50], 4)
    )
    assert [i[0] for i in newer if isinstance(i, tuple)] == [i[0] for i in older if isinstance(i, tuple)]
    for offset, raw, _, _ in rows("Version 3: what differs in the header chunk", 4):
        data = bytes.fromhex(raw)
        assert DATA3[int(offset, 16) :][: len(data)] == data
    changed = bytes([2]) + DATA3[5:]
    with pytest.raises(UnsupportedError, match="landmark code 66"):
        NfcReader(io.BytesIO(DATA3[:4] + changed))


def test_the_fourth_example_is_the_first_one_guarded() -> None:
    older, newer = (NfcReader(io.BytesIO(data)) for data in (DATA, DATA4))
    assert newer.header == replace(older.header, version=4)
    assert [i[0] for i in newer if isinstance(i, tuple)] == [
        replace(i[0], guarded=True) for i in older if isinstance(i, tuple)
    ]
    position = older.header_bytes
    assert DATA4[5:position] == DATA[5:position]
    for part in ("first block", "second block", "index chunk and trailer"):
        for offset, raw, field, value in rows(f"Version 4: {part}", 4):
            data = bytes.fromhex(raw)
            assert int(offset, 16) == position
            assert DATA4[position : position + len(data)] == data
            if field.endswith("_check"):
                number, first, last = re.findall("0x[0-9a-f]+", value)
                covered = DATA4[int(first, 16) : int(last, 16) + 1]
                assert int(last, 16) + 1 == position
                assert crc16(covered) == data == int(number, 16).to_bytes(2, "little")
            position += len(data)
    assert position == len(DATA4)
    assert crc16(b"123456789") == (0x29B1).to_bytes(2, "little") and "is 0x29B1" in TEXT


def decoded_layered(reader: NfcReader) -> dict[str, Any]:
    """What the document's third JSON block says, from the real reader."""
    blocks = []
    for item in reader:
        assert isinstance(item, tuple)
        b = item[0]
        assert b.layer is not None
        pictures = [[p.offset, p.data.hex()] for p in b.layer.pictures]
        layer = {"size": b.layer.size and list(b.layer.size), "pictures": pictures}
        heads = [
            {
                "head": part.head,
                "start": part.start,
                "frames": part.frames,
                "squares": [[offset, [s.x, s.y, s.side]] for offset, s in part.squares],
                "golomb": part.golomb,
                "symbols": [
                    None if f.symbols is None else f.symbols.tolist()
                    for f in parse_head(part, b, reader.header)
                ],
            }
            for part in b.heads
        ]
        block = {"first_frame": b.first_frame, "pts": list(b.pts), "entry": b.entry}
        blocks.append({**block, "layer": layer, "heads": heads})
    names = ("offset", "first_frame", "frames", "first_reference", "references", "pts")
    index = [{n: getattr(e, n) for n in names} for e in reader.index() or []]
    return {"layered": reader.header.layered, "blocks": blocks, "index": index}


def test_the_fifth_example_is_layered() -> None:
    assert decoded_layered(NfcReader(io.BytesIO(DATA5))) == json.loads(fenced("json")[2])
    position = 0
    parts = ("signature, version, header chunk", "first block", "second block", "index chunk and trailer")
    for part in parts:
        for offset, raw, field, value in rows(f"Version 5: {part}", 4):
            if not offset.startswith("0x"):
                continue
            data = bytes.fromhex(raw)
            assert int(offset, 16) == position
            assert DATA5[position : position + len(data)] == data
            if field == "checksum":
                assert int(value, 16) == int.from_bytes(data, "little")
            if field.endswith("_check"):
                number, first, last = re.findall("0x[0-9a-f]+", value)
                assert crc16(DATA5[int(first, 16) : position]) == data
                assert int(number, 16) == int.from_bytes(data, "little") and int(last, 16) == position - 1
            if value.isdecimal() and len(data) == 1:
                assert data[0] == int(value)
            position += len(data)
    assert position == len(DATA5)


def test_overhead_of_version_5() -> None:
    """What section 12 says of the example's chunks."""
    item = next(iter(NfcReader(io.BytesIO(DATA5))))
    assert isinstance(item, tuple) and item[0].layer is not None
    h, b, layer, head = NfcReader(io.BytesIO(DATA5)).header, item[0], item[0].layer, item[0].heads[0]

    def size(payload: bytes) -> int:
        return len(chunks.chunk(0xF2, payload))

    assert size(write_block(b, h)) == 11
    pictures = sum(len(p.data) for p in layer.pictures)
    assert size(write_layer(layer, 0)) - pictures == 9 + 2 * len(layer.pictures) + 2
    assert len(head.squares) == 2
    assert size(write_head(head, 0)) == 15 + 4 + len(head.landmarks)


def test_packets_of_heads_in_the_fifth_example() -> None:
    """The first head's in the code of section 5.2, from zeros again behind the layer; the second's in 5.3."""
    blocks = [item[0] for item in NfcReader(io.BytesIO(DATA5)) if isinstance(item, tuple)]
    first, second = (block.heads[0].landmarks for block in blocks)
    golomb, expected = Rules("".join(f"{b:08b}" for b in first), 24), []
    for frame in ("1", "3"):
        expected += [[frame, *step] for step in golomb.sequence(4)[1]]
    assert golomb.position == 25 and not int(golomb.bits[25:], 2)
    assert [[f, s, b.replace("`", "").replace(" ", ""), d.replace("−", "-")]
            for f, s, b, d in trace("Version 5: first block")] == expected  # fmt: skip
    coder = RangeRules(second, 4)
    coder.packet()
    assert trace("Version 5: second block") == [["4", *step] for step in coder.steps]


def trace(section: str) -> list[list[str]]:
    """Rows of the table of packets in a section of an example."""
    part = TEXT.split(f"\n### {section}\n")[1].split("\n### ")[0].split("| Frame |")[1]
    return [[c.strip() for c in r.split("|")] for r in re.findall(r"^\| (\d.*) \|$", part, re.M)]


@pytest.mark.parametrize("k", [0, 1])
def test_tables_hold_the_whole_files(k: int) -> None:
    position, whole = 0, EXAMPLES[k]
    for section in SECTIONS[k]:
        for offset, raw, field, value in rows(section, 4):
            if not offset.startswith("0x"):
                continue
            data = bytes.fromhex(raw)
            assert int(offset, 16) == position
            assert whole[position : position + len(data)] == data
            if field == "checksum" and value:
                assert int(value, 16) == int.from_bytes(data, "little")
            number = re.fullmatch(r"(\d+)( bytes)?", value)
            if len(data) == 1 and number:
                assert data[0] == int(number[1])
            position += len(data)
    assert position == len(whole)


@pytest.mark.parametrize("section", ["First block", "Second block"])
def test_traces_of_the_landmark_code(section: str) -> None:
    """State, bits and values of every step, by the rules as the document has them."""
    index = 0 if section == "First block" else 1
    item = list(NfcReader(io.BytesIO(DATA)))[index]
    assert isinstance(item, tuple)
    bits = "".join(f"{b:08b}" for b in item[0].landmarks)
    steps = [r for r in rows(section, 4) if not r[0].startswith("0x")]
    rules, expected = Rules(bits, 24), []
    for frame in sorted({int(r[0]) for r in steps}):
        expected += [[str(frame), *step] for step in rules.sequence(4)[1]]
    assert [[r[0], r[1], r[2].replace(" ", ""), r[3].replace("−", "-")] for r in steps] == expected
    assert "1" not in bits[rules.position :]
    words = {5: "Five", 7: "Seven"}
    assert f"{words[len(bits) - rules.position]} zero bits of padding" in TEXT


class Rules:
    """Section 5.2, word for word, on a string of 0 and 1."""

    def __init__(self, bits: str, m: int) -> None:
        self.bits, self.position, self.m = bits, 0, m
        self.r, self.g = 16, 8

    def field(self, n: int) -> int:
        assert self.position + n <= len(self.bits)
        self.position += n
        return int(self.bits[self.position - n : self.position] or "0", 2)

    def rice(self) -> int:
        k, q = self.g // 8, 0
        while q < 24 and self.field(1) == 0:
            q += 1
        v = q * 2**k + self.field(k) if q < 24 else self.field(self.m + 1)
        self.g = min(120, max(0, self.g + (-2 if q == 0 else 0 if q == 1 else q)))
        return v

    def sequence(self, length: int) -> tuple[list[int], list[list[str]]]:
        values: list[int] = []
        steps = []
        while len(values) < length:
            state, start, had = f"{self.r}, {self.g}", self.position, len(values)
            big_k, c = self.r // 8, length - len(values)
            if big_k == 0:
                v = self.rice()
                values.append(v // 2 if v % 2 == 0 else -(v + 1) // 2)
                change = 3 if values[-1] == 0 else -3
            else:
                run = min(2**big_k, c)
                if self.field(1) == 0:
                    values += [0] * run
                    change = 4
                else:
                    b = next(n for n in range(16) if 2**n >= run)
                    z = self.field(b)
                    assert z < run
                    s = self.field(1)
                    v = self.rice() + 1
                    values += [0] * z + [-v if s else v]
                    change = -6
            self.r = min(120, max(0, self.r + change))
            read = self.bits[start : self.position]
            steps.append([state, read, ", ".join(map(str, values[had:]))])
        return values, steps


class RangeRules:
    """Section 5.3, word for word, in unsigned integers of 32 bits; keeps a trace of its decisions."""

    def __init__(self, data: bytes, m: int) -> None:
        self.data, self.m, self.read = data, m, 0
        numbers = [int(n) for n in re.findall(r"\d+(?!\d*:)", fenced("states")[0])]
        self.contexts = [[p, n] for p, n in zip(numbers[::2], numbers[1::2], strict=True)]
        self.range, self.code = np.uint32(2**32 - 1), np.uint32(0)
        for _ in range(4):
            self.code = self.code * np.uint32(256) + self.byte()
        self.b, self.q = [0] * m, 0
        self.steps: list[list[str]] = []

    def byte(self) -> Any:
        self.read += 1
        return np.uint32(self.data[self.read - 1] if self.read <= len(self.data) else 0)

    def part(self, bound: Any) -> int:
        with np.errstate(over="ignore"):
            bit = int(self.code < bound)
            if bit:
                self.range = bound
            else:
                self.code, self.range = self.code - bound, self.range - bound
            while self.range < 2**24:
                self.range, self.code = self.range * np.uint32(256), self.code * np.uint32(256) + self.byte()
        return bit

    def decide(self, name: str, context: int) -> int:
        p, n = self.contexts[context]
        state = [name, str(context), f"{p}, {n}", f"{self.range:08x}, {self.code:08x}"]
        bit = self.part(self.range // np.uint32(2**16) * np.uint32(p))
        step = 2**17 // (2 * n + 3)
        p = p + (65472 - p) * step // 2**16 if bit else p - (p - 64) * step // 2**16
        self.contexts[context] = [p, min(n + 1, 40)]
        self.steps.append([*state, str(bit)])
        return bit

    def even(self) -> int:
        state = ["even", "", "", f"{self.range:08x}, {self.code:08x}"]
        self.range = self.range // np.uint32(2)
        bit = int(self.code < self.range)
        if not bit:
            self.code = self.code - self.range
        with np.errstate(over="ignore"):
            while self.range < 2**24:
                self.range, self.code = self.range * np.uint32(256), self.code * np.uint32(256) + self.byte()
        self.steps.append([*state, str(bit)])
        return bit

    def packet(self) -> list[int]:
        d = [0] * self.m
        if self.decide("skip", self.q):
            self.q, self.b = min(self.q + 1, 2), d
            return d
        self.q = 0
        for i in range(self.m):
            b, size = self.b[i], min(abs(self.b[i]), 2)
            c = next(k for k, end in enumerate([*range(1, 9), 12, 20, 36, 10**9]) if i < end)
            g, h = (0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3)[c], (0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2)[c]
            if i < self.m - 1 and not self.decide("change", 3 + 6 * c + 2 * size + any(d[max(0, i - 2) : i])):
                continue
            m = 1
            while m < 14 and self.decide("more", 87 + 12 * g + 4 * size + min(m - 1, 3)):
                m += 1
            if m == 14:
                k = 0
                while k < 24 and self.decide("prefix", 144 + k):
                    k += 1
                m = 13 + 2**k + int("0" + "".join(str(self.even()) for _ in range(k)), 2)
            s = 0 if b == 0 else 1 if b > 0 else 2
            d[i] = -m if self.decide("sign", 135 + 3 * h + s) else m
            if i < self.m - 1 and self.decide("last", 75 + c):
                break
        self.b = d
        return d


def test_the_initial_states_stand_in_the_document() -> None:
    (table,) = fenced("states")
    numbers = RangeRules(b"", 2).contexts
    assert tuple((p, n) for p, n in numbers) == INITIAL
    assert len(INITIAL) == rangecode.CONTEXTS == 168
    for k, line in enumerate(table.splitlines()):
        assert int(line.split(":")[0]) == 8 * k


def test_the_states_of_switches_stand_in_the_document() -> None:
    (table,) = fenced("switch-states")
    numbers = [int(n) for n in re.findall(r"\d+", table)]
    assert list(zip(numbers[::2], numbers[1::2], strict=True)) == list(switches.INITIAL)


@pytest.mark.parametrize(("section", "frames"), [("first block", [1, 2]), ("second block", [4, 5, 7])])
def test_traces_of_the_range_code(section: str, frames: list[int]) -> None:
    item = list(NfcReader(io.BytesIO(DATA2)))[section == "second block"]
    assert isinstance(item, tuple)
    rules, expected = RangeRules(item[0].landmarks, 4), []
    for frame in frames:
        before = len(rules.steps)
        rules.packet()
        expected += [[str(frame), *step] for step in rules.steps[before:]]
    assert trace(f"Version 2: {section}") == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 50), st.integers(0, 2**32 - 1), st.data())
def test_the_rules_of_the_range_code_read_what_is_written(half: int, seed: int, data: st.DataObject) -> None:
    rng, out = np.random.default_rng(seed), RangeEncoder()
    code = rangecode.RangeCode(2 * half, golomb.MAX_MAGNITUDE)
    packets = []
    for _ in range(data.draw(st.integers(0, 6))):
        size = data.draw(st.sampled_from([0.2, 2, 40, 1e6]))
        packets.append(np.rint(np.clip(rng.laplace(0, size, 2 * half), 1 - 2**24, 2**24 - 1)).astype(int))
        code.write(out, packets[-1].tolist())
    rules = RangeRules(out.getvalue(), 2 * half)
    assert [rules.packet() for _ in packets] == [p.tolist() for p in packets]
    assert rules.read >= len(rules.data)


magnitudes = st.one_of(
    st.just(0), st.integers(-2, 2), st.integers(-100, 100), st.integers(1 - 2**24, 2**24 - 1)
)


@settings(deadline=None)
@given(st.lists(st.lists(magnitudes, max_size=30), max_size=8))
def test_the_rules_of_the_adaptive_code_read_what_is_written(sequences: list[list[int]]) -> None:
    for m in (24, 47):
        out, coder = BitWriter(), AdaptiveGolomb(m)
        scaled = [[v << (m - 24) for v in values] for values in sequences]
        for values in scaled:
            coder.write(out, values)
        rules = Rules("".join(f"{b:08b}" for b in out.getvalue()), m)
        assert [rules.sequence(len(values))[0] for values in scaled] == scaled
        assert rules.position == len(out)


def test_the_examples_of_the_original_code() -> None:
    line = TEXT.split("Examples: 0 →")[1].split("\n")[0]
    pairs = re.findall(r"(−?\d+) → `([01]+)`", "0 →" + line)
    assert len(pairs) == 7
    for value, word in pairs:
        out = BitWriter()
        write_original(out, int(value.replace("−", "-")))
        assert "".join(f"{b:08b}" for b in out.getvalue())[: len(out)] == word


def test_limits_stand_in_the_document() -> None:
    assert zlib.crc32(b"123456789") == 0xCBF43926 and "0xCBF43926" in TEXT
    assert (chunks.MAX_CHUNK, chunks.MAX_HEADER, chunks.MAX_INDEX) == (1 << 26, 1 << 21, 1 << 20)
    assert (block.BLOCK_SECONDS, block.MAX_FRAMES, block.MAX_AUDIO_PACKETS) == (5, 5000, 5000)
    assert (block.MAX_NEEDED, block.MAX_CHAIN, block.MAX_BLOCK_REFERENCES) == (16, 1024, 256)
    assert (block.RECENT, block.MAX_KEPT_BYTES, transform.BASIS_ONE) == (64, 1 << 28, 16384)
    assert (block.MAX_REFERENCE_BYTES, block.MAX_COUNT, block.TIMING_BITS) == (1 << 24, 1 << 40, 47)
    assert (header.MAX_DIMENSION, header.MAX_MODEL_SIZE, header.MAX_KEYPOINTS) == (32768, 4096, 1024)
    assert (MAX_HEADS, MAX_HEADS_AT_ONCE, SMALLEST_LAYER) == (64, 16, 8)
    assert (header.MAX_TERM, header.MAX_EXTRADATA, header.MAX_EXTENSIONS) == (2**31 - 1, 1 << 20, 64)
    assert (header.MAX_PTS, limits.MAX_QUANTIZATION, golomb.MAX_MAGNITUDE // 2) == (
        2**62 - 1, 65535, 2**23 - 1,
    )  # fmt: skip


def test_overhead_of_parts() -> None:
    """The table of section 12: signature, header, blocks, references and index."""
    h = header.Header(
        256, 256, Fraction(1), 0, header.Fit.LETTERBOX, Fraction(1, 12800), Fraction(25), 0, header.Colour(),
        "talk256", bytes(8), 256, 15, 100, landmarks.LandmarkCode.GOLOMB,
    )  # fmt: skip
    out = io.BytesIO()
    writer = NfcWriter(out, h)
    assert writer.total == 5 + 41
    sizes = []
    for i, stills in enumerate(((bytes(600),), (), (bytes(32), bytes(4095)))):
        pts = tuple(h.regular_pts(125 * i + k) for k in range(125))
        references = tuple(block.ReferenceFrame(k, block.StillCodec.AV1, s) for k, s in enumerate(stills))
        b = block.Block(125 * i, pts, i, () if stills else (0,), references, bytes(1000))
        if i == 2:
            b = block.Block(250, pts, 1, (), references, bytes(1000))
        sizes.append(writer.write_block(b) - 1000 - sum(len(s) for s in stills) - 3 * len(stills))
    assert min(sizes) >= 14 and max(sizes) <= 17 and "| block chunk | 14 – 17 |" in TEXT
    before = writer.total
    writer.close()
    assert writer.total - before == 9 + 5 * 3 and "| 9, and 5 for each block |" in TEXT


def test_overhead_of_version_2() -> None:
    """What section 12 says of a block that continues, one that does not, and of runs."""
    newer = NfcReader(io.BytesIO(DATA2)).header
    older = replace(newer, version=1, transformed=False, landmark_code=landmarks.LandmarkCode.GOLOMB)
    still = (block.ReferenceFrame(0, block.StillCodec.AV1, bytes(40)),)
    pts = tuple(newer.regular_pts(k) for k in range(9))
    going_on, fresh = block.Block(0, pts, 5, (4,), (), b""), block.Block(0, pts, 5, (), still, b"")

    def size(b: block.Block, h: header.Header) -> int:
        return len(write_block(b, h))

    assert size(going_on, newer) - size(going_on, older) == 2
    assert size(fresh, newer) - size(fresh, older) == -1
    runs = (block.Run(5, 5), block.Run(3, 5))
    assert size(replace(fresh, runs=runs), newer) - size(fresh, newer) == 1 + 3 * len(runs)


def test_overhead_of_version_4() -> None:
    newer = NfcReader(io.BytesIO(DATA4)).header
    for item in NfcReader(io.BytesIO(DATA4)):
        assert isinstance(item, tuple)
        guarded = len(write_block(item[0], newer))
        cost = guarded - len(write_block(replace(item[0], guarded=False), newer))
        assert cost == 6 if item[0].audio else cost in (0, 1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_stills_are_converted_as_written(seed: int, half: int) -> None:
    """Section 6, one sample at a time."""
    rng = np.random.default_rng(seed)
    y, cb, cr = (rng.integers(0, 256, (s, s), np.uint8) for s in (2 * half, half, half))

    def doubled(line: list[int]) -> list[int]:
        padded, out = [line[0], *line, line[-1]], []
        for i in range(1, len(line) + 1):
            out += [3 * padded[i] + padded[i - 1], 3 * padded[i] + padded[i + 1]]
        return out

    def full(plane: Any) -> list[list[int]]:
        columns = [doubled(list(map(int, c))) for c in plane.T]
        return [doubled(list(row)) for row in zip(*columns, strict=True)]

    rgb, us, vs = planes_to_rgb(y, cb, cr), full(cb), full(cr)
    for row in range(2 * half):
        for column in range(2 * half):
            u, v = ((us[row][column] + 8) >> 4) - 128, ((vs[row][column] + 8) >> 4) - 128
            luma = 65536 * int(y[row, column]) + 32768
            expected = luma + 91881 * v, luma - 22554 * u - 46802 * v, luma + 116130 * u
            assert rgb[row, column].tolist() == [min(255, max(0, e >> 16)) for e in expected]
