"""What a file says of itself: its coding, its limits, and that damage to it costs nothing else."""

import io
import re
import zlib
from dataclasses import replace
from typing import Any

import pytest
import tiny_files
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

import neurocodec
from neurocodec.entropy.bits import svarint, varint
from neurocodec.errors import DamagedFileError
from neurocodec.format.chunks import DESCRIPTION_CHUNK
from neurocodec.format.damage import Loss
from neurocodec.format.description import (
    FORBIDDEN,
    MAX_CHAPTERS,
    MAX_DESCRIPTION,
    TEXTS,
    Chapter,
    Description,
    read_description,
    write_description,
)
from neurocodec.format.reader import NfcReader
from neurocodec.format.writer import NfcWriter

TOLD = Description(
    title="Ein Vortrag — Ü", artist="Ada", comment="one\ntwo", copyright="CC0", date="2020",
    created=1_600_000_000, language="de-CH", sound_title="Originalton",
    chapters=(Chapter(0, 1500, "Anfang"), Chapter(1500, 4000), Chapter(2000, 3000, "😀")),
)  # fmt: skip
HEADER = tiny_files.make.header(version=4)
BLOCKS = [replace(b, audio=(), guarded=True) for b in tiny_files.long_blocks(HEADER)]


def file(description: Description | None) -> bytes:
    out = io.BytesIO()
    writer = NfcWriter(out, HEADER, description)
    for block in BLOCKS:
        writer.write_block(block)
    writer.close()
    return out.getvalue()


def items(data: bytes) -> tuple[list[Any], list[Loss]]:
    found = list(NfcReader(io.BytesIO(data)))
    return [i[0] for i in found if not isinstance(i, Loss)], [i for i in found if isinstance(i, Loss)]


def fields(*some: tuple[int, bytes]) -> bytes:
    return b"\0" + b"".join(varint(number) + varint(len(data)) + data for number, data in some)


def words(most: int, lines: bool = False) -> st.SearchStrategy[str]:
    """Texts that fit, at times of many bytes."""
    plain = st.text(max_size=40) | st.text("aä😀", max_size=2000)

    def cut(text: str) -> str:
        text = "\n".join(FORBIDDEN.sub("", line) for line in (text.split("\n") if lines else [text]))
        return text.encode("utf-8", "ignore")[:most].decode(errors="ignore")

    return plain.map(cut)


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    chapters, earliest = [], 0
    for _ in range(draw(st.integers(0, 6))):
        earliest += draw(st.integers(0, 10**7))
        chapters.append(Chapter(earliest, earliest + draw(st.integers(1, 10**8)), draw(words(255))))
    texts = {name: draw(words(most, name == "comment")) for name, (_, most) in TEXTS.items()}
    created = draw(st.none() | st.integers(0, 253402300799))
    return Description(**texts, created=created, chapters=tuple(chapters))


@given(descriptions())
def test_what_is_written_is_read(description: Description) -> None:
    payload = write_description(description)
    assert read_description(payload) == description
    text = sum(len(getattr(description, name).encode()) for name in TEXTS)
    text += sum(len(c.title.encode()) for c in description.chapters)
    assert len(payload) <= 1 + text + 3 * len(TEXTS) + 7 + 4 + 12 * len(description.chapters)
    with pytest.raises(DamagedFileError):
        read_description(payload + b"\0")


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_damage(data: bytes, packed: bool) -> None:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = b"\1" + squeezer.compress(data) + squeezer.flush() if packed else b"\0" + data
    try:
        found = read_description(payload)
    except DamagedFileError:
        return
    assert read_description(write_description(found)) == found


def test_long_texts_are_compressed_and_short_ones_are_not() -> None:
    assert write_description(Description(title="Talk"))[0] == 0
    long = Description(comment="a talk on talks " * 20)
    assert write_description(long)[0] == 1 and len(write_description(long)) < 60


def test_the_documents_example() -> None:
    (example,) = re.findall(
        r"^```text\n(e0 .*?)^```$", (ROOT / "docs" / "format.md").read_text(), re.M | re.S
    )
    told = Description(title="Talk", chapters=(Chapter(0, 1500, "One"), Chapter(1500, 4000)))
    data = file(told)
    begin = NfcReader(io.BytesIO(data)).header_bytes
    assert data[begin:].startswith(bytes.fromhex(example))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "unknown way"),
        (b"\2", "unknown way"),
        (b"\1\xff\xff", "unpacked"),
        (fields((2, b"a"), (1, b"b")), "out of order"),
        (fields((1, b"a"), (1, b"b")), "out of order"),
        (fields((1, b"")), "empty"),
        (fields((1, b"\xff")), "UTF-8"),
        (fields((1, "\u202etxt".encode())), "control"),
        (fields((1, b"two\nlines")), "control"),
        (fields((5, b"a" * 33)), "too long"),
        (fields((8, varint(1) + b"\0")), "goes on"),
        (fields((8, varint(253402300800))), "over the limit"),
        (fields((9, b"")), "none"),
        (fields((9, svarint(-1) + varint(5) + b"\0")), "out of order"),
        (fields((9, svarint(5) + varint(0) + b"\0")), "out of order"),
        (fields((9, (svarint(5) + varint(5) + b"\0") + (svarint(-8) + varint(5) + b"\0"))), "out of order"),
        (fields((9, (svarint(0) + varint(1) + b"\0") * (MAX_CHAPTERS + 1))), "too many"),
        (b"\0" + bytes(MAX_DESCRIPTION), "too long"),
        (fields((1, b"a"))[:-1], "past the end"),
    ],
)
def test_what_is_damage(payload: bytes, reason: str) -> None:
    with pytest.raises(DamagedFileError, match=reason):
        read_description(payload)


def test_fields_of_the_future_are_passed_over() -> None:
    assert read_description(fields((1, b"a"), (99, b"\xff\xff"))) == Description(title="a")


@pytest.mark.parametrize(
    "description",
    [
        Description(title="a\x1b[2J"),
        Description(title="\ud800"),
        Description(date="a" * 33),
        Description(created=-1),
        Description(chapters=(Chapter(5, 5),)),
        Description(chapters=(Chapter(5, 9), Chapter(4, 9))),
        Description(chapters=tuple(Chapter(k, k + 1) for k in range(MAX_CHAPTERS + 1))),
    ],
)
def test_what_cannot_be_written(description: Description) -> None:
    with pytest.raises(ValueError, match=r"."):
        NfcWriter(io.BytesIO(), HEADER, description)


def test_the_reader_knows_it_from_the_start_and_nothing_else_changes() -> None:
    bare, data = file(None), file(TOLD)
    assert file(Description()) == bare
    assert NfcReader(io.BytesIO(bare)).description == Description()
    assert NfcReader(io.BytesIO(data)).description == TOLD
    begin = NfcReader(io.BytesIO(data)).header_bytes
    payload = write_description(TOLD)
    assert data[begin] == DESCRIPTION_CHUNK and len(data) - len(bare) <= len(payload) + 8
    assert items(data) == items(bare) == (BLOCKS, [])
    reader = NfcReader(io.BytesIO(data))
    entries = reader.index()
    assert entries and [reader.block_at(e) for e in entries] == BLOCKS
    assert len(payload) < 145


def test_damage_to_it_costs_nothing_else() -> None:
    data = file(TOLD)
    begin = NfcReader(io.BytesIO(data)).header_bytes
    for at in range(begin, begin + len(write_description(TOLD)) + 6):
        bad = bytearray(data)
        bad[at] ^= 0x10
        reader = NfcReader(io.BytesIO(bytes(bad)))
        assert not reader.description or at == begin
        entries = reader.index()
        assert entries and [reader.block_at(e) for e in entries] == BLOCKS
        blocks, losses = items(bytes(bad))
        assert blocks == BLOCKS
        assert all(loss.harmless and loss.offset == begin for loss in losses)
        assert len(losses) == 1 or at == begin


def test_a_damaged_first_block_is_not_taken_for_it() -> None:
    data = bytearray(file(None))
    begin = NfcReader(io.BytesIO(bytes(data))).header_bytes
    data[begin + 5] ^= 0x10
    _, losses = items(bytes(data))
    assert losses and not any(loss.harmless for loss in losses)


def test_repair_keeps_it_and_drops_a_damaged_one() -> None:
    data = file(TOLD)
    out = io.BytesIO()
    assert neurocodec.repair(io.BytesIO(data[:-30]), out).losses
    assert NfcReader(io.BytesIO(out.getvalue())).description == TOLD
    bad = bytearray(data)
    bad[NfcReader(io.BytesIO(data)).header_bytes + 9] ^= 1
    out = io.BytesIO()
    report = neurocodec.repair(io.BytesIO(bytes(bad)), out)
    assert len(report.losses) == 1 and "the description" in report.losses[0]
    assert out.getvalue() == file(None)


def test_info_tells_it() -> None:
    told = neurocodec.probe(io.BytesIO(file(TOLD))).as_dict()["description"]
    assert told["created"] == "2020-09-13T12:26:40Z" and told["sound_language"] == "de-CH"
    assert told["chapters"][1] == {"start": 1.5, "end": 4.0, "title": ""}
    assert "description" not in neurocodec.probe(io.BytesIO(file(None))).as_dict()


def test_a_part() -> None:
    assert TOLD.within(0) == TOLD
    part = TOLD.within(1000, 2500)
    assert part.title == TOLD.title
    assert part.chapters == (Chapter(0, 500, "Anfang"), Chapter(500, 1500), Chapter(1000, 1500, "😀"))
    assert TOLD.within(4000).chapters == ()
    assert TOLD.within(-100).chapters[0] == Chapter(100, 1600, "Anfang")
