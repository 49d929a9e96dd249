#!/usr/bin/env python3
"""A second reader of ``.nfc`` files, written from ``docs/format.md`` alone: plain Python, nothing else.

    python tools/nfc_reader.py FILE.nfc...

prints one line of JSON for each file: the header, every block with its timestamps, references, runs, landmark
symbols and sound, the index, and where something was damaged.  It imports neither neurocodec nor numpy, so
that it runs wherever Python does, and that a mistake in the package is not repeated here.  Where it and the
package differ, one of them or the document is wrong; ``tests/format/test_conformance.py`` compares them.

It knows the models' pictures no more than any parser does: stills and sound are given by their SHA-256.
Numbers in parentheses are sections of the document.  Exit code 0: whole files; 7: some were damaged; 4: one
could not be read.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from fractions import Fraction

HEADER, BLOCK, INDEX, LAYER, HEAD, DESCRIPTION = 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xE0
CODES = ("original", "golomb", "range")
CODECS = ("jpeg", "hevc", "av1")


class Damage(Exception):
    """What was read cannot be (10)."""


class Refused(Exception):
    """No .nfc file, another version, or a reserved feature (2, 3, 4)."""


class Bytes:
    """A cursor over a payload: the types of section 1."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        if self.at + n > len(self.data):
            raise Damage("a field reaches past its end")
        self.at += n
        return self.data[self.at - n : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, most: int = 2**63 - 1) -> int:
        value = 0
        for k in range(9):
            b = self.byte()
            value += (b & 127) << 7 * k
            if b < 128:
                if value > most:
                    raise Damage("a number is too large")
                return value
        raise Damage("a number is too long")

    def svarint(self, most: int = 2**62 - 1) -> int:
        code = self.varint()
        value = code // 2 if code % 2 == 0 else -(code + 1) // 2
        if abs(value) > most:
            raise Damage("a number is too large")
        return value

    def fraction(self) -> Fraction:
        above, below = self.varint(2**31 - 1), self.varint(2**31 - 1)
        if not above or not below:
            raise Damage("a fraction is zero or infinite")
        return Fraction(above, below)

    def positive(self, most: int) -> int:
        value = self.varint(most)
        if not value:
            raise Damage("a number is zero")
        return value

    def text(self) -> str:
        raw = self.take(self.positive(255))
        if any(not 0x20 <= b <= 0x7E for b in raw):
            raise Damage("a text is not printable ASCII")
        return raw.decode("ascii")


class Bits:
    """A bit string, most significant bit first (1)."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def field(self, n: int) -> int:
        if n > self.left:
            raise Damage("a bit string ends too early")
        self.left -= n
        return (self.value >> self.left) & ((1 << n) - 1)

    def end(self) -> None:
        if self.left > 7 or self.field(self.left):
            raise Damage("bits are left over")


def header_of(payload: bytes, version: int) -> dict:
    """Section 3."""
    s = Bytes(payload)
    flags = s.byte()
    if (flags & 0x80 and version < 5) or flags & 3 == 3:
        raise Refused("reserved header flags")
    h = {"version": version, "fit": flags & 3, "rotation": 90 * (flags >> 2 & 3)}
    if version >= 5:
        h["layered"] = bool(flags & 0x80)
        if h["layered"] and h["fit"] != 2:
            raise Damage("a layered file of another fit")
    h["full_range"] = bool(flags & 0x20)
    h["width"], h["height"] = s.positive(32768), s.positive(32768)
    h["sar"] = s.fraction() if flags & 0x40 else Fraction(1)
    h["time_base"], h["fps"], h["start"] = s.fraction(), s.fraction(), s.svarint()
    h["colour"] = list(s.take(3))
    h["model"], h["model_hash"] = s.text(), s.take(8).hex()
    h["model_size"], h["keypoints"] = s.positive(4096), s.positive(1024)
    h["quantization"] = s.positive(65535)
    code = s.byte()
    h["transformed"] = version >= 2 and code >= 128
    code -= 128 * h["transformed"]
    h["latent"] = None
    if version >= 3 and code & 64 and not h["transformed"]:  # 3.4
        code -= 64
        h["latent"] = {"name": s.text(), "hash": s.take(8).hex(), "values": s.positive(2048)}
        if h["latent"]["values"] % 2:
            raise Damage("an odd number of values")
    if code > (2 if version >= 2 else 1):
        raise Refused("unknown landmark code")
    h["landmark_code"] = CODES[code]
    h["audio"] = None
    if flags & 0x10:  # 3.2
        h["audio"] = {
            "codec": s.text(), "sample_rate": s.positive(10**6), "channels": s.positive(255),
            "time_base": s.fraction(), "initial_padding": s.varint(2**31 - 1),
            "packet_duration": s.varint(2**31 - 1), "extradata": s.take(s.varint(2**20)).hex(),
        }  # fmt: skip
    h["extensions"] = []
    while s.at < len(payload):  # 3.3
        if len(h["extensions"]) == 64:
            raise Damage("too many extensions")
        h["extensions"].append([s.varint(), s.take(s.varint()).hex()])
    return h


WORDS = {  # number of a text: name and most bytes (2.2)
    1: ("title", 512), 2: ("artist", 512), 3: ("comment", 4096), 4: ("copyright", 512), 5: ("date", 32),
    6: ("language", 16), 7: ("sound_title", 255),
}  # fmt: skip
UNWANTED = {*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)}
UNWANTED.add(0xFEFF)


def description_of(payload: bytes) -> dict:
    """Section 2.2."""
    if payload[:1] not in (b"\0", b"\1") or len(payload) > 2**14:
        raise Damage("an unknown or too long description")
    body = payload[1:]
    if payload[0]:
        inflater = zlib.decompressobj(-15)
        try:
            body = inflater.decompress(body, 2**14 + 1)
        except zlib.error:
            raise Damage("it cannot be unpacked") from None
        if len(body) > 2**14 or not inflater.eof or inflater.unused_data:
            raise Damage("it is too long, or goes on")
    s, last, out = Bytes(body), 0, {}
    while s.at < len(body):
        number, data = s.varint(), s.take(s.varint())
        if number <= last:
            raise Damage("fields out of order")
        last = number
        if number in WORDS:
            name, most = WORDS[number]
            out[name] = word(data, most, name == "comment")
            if not data:
                raise Damage("an empty text")
        elif number == 8:
            field = Bytes(data)
            out["created"] = field.varint(253402300799)
            if field.at < len(data):
                raise Damage("more than a date")
        elif number == 9:
            out["chapters"] = chapters_of(data)
    return out


def word(data: bytes, most: int, lines: bool = False) -> str:
    """A text of a description."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Damage("no UTF-8") from None
    if len(data) > most or any(ord(c) in UNWANTED and not (lines and c == "\n") for c in text):
        raise Damage("a text that is too long or not clean")
    return text


def chapters_of(data: bytes) -> list:
    """The chapters of a description: start, end, title."""
    s, out, before = Bytes(data), [], [0, 0]
    while s.at < len(data):
        start = before[1] + s.svarint()
        end = start + s.varint()
        if not before[0] <= start < end <= 2**40 or len(out) == 256:
            raise Damage("chapters out of order, or too many")
        before = [start, end]
        out.append([start, end, word(s.take(s.varint()), 255)])
    if not out:
        raise Damage("no chapters")
    return out


def regular(h: dict, i: int) -> int:
    """The regular timestamp of frame i (4.1)."""
    step = 1 / (h["fps"] * h["time_base"])
    return h["start"] + (i * step + Fraction(1, 2)).__floor__()


class Adaptive:
    """The adaptive code of section 5.2."""

    def __init__(self, m: int) -> None:
        self.m, self.r, self.g = m, 16, 8

    def rice(self, bits: Bits) -> int:
        k, q = self.g // 8, 0
        while q < 24 and bits.field(1) == 0:
            q += 1
        v = (q << k) + bits.field(k) if q < 24 else bits.field(self.m + 1)
        self.g = min(120, max(0, self.g + (-2 if q == 0 else 0 if q == 1 else q)))
        return v

    def sequence(self, bits: Bits, length: int) -> list:
        values: list = []
        while len(values) < length:
            k, c = self.r // 8, length - len(values)
            if k == 0:
                v = self.rice(bits)
                value = v // 2 if v % 2 == 0 else -(v + 1) // 2
                change = 3 if value == 0 else -3
            else:
                run = min(1 << k, c)
                if bits.field(1) == 0:
                    values += [0] * run
                    self.r = min(120, self.r + 4)
                    continue
                b = 0
                while 1 << b < run:
                    b += 1
                z = bits.field(b)
                if z >= run:
                    raise Damage("a run of zeros is too long")
                values += [0] * z
                sign = bits.field(1)
                v = self.rice(bits) + 1
                value, change = (-v if sign else v), -6
            if abs(value) >= 1 << self.m:
                raise Damage("a value is too large")
            values.append(value)
            self.r = min(120, max(0, self.r + change))
        return values


def original(bits: Bits) -> int:
    """One value of section 5.1."""
    zeros = 0
    while bits.field(1) == 0:
        zeros += 1
    n = 3 * zeros
    if bits.field(1):
        n += 1 + bits.field(1)
    if n == 0:
        raise Damage("n is 0")
    return n // 2 if n % 2 == 0 else (1 - n) // 2


STATES = """
5283 12 15239 12 38411 12 33717 12 32768 0 40661 12 32768 0 59906 12 32768 0 34669 12 42037 12 39618 12
45306 12 56533 12 59267 12 13883 12 26721 12 16309 12 30537 12 24931 4 48958 12 12965 12 22779 12 13303 12
27335 12 26279 4 47311 12 27071 12 36843 12 32386 12 38634 12 42279 12 50008 12 12592 12 25615 12 11549 12
27216 12 21777 9 41108 12 14408 12 23861 12 12369 12 24692 12 23486 7 39882 12 18529 12 27984 12 21376 12
29191 12 29918 12 38538 12 13042 12 22083 12 12377 12 22359 12 26275 12 38954 12 9458 12 18273 12 8085 12
19523 12 23095 12 38377 12 10060 12 16525 12 6376 12 16398 12 18616 12 35010 12 10862 12 15353 12 5977 12
14094 12 20516 7 33373 10 2109 12 3284 12 2365 12 2254 12 3946 12 2664 12 3760 12 4949 12 4594 12 6166 12
12539 12 29826 12 30896 12 39191 12 42765 12 53130 12 32875 12 31900 12 33946 12 43298 12 56902 12 54755 12
52761 12 54441 12 17173 12 26375 12 32661 12 42672 12 23048 12 27115 12 30522 12 37279 12 42036 12 41976 12
41661 12 46179 12 8213 12 22718 12 29182 12 40775 12 15132 12 24237 12 27829 12 35064 12 33472 12 34049 12
34907 12 39527 12 3581 12 17895 12 26728 12 32845 12 11934 12 21557 12 30178 9 33321 8 29335 12 31562 12
32768 11 33766 11 32280 12 3760 12 62181 12 32482 12 7891 12 57683 12 32621 12 15845 12 49198 12 57786 12
51704 12 44256 12 32734 12 23921 12 16272 8 11072 2 3361 0
"""
"""The table at the end of section 5.3, less its last 16 states, which are all 32768 0."""


class Range:
    """The range coder and its packets (5.3)."""

    def __init__(self, data: bytes, count: int, states: str = STATES) -> None:
        numbers = [int(n) for n in states.split()] + [32768, 0] * 16
        self.contexts = [[p, n] for p, n in zip(numbers[::2], numbers[1::2])]  # noqa: B905
        self.data, self.read = data, 0
        self.range, self.code = 2**32 - 1, 0
        for _ in range(4):
            self.code = 256 * self.code + self.next()
        self.m, self.b, self.quiet = count, [0] * count, 0

    def next(self) -> int:
        self.read += 1
        return self.data[self.read - 1] if self.read <= len(self.data) else 0

    def part(self, bound: int, rest: int) -> int:
        if self.code < bound:
            bit, self.range = 1, bound
        else:
            bit, self.code, self.range = 0, self.code - bound, rest
        while self.range < 2**24:
            self.range, self.code = 256 * self.range, (256 * self.code + self.next()) % 2**32
        return bit

    def decide(self, number: int) -> int:
        p, n = self.contexts[number]
        bound = (self.range >> 16) * p
        bit, step = self.part(bound, self.range - bound), 2**17 // (2 * n + 3)
        p = p + ((65472 - p) * step >> 16) if bit else p - ((p - 64) * step >> 16)
        self.contexts[number] = [p, min(n + 1, 40)]
        return bit

    def even(self) -> int:
        half = self.range >> 1
        return self.part(half, half)

    def packet(self) -> list:
        d = [0] * self.m
        if self.decide(self.quiet):
            self.quiet, self.b = min(self.quiet + 1, 2), d
            return d
        self.quiet = 0
        for i in range(self.m):
            size = min(abs(self.b[i]), 2)
            c = i if i < 8 else 8 if i < 12 else 9 if i < 20 else 10 if i < 36 else 11
            g = 0 if c < 2 else 1 if c < 8 else 2 if c < 10 else 3
            h = 0 if c < 2 else 1 if c < 8 else 2
            lately = int(any(d[max(0, i - 2) : i]))
            if i < self.m - 1 and not self.decide(3 + 6 * c + 2 * size + lately):
                continue
            m = 1
            while m < 14 and self.decide(87 + 12 * g + 4 * size + min(m - 1, 3)):
                m += 1
            if m == 14:
                k = 0
                while k < 24 and self.decide(144 + k):
                    k += 1
                r = 0
                for _ in range(k):
                    r = 2 * r + self.even()
                m = 13 + 2**k + r
            if m >= 2**24:
                raise Damage("a change is too large")
            s = 0 if self.b[i] == 0 else 1 if self.b[i] > 0 else 2
            d[i] = -m if self.decide(135 + 3 * h + s) else m
            if i < self.m - 1 and self.decide(75 + c):
                break
        self.b = d
        return d

    def end(self) -> None:
        if self.data[-1:] == b"\0" or len(self.data) > self.read:
            raise Damage("bytes are left over")


def references_of(s: Bytes, version: int, frames: int, continues: bool) -> list:
    """Section 4.3: [offset, codec, dependent, bytes]."""
    out: list = []
    position, before = 0, ("av1" if continues else None)
    for _ in range(s.varint(frames if version == 1 else min(frames, 256))):
        if version == 1:
            offset = position + s.varint(frames)
            n, kind = divmod(s.varint(4 * 2**24 + 3), 4)
            position, dependent = offset + 1, False
        else:
            position += s.svarint(frames)
            offset = position
            n, kind = divmod(s.varint(8 * 2**24 + 7), 8)
            dependent, kind = kind >= 4, kind & 3
        if not 0 <= offset < frames or offset in [r[0] for r in out]:
            raise Damage("a reference is out of place")
        if kind == 3:
            raise Refused("reserved reference codec")
        if dependent and not (CODECS[kind] == before == "av1"):
            raise Damage("a dependent reference follows none")
        before = CODECS[kind]
        out.append([offset, before, dependent, s.take(n)])
    return out


def sound_of(s: Bytes, h: dict) -> list:
    """Section 4.4: [timestamp, duration, bytes]."""
    if h["audio"] is None:
        raise Damage("sound without a description")
    expected, count, odd, place = s.svarint(), s.varint(5000), {}, 0
    for _ in range(s.varint(count)):
        place += s.varint(count)
        odd[place] = s.svarint(), s.varint(2**31 - 1)
        place += 1
    if place > count:
        raise Damage("an odd packet is not there")
    bits = Bits(s.take(s.varint()))
    changes = Adaptive(24).sequence(bits, count)
    bits.end()
    size, last, out = 0, -(2**62 - 1), []
    for i, change in enumerate(changes):
        shift, duration = odd.get(i, (0, h["audio"]["packet_duration"]))
        size, pts = size + change, expected + shift
        if size < 1 or not last <= pts <= 2**62 - 1:
            raise Damage("an impossible packet of sound")
        out.append([pts, duration, s.take(size)])
        expected, last = pts + duration, pts
    return out


def runs_of(s: Bytes, b: dict, frames: int) -> list:
    """Section 4.5: [frames, [references]] by the list or by the default rule."""
    first = b["first_reference"]
    last = first + len(b["references"]) - 1
    low = first - min(len(b["needed"]), 64)
    shows = {r[0]: first + k for k, r in enumerate(b["references"])}
    if b["flags"] & 8:
        if low > last:
            raise Damage("runs without a reference")
        left, out = frames - len(shows), []
        for _ in range(s.varint(left)):
            n, one, two = s.varint(left), last - s.varint(last - low), s.varint(last - low + 1)
            uses = [one] + ([last - two + 1] if two else [])
            if n == 0 or len(set(uses)) < len(uses):
                raise Damage("an impossible run")
            out.append([n, uses])
            left -= n
        if left:
            raise Damage("runs do not cover the block")
        return out
    out, k, current = [], 0, b["current"]
    for offset in [*sorted(shows), frames]:
        if offset > k:
            if current is None:
                raise Damage("frames without a reference")
            following = shows.get(offset)
            out.append([offset - k, [current] + ([following] if b["flags"] & 16 and offset in shows else [])])
        k, current = offset + 1, shows.get(offset)
    return out


def crc16(data: bytes) -> int:
    """The checksum of section 4.6, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = crc << 1 ^ (0x1021 if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc


def head_of(s: Bytes, h: dict) -> tuple:
    """A block up to its landmarks (4), and their size, if it is stated."""
    version = h["version"]
    first, frames, flags = s.varint(2**40), s.varint(5000), s.byte()
    if flags & ~(0xC3 if h.get("layered") else 0x7F if version >= 4 else 0x3F if version >= 2 else 0x07):
        raise Refused("reserved block flags")
    b: dict = {"first_frame": first, "flags": flags}
    pts = [regular(h, first + i) for i in range(frames)]
    if flags & 1:
        if not frames:
            raise Damage("timing without frames")
        late = [s.svarint()]
        bits = Bits(s.take(s.varint()))
        for change in Adaptive(47).sequence(bits, frames - 1):
            late.append(late[-1] + change)
        bits.end()
        pts = [p + x for p, x in zip(pts, late)]  # noqa: B905
    if any(y <= x for x, y in zip(pts, pts[1:])) or any(abs(t) >= 2**62 for t in pts):  # noqa: B905, RUF007
        raise Damage("impossible timestamps")
    b["pts"] = pts
    if h.get("layered"):  # 4.7
        if flags & 64:
            checked(s, 0)
        if frames == 0 if flags & 128 else frames > 0 and first == 0:
            raise Damage("an entry without frames, or the first block is none")
        b.update(region=None, first_reference=0, needed=[], current=None, references=[], runs=[])
        return b, 0
    b["region"] = [s.varint(32768) for _ in range(3)] if h["fit"] == 2 else None
    if b["region"] and not b["region"][2]:
        raise Damage("an empty region")
    number, continues = s.varint(2**40), bool(flags & 4)
    needed: list = []
    current = None
    if version == 1 and continues:
        needed = [number - 1]
    elif version == 1:
        for _ in range(s.varint(16)):
            needed.append(number - 1 - s.varint(15))
    elif continues:
        chain = s.varint(min(1024, number))
        if not chain:
            raise Damage("nothing is needed")
        needed = list(range(number - chain, number))
        current = number - 1 - s.varint(min(chain, 64) - 1)
    if any(n < 0 for n in needed) or len(set(needed)) < len(needed):
        raise Damage("impossible references are needed")
    if current is None and needed:
        current = needed[-1]
    b["first_reference"], b["needed"], b["current"] = number, needed, current
    b["references"] = references_of(s, version, frames, continues)
    stored = bool(flags & 8)
    if frames and not needed and not stored and all(r[0] for r in b["references"]):
        raise Damage("frames without a reference")
    b["runs"] = runs_of(s, b, frames)
    size = s.varint() if flags & 2 or not flags & 64 else None
    if flags & 64:  # 4.6
        checked(s, 0)
    return b, size


def checked(s: Bytes, start: int) -> None:
    """Read the checksum of a part that began at ``start``."""
    right = crc16(s.data[start : s.at])
    if int.from_bytes(s.take(2), "little") != right:
        raise Damage("the checksum of a part")


def block_of(payload: bytes, h: dict) -> dict:
    """Section 4."""
    s = Bytes(payload)
    b, size = head_of(s, h)
    b["packets"], b["audio"], b["lost"] = s.take(len(payload) - s.at if size is None else size), [], []
    guarded = b["flags"] & 64 and b["flags"] & 2
    if guarded and not h.get("layered"):
        checked(s, s.at - len(b["packets"]))
    if b["flags"] & 2:
        start = s.at
        b["audio"] = sound_of(s, h)
        if guarded:
            checked(s, start)
    if s.at < len(payload):
        raise Damage("a block is too long")
    return b


def partly(payload: bytes, h: dict) -> tuple:
    """A block that is partly damaged (10), and where its head ends."""
    s = Bytes(payload)
    try:
        b, size = head_of(s, h)
    except Refused as error:
        raise Damage(str(error)) from None
    if not b["flags"] & 64:
        raise Damage("not guarded")
    end = s.at
    b["packets"], b["audio"], b["lost"] = b"", [], []
    if size is None:
        if len(b["pts"]) > len(b["references"]):
            b["lost"].append("landmarks")
        return b, end
    if h.get("layered"):
        s = Bytes(payload[end:])
    else:
        try:
            b["packets"] = s.take(size)
            checked(s, end)
        except Damage:
            b["packets"] = b""
            b["lost"].append("landmarks")
        s = Bytes(payload[end + size + 2 :])
    if not b["flags"] & 2:
        return b, end
    try:
        b["audio"] = sound_of(s, h)
        checked(s, 0)
    except Damage:
        b["audio"] = []
        b["lost"].append("sound")
    return b, end


def packets_of(b: dict, h: dict) -> list:
    """Section 5: the symbols of each packet, and the references its frame uses."""
    n = h["latent"]["values"] if h["latent"] else 2 * h["keypoints"]
    code = "golomb" if b["flags"] & 32 else h["landmark_code"]
    bits, adaptive, coder = Bits(b["packets"]), Adaptive(24), Range(b["packets"], n)
    packets: list = []
    for length, uses in b["runs"]:
        before = [0] * n
        for _ in range(length):
            if code == "original":
                before = [original(bits) for _ in range(n)]
            else:
                d = coder.packet() if code == "range" else adaptive.sequence(bits, n)
                before = [x + y for x, y in zip(before, d)]  # noqa: B905
            if any(abs(u) >= 2**23 for u in before):
                raise Damage("a symbol is too large")
            packets.append((before, uses))
    if code == "range":
        coder.end()
    else:
        bits.end()
    return packets


def symbols_of(b: dict, h: dict) -> tuple:
    """Section 5: symbols (None where a reference is shown) and references used, of each frame."""
    shows = {r[0]: b["first_reference"] + k for k, r in enumerate(b["references"])}
    rest = iter(packets_of(b, h))
    both = [(None, [shows[k]]) if k in shows else next(rest) for k in range(len(b["pts"]))]
    return [x for x, _ in both], [x for _, x in both]


SWITCH_STATES = "36000 2 48000 4 3000 6 600 14 2500 10 20000 10 30000 6 29000 8 38000 5 53000 8 60000 6"
"""Section 4.8."""


def switches_of(data: bytes, offsets: list, h: dict) -> list:
    """Section 4.8: for each picture None, or [frames that keep, rows of places or None for all]."""
    longer = max(h["width"], h["height"])
    rows, columns = (max(1, (48 * h[side] + longer) // (2 * longer)) for side in ("height", "width"))
    coder, out, decided, last = Range(data, 0, SWITCH_STATES), [], 0, 0
    before = [[0] * columns for _ in range(rows)]
    for a, b in zip([-1, *offsets], offsets):  # noqa: B905
        n, found = b - a - 1, None
        if n:
            last = coder.decide(last)
        if n and last:
            whole, kept = coder.decide(2), 0
            for _ in range(n.bit_length()):
                kept = 2 * kept + coder.even()
            if kept > n:
                raise Damage("a switch is out of place")
            found = [kept, None]
            if not whole:
                decided += rows * columns
                if decided > min(2**20, 1024 * (len(data) + 4)):
                    raise Damage("too many places")
                # a row above and a column on either side that switch nowhere
                m = [[0] * (columns + 2) for _ in range(rows + 1)]
                for r in range(1, rows + 1):
                    for c in range(1, columns + 1):
                        near = m[r][c - 1] + m[r - 1][c] + m[r - 1][c + 1]
                        m[r][c] = coder.decide(3 + 2 * near + before[r - 1][c - 1])
                before = [row[1:-1] for row in m[1:]]
                found[1] = ["".join(map(str, row)) for row in before]
        out.append(found)
    coder.end()
    return out


def layer_of(payload: bytes, h: dict, frames: int) -> dict:
    """Section 4.8."""
    s = Bytes(payload)
    s.varint(2**40)
    flags, size, places, at = s.byte(), None, [], 0
    if flags & ~3:
        raise Refused("reserved layer flags")
    if flags & 1:
        size = [s.varint(h[side] + h[side] % 2) for side in ("width", "height")]
        if any(n < 8 or n % 2 for n in size):
            raise Damage("an impossible layer")
    count = s.varint(frames)
    if size and not count:
        raise Damage("a key of no picture")
    for _ in range(count):
        offset, n = at + s.varint(frames), s.positive(2**24)
        if offset >= frames:
            raise Damage("a picture of the layer is out of place")
        places.append((offset, n))
        at = offset + 1
    pictures = [[offset, s.take(n)] for offset, n in places]
    if s.at < len(payload) and not flags & 2:
        raise Damage("a layer is too long")
    return {"size": size, "pictures": pictures, "switches": payload[s.at :] if flags & 2 else None}


def head_part_of(payload: bytes, h: dict, frames: int) -> dict:
    """Section 4.9."""
    s = Bytes(payload)
    s.varint(2**40)
    head, flags = s.varint(63), s.byte()
    if flags & ~1:
        raise Refused("reserved head flags")
    start, count = s.varint(frames), s.positive(frames)
    if start + count > frames:
        raise Damage("frames of a head are out of place")
    square, at = [s.svarint(), s.svarint(), s.varint()], start
    squares = [[at, *square]]
    for _ in range(s.varint(count - 1)):
        at += s.positive(count)
        change = [s.svarint(), s.svarint(), s.svarint()]
        square = [was + more for was, more in zip(square, change)]  # noqa: B905
        squares.append([at, *square])
        if at >= start + count or change == [0, 0, 0]:
            raise Damage("an impossible move of a square")
    if any(side < 1 or max(abs(x), abs(y), side) > 32768 for _, x, y, side in squares):
        raise Damage("an impossible square")
    part = {"head": head, "start": start, "frames": count, "squares": squares}
    return {**part, "golomb": bool(flags), "packets": payload[s.at :]}


def symbols_of_head(part: dict, b: dict, h: dict) -> list:
    """Section 4.9: symbols of each frame, None where a picture of the layer is shown."""
    shown = {offset for offset, _ in b["layer"]["pictures"]} if b["layer"] else set()
    moves = {at for at, *_ in part["squares"]}
    offsets = range(part["start"], part["start"] + part["frames"])
    runs: list = []
    for k in offsets:
        if k in shown:
            continue
        if k in moves or k - 1 in shown or not runs:
            runs.append([0, []])
        runs[-1][0] += 1
    flags = 32 if part["golomb"] else 0
    symbols = iter(packets_of({"packets": part["packets"], "flags": flags, "runs": runs}, h))
    return [None if k in shown else next(symbols)[0] for k in offsets]


class Parts:
    """The layer and the heads of a block (4.7 to 4.9), and what is lost of them (10)."""

    def __init__(self, b: dict, h: dict, doubt: bool) -> None:
        self.b, self.h, self.room = b, h, 2**26
        self.layer: dict | None = None
        self.heads: list = []
        self.passed, self.doubt, self.lost = False, False, set(b["lost"])
        if doubt:
            self.lose(None)

    def lose(self, kind: int | None) -> None:
        if kind == LAYER and not self.passed:
            self.lost.add("layer")
        else:
            self.lost.add("heads")
            self.doubt = self.doubt or (kind is None and not self.passed)
        self.passed = self.passed or kind is not None

    def add(self, kind: int, payload: bytes) -> None:
        passed, self.passed = self.passed, True
        self.room -= len(payload)
        try:
            if self.room < 0:
                raise Damage("a block's parts are too large")
            if kind == HEAD:
                part = head_part_of(payload, self.h, len(self.b["pts"]))
                self.check(part)
                self.heads.append(part)
                return
            if passed:
                raise Damage("a layer is out of place")
            layer = layer_of(payload, self.h, len(self.b["pts"]))
            if self.b["flags"] & 128 and (not layer["size"] or layer["pictures"][0][0]):
                raise Damage("an entry without a key picture")
            self.layer = layer
        except Damage:
            self.lost.add("layer" if kind == LAYER else "heads")
            raise

    def check(self, part: dict) -> None:
        """Whether a part of a head can come here (4.9)."""
        if len(self.heads) == 64:
            raise Damage("a block of more than 64 heads")
        covered = [range(p["start"], p["start"] + p["frames"]) for p in [*self.heads, part]]
        if any(sum(k in frames for frames in covered) > 16 for k in covered[-1]):
            raise Damage("more than 16 heads in a frame")
        for before, frames in zip(self.heads, covered):  # noqa: B905
            if before["head"] == part["head"] and frames.stop > part["start"]:
                raise Damage("a head is out of order")

    def end(self) -> None:
        """Put into the block what came."""
        if self.layer is None and (self.doubt or self.b["flags"] & 128):
            self.lost.add("layer")
        if "layer" in self.lost and self.heads:
            self.lost.add("heads")
        self.b["lost"] = sorted(self.lost)
        self.b["layer"], self.b["heads"] = self.layer, self.heads
        if "layer" in self.lost:
            self.b["layer"], self.b["heads"] = None, []


def first_of(payload: bytes) -> int | None:
    """To which block a layer or a head belongs."""
    try:
        return Bytes(payload).varint(2**40)
    except Damage:
        return None


def parts_at(data: bytes, at: int, h: dict, order: Order, b: dict, doubt: bool = False) -> tuple:
    """Read a block's layer and heads; where they end, and where the first damage is, if any."""
    parts, damage = Parts(b, h, doubt), None
    while at < len(data):
        place = at
        try:
            kind, payload, end = chunk_at(data, at, True)
        except Damage:
            if data[at] in (BLOCK, INDEX):
                break
            end = framed(data, at, b)
            parts.lose(data[at] if end else None)
            at = end or resynchronized(data, at + 1, h, order, b["first_frame"])
            damage = place if damage is None else damage
            continue
        if 0xE0 <= kind <= 0xEF:
            at = end
            continue
        if kind not in (LAYER, HEAD) or first_of(payload) != b["first_frame"]:
            break
        at = end
        try:
            parts.add(kind, payload)
        except Damage:
            damage = place if damage is None else damage
    parts.end()
    return at, damage


def framed(data: bytes, at: int, b: dict) -> int:
    """Where a damaged layer or head ends, if what follows there shows it; else 0."""
    s = Bytes(data)
    s.at = at
    try:
        if s.byte() not in (LAYER, HEAD):
            return 0
        s.take(s.varint(2**26) + 4)
    except Damage:
        return 0
    return s.at if may_follow(data, s.at, b) else 0


def may_follow(data: bytes, at: int, b: dict) -> bool:
    """Whether the file ends here, or what may come behind a block, layer or head begins (10)."""
    s = Bytes(data)
    s.at = at
    if at == len(data):
        return True
    try:
        kind = s.byte()
        s.varint(2**20 if kind == INDEX else 2**26)
        if len(data) < at + 6 or kind == INDEX:
            return len(data) >= at + 6
        first = s.varint(2**40)
        if kind in (LAYER, HEAD):
            return first == b["first_frame"]
        s.varint(5000)
        return kind == BLOCK and first >= b["first_frame"] + len(b["pts"]) and not s.byte() & ~0xC3
    except Damage:
        return False


def chunk_at(data: bytes, at: int, layered: bool = False) -> tuple:
    """Type, payload and end of the chunk at a place (2.1)."""
    s = Bytes(data)
    s.at = at
    kind = s.byte()
    most = {HEADER: 2**21, INDEX: 2**20}.get(kind, 2**26)
    known = (HEADER, BLOCK, INDEX, LAYER, HEAD) if layered else (HEADER, BLOCK, INDEX)
    if kind not in known and not 0xE0 <= kind <= 0xEF:
        raise Damage("no chunk")
    payload = s.take(s.varint(most))
    end = s.at
    if int.from_bytes(s.take(4), "little") != zlib.crc32(data[at:end]):
        raise Damage("a checksum")
    return kind, payload, s.at


def index_of(data: bytes, begin: int, h: dict) -> list:
    """Section 8, from the end of the file; empty where there is none to be trusted."""
    size = int.from_bytes(data[-3:], "little")
    place = len(data) - 3 - size
    out, at, frame, reference = [], begin, 0, 0
    try:
        kind, payload, end = chunk_at(data, max(place, 0))
        s = Bytes(payload)
        if place < begin or kind != INDEX or end != len(data) - 3:
            return []
        while s.at < len(payload):
            stretch, frames, references = s.varint(place - at), s.varint(5000), s.varint(5000)
            if stretch < 6:
                return []
            entry = [at, frame, frames, reference, references, regular(h, frame) + s.svarint()]
            out.append(entry)
            at, frame, reference = at + stretch, frame + frames, reference + references
    except Damage:
        return []
    return out if at == place else []


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def read(data: bytes) -> dict:
    """All of a file, as JSON has it.

    Raises:
        Refused: it is of another kind or version.
        Damage: its header is.
    """
    if data[:4] != b"NFC\x1a":
        raise Refused("not an .nfc file")
    if data[4:5] not in (b"\1", b"\2", b"\3", b"\4", b"\5"):
        raise Refused("another version")
    kind, payload, at = chunk_at(data, 5)
    if kind != HEADER:
        raise Damage("no header")
    h = header_of(payload, data[4])
    begin, blocks, losses, order, whole, words = at, [], [], Order(), False, {}
    layered = bool(h.get("layered"))
    while at < len(data):
        try:
            kind, payload, end = chunk_at(data, at, layered)
        except Damage:
            losses.append(at)
            try:
                b, at, behind = partly_at(data, at, h, order)
            except Damage:
                at = resynchronized(data, at + 1, h, order)
                continue
            order.advance(b)
            if not behind:
                at = resynchronized(data, at, h, order, b["first_frame"])
            if layered:
                at, _ = parts_at(data, at, h, order, b, doubt=not behind)
            blocks.append(told(b, h))
            continue
        place, at = at, end
        if kind == INDEX:
            whole = len(data) >= at + 3
            break
        if kind != BLOCK:
            if kind in (HEADER, LAYER, HEAD):
                losses.append(place)
            if kind == DESCRIPTION and place == begin:
                try:
                    words = description_of(payload)
                except Damage:
                    losses.append(place)
            continue
        try:
            b = block_of(payload, h)
            order.check(b)
        except Damage:
            losses.append(place)
            continue
        order.advance(b)
        if layered:
            at, damage = parts_at(data, at, h, order, b)
            if b["lost"]:
                losses.append(place if damage is None else damage)
        blocks.append(told(b, h))
    for key in ("sar", "time_base", "fps"):
        h[key] = str(h[key])
    if h["audio"]:
        h["audio"]["time_base"] = str(h["audio"]["time_base"])
    index = index_of(data, begin, {**h, **{k: Fraction(h[k]) for k in ("time_base", "fps")}})
    out = {"header": h, "blocks": blocks, "index": index, "losses": losses, "whole": whole}
    return {**out, "description": words} if words else out


class Order:
    """Blocks come one after the other (4)."""

    def __init__(self) -> None:
        self.frame, self.reference, self.last = 0, 0, None

    def check(self, b: dict) -> None:
        early = b["first_frame"] < self.frame or b["first_reference"] < self.reference
        if early or (b["pts"] and self.last is not None and b["pts"][0] <= self.last):
            raise Damage("out of order")

    def advance(self, b: dict) -> None:
        self.frame = b["first_frame"] + len(b["pts"])
        self.reference = b["first_reference"] + len(b["references"])
        self.last = b["pts"][-1] if b["pts"] else self.last


def partly_at(data: bytes, at: int, h: dict, order: Order) -> tuple:
    """A partly damaged block at a place, where to go on, and whether that is behind its chunk (10)."""
    s = Bytes(data)
    s.at = at
    if h["version"] < 4 or s.byte() != BLOCK:
        raise Damage("no guarded block")
    size = s.varint(2**26)
    b, end = partly(data[s.at : s.at + size], h)
    order.check(b)
    head, stop = s.at + end, s.at + size + 4
    if h.get("layered"):
        return (b, stop, True) if stop <= len(data) and may_follow(data, stop, b) else (b, head, False)
    try:
        s.at = stop
        kind, _, first, _, flags = s.byte(), s.varint(2**26), s.varint(2**40), s.varint(5000), s.byte()
        later = kind == BLOCK and first >= b["first_frame"] + len(b["pts"]) and flags < 128
    except Damage:
        later = False
    return (b, stop, True) if later or stop == len(data) else (b, head, False)


def resynchronized(data: bytes, at: int, h: dict, order: Order, here: int = -1) -> int:
    """The next place where a block, not earlier than expected, or an index begins (10).

    In a layered file also a layer or a head, not earlier than expected or of the block that begins ``here``.
    """
    layered = bool(h.get("layered"))
    while at < len(data):
        if layered and data[at] in (LAYER, HEAD):
            try:
                first = first_of(chunk_at(data, at, True)[1])
                if first is not None and (first == here or first >= order.frame):
                    return at
            except Damage:
                pass
        if data[at] in (BLOCK, INDEX):
            try:
                kind, payload, _ = chunk_at(data, at)
                if kind == INDEX or Bytes(payload).varint() >= order.frame:
                    return at
            except Damage:
                pass
            try:
                partly_at(data, at, h, order)
                return at
            except Damage:
                pass
        at += 1
    return at


def told(b: dict, h: dict) -> dict:
    """A block as JSON has it."""
    if "heads" in b:
        return told_layered(b, h)
    try:
        if "landmarks" in b["lost"]:
            raise Damage("they are lost")
        symbols, uses = symbols_of(b, h)
    except Damage:
        symbols, uses = None, None
    return {
        **{k: b[k] for k in ("first_frame", "pts", "region", "first_reference", "needed", "current")},
        "references": [[o, codec, dependent, sha(data)] for o, codec, dependent, data in b["references"]],
        "symbols": symbols,
        "uses": uses,
        "audio": [[pts, duration, sha(data)] for pts, duration, data in b["audio"]],
        **({"lost": b["lost"]} if b["flags"] & 64 else {}),
    }


def told_layered(b: dict, h: dict) -> dict:
    """A block of a layered file as JSON has it."""
    heads = []
    for part in b["heads"]:
        try:
            symbols = symbols_of_head(part, b, h)
        except Damage:
            symbols = None
        kept = ("head", "start", "frames", "squares", "golomb")
        heads.append({**{k: part[k] for k in kept}, "symbols": symbols})
    layer = b["layer"]
    if layer:
        layer = {**layer, "pictures": [[offset, sha(data)] for offset, data in layer["pictures"]]}
        coded = layer.pop("switches")
        if coded is not None:
            try:
                layer["switches"] = switches_of(coded, [offset for offset, _ in layer["pictures"]], h)
            except Damage:
                layer["switches"] = None
    return {
        **{k: b[k] for k in ("first_frame", "pts")},
        "entry": bool(b["flags"] & 128),
        "layer": layer,
        "heads": heads,
        "audio": [[pts, duration, sha(data)] for pts, duration, data in b["audio"]],
        "lost": b["lost"],
    }


def main(names: list) -> int:
    worst = 0
    for name in names:
        with open(name, "rb") as file:  # noqa: PTH123
            data = file.read()
        try:
            found = read(data)
        except (Damage, Refused) as error:
            print(json.dumps({"error": str(error)}))
            worst = 4
            continue
        print(json.dumps(found))
        if found["losses"] or not found["whole"]:
            worst = worst or 7
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
