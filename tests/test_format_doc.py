"""``docs/format.md`` against the code: its example byte by byte, its rules by a reader written from them."""

import io
import json
import re
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocodec import block, container, header, landmarks
from neurocodec.bits import BitWriter
from neurocodec.container import NfcReader, NfcWriter
from neurocodec.golomb import AdaptiveGolomb, write_original
from neurocodec.still import planes_to_rgb

TEXT = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")


def fenced(kind: str) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.M | re.S)
    assert len(found) == 1
    return str(found[0])


DATA = bytes.fromhex(fenced("hex"))


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
    assert h.audio is not None
    blocks = []
    for item in reader:
        assert isinstance(item, tuple)
        b = item[0]
        coder = landmarks.LandmarkDecoder(h.landmark_code, 2 * h.keypoints, b.landmarks)
        refreshes = {r.offset for r in b.references}
        symbols: list[list[int] | None] = []
        for k in range(len(b.pts)):
            if k in refreshes:
                coder.refresh()
            symbols.append(None if k in refreshes else coder.read().tolist())
        coder.finish()
        blocks.append(
            {
                "first_frame": b.first_frame,
                "pts": list(b.pts),
                "first_reference": b.first_reference,
                "needed": list(b.needed),
                "references": [[r.offset, r.codec.name, r.data.hex()] for r in b.references],
                "symbols": symbols,
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
            "audio": h.audio.codec,
        },
        "blocks": blocks,
        "index": [{n: getattr(e, n) for n in names} for e in reader.index() or []],
    }


def test_example_decodes_to_what_the_document_says() -> None:
    assert decoded(NfcReader(io.BytesIO(DATA))) == json.loads(fenced("json"))


def test_writing_the_example_gives_the_same_bytes() -> None:
    reader, out = NfcReader(io.BytesIO(DATA)), io.BytesIO()
    writer = NfcWriter(out, reader.header)
    for item in reader:
        assert isinstance(item, tuple)
        writer.write_block(item[0])
    writer.close()
    assert out.getvalue() == DATA


def test_tables_hold_the_whole_file() -> None:
    position = 0
    sections = ("Signature, version, header chunk", "First block", "Second block", "Index chunk and trailer")
    for section in sections:
        for offset, raw, field, value in rows(section, 4):
            if not offset.startswith("0x"):
                continue
            data = bytes.fromhex(raw)
            assert int(offset, 16) == position
            assert DATA[position : position + len(data)] == data
            if field == "checksum" and value:
                assert int(value, 16) == int.from_bytes(data, "little")
            number = re.fullmatch(r"(\d+)( bytes)?", value)
            if len(data) == 1 and number:
                assert data[0] == int(number[1])
            position += len(data)
    assert position == len(DATA)


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
    assert (container.MAX_CHUNK, container.MAX_HEADER, container.MAX_INDEX) == (1 << 26, 1 << 21, 1 << 20)
    assert (block.BLOCK_SECONDS, block.MAX_FRAMES, block.MAX_AUDIO_PACKETS) == (5, 5000, 5000)
    assert block.MAX_NEEDED == 16
    assert (block.MAX_REFERENCE_BYTES, block.MAX_COUNT, block.TIMING_BITS) == (1 << 24, 1 << 40, 47)
    assert (header.MAX_DIMENSION, header.MAX_MODEL_SIZE, header.MAX_KEYPOINTS) == (32768, 4096, 1024)
    assert (header.MAX_TERM, header.MAX_EXTRADATA, header.MAX_EXTENSIONS) == (2**31 - 1, 1 << 20, 64)
    assert (header.MAX_PTS, landmarks.MAX_QUANTIZATION, landmarks.MAX_MAGNITUDE // 2) == (
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
