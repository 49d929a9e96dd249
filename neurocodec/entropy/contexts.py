"""The context-adaptive code of landmark packets: a frame's changes as decisions of the range coder.

The changes of a packet (coefficients or coordinates, in their fixed order) are written as H.263 and JPEG
write transform coefficients, with the contexts of CABAC (Marpe, Schwarz, Wiegand, IEEE TCSVT 2003): is
there any change at all; for each coefficient, whether it changes; after each that does, whether it was the
last; magnitudes in unary, then exp-Golomb; signs.  Contexts look at the coefficient's place, at its change in
the frame before, and at how much of this frame has changed so far.  Normative text: ``docs/format.md``,
section 5.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurocodec.entropy.initial_states import INITIAL
from neurocodec.entropy.range_coder import Context, RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError

UNARY = 14
"""Magnitudes up to this are unary; what exceeds it follows in exp-Golomb code of order 0."""
_EXPONENT_LIMIT = 24

SKIP, CHANGES, LAST, MORE, SIGN, PREFIX = 0, 3, 75, 87, 135, 144
CONTEXTS = 144 + _EXPONENT_LIMIT
"""Numbers of each kind's first context, and of all contexts."""


def place_class(i: int) -> int:
    """Class 0 to 11 of a coefficient's index: 0 to 7 alone, 8-11, 12-19, 20-35, all further ones."""
    return i if i < 8 else 8 if i < 12 else 9 if i < 20 else 10 if i < 36 else 11


def _changes(i: int, before: int, lately: int) -> int:
    """Context of "coefficient i changes": its last change, and those of the two coefficients before it."""
    return CHANGES + 6 * place_class(i) + 2 * min(abs(before), 2) + (1 if lately else 0)


def _more(i: int, before: int, magnitude: int) -> int:
    """Context of "the magnitude is larger than ``magnitude``"."""
    group = (0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3)[place_class(i)]
    return MORE + 12 * group + 4 * min(abs(before), 2) + min(magnitude - 1, 3)


def _sign(i: int, before: int) -> int:
    place = place_class(i)
    return (
        SIGN + 3 * (0 if place < 2 else 1 if place < 8 else 2) + (0 if not before else 1 if before > 0 else 2)
    )


class RangeCode:
    """Writes or reads the changes of one frame after the other; each side keeps its own state.

    Args:
        count: coefficients in a frame.
        limit: largest magnitude of a change.
    """

    def __init__(self, count: int, limit: int) -> None:
        self._contexts = [Context(p, seen) for p, seen in INITIAL]
        self._before = [0] * count
        self._quiet = 0
        self._limit = limit

    def write(self, out: RangeEncoder, changes: Sequence[int]) -> None:
        """Append the changes of one frame.

        Raises:
            ValueError: a change is over the limit.
        """
        contexts, before = self._contexts, self._before
        if any(abs(v) > self._limit for v in changes):
            raise ValueError(f"a value is over the format's limit of {self._limit}")
        last = max((i for i, v in enumerate(changes) if v), default=-1)
        out.encode(contexts[SKIP + self._quiet], last < 0)
        self._quiet = min(self._quiet + 1, 2) if last < 0 else 0
        lately = 0
        for i in range(last + 1):
            value, old = changes[i], before[i]
            if i + 1 < len(changes):
                out.encode(contexts[_changes(i, old, lately)], value != 0)
            lately = lately << 1 & 3 | (value != 0)
            if not value:
                continue
            magnitude = abs(value)
            self._write_magnitude(out, i, old, magnitude)
            out.encode(contexts[_sign(i, old)], value < 0)
            if i + 1 < len(changes):
                out.encode(contexts[LAST + place_class(i)], i == last)
        self._before = list(changes)

    def _write_magnitude(self, out: RangeEncoder, i: int, old: int, magnitude: int) -> None:
        contexts = self._contexts
        for m in range(1, min(magnitude, UNARY - 1) + 1):
            out.encode(contexts[_more(i, old, m)], magnitude > m)
        if magnitude >= UNARY:
            rest = magnitude - UNARY + 1
            bits = rest.bit_length() - 1
            for k in range(bits):
                out.encode(contexts[PREFIX + k], 1)
            if bits < _EXPONENT_LIMIT:
                out.encode(contexts[PREFIX + bits], 0)
            out.encode_even(rest & (1 << bits) - 1, bits)

    def read(self, source: RangeDecoder) -> list[int]:
        """The changes of the next frame.

        Raises:
            DamagedFileError: an impossible value.
        """
        contexts, before = self._contexts, self._before
        count = len(before)
        values = [0] * count
        decode = source.decode
        if decode(contexts[SKIP + self._quiet]):
            self._quiet = min(self._quiet + 1, 2)
            self._before = values
            return values
        self._quiet = 0
        lately = i = 0
        while i < count:
            old = before[i]
            if i + 1 < count and not decode(contexts[_changes(i, old, lately)]):
                lately = lately << 1 & 3
                i += 1
                continue
            lately = lately << 1 & 3 | 1
            magnitude = self._read_magnitude(source, i, old)
            values[i] = -magnitude if decode(contexts[_sign(i, old)]) else magnitude
            if i + 1 < count and decode(contexts[LAST + place_class(i)]):
                break
            i += 1
        self._before = values
        return values

    def _read_magnitude(self, source: RangeDecoder, i: int, old: int) -> int:
        contexts, m = self._contexts, 1
        while m < UNARY and source.decode(contexts[_more(i, old, m)]):
            m += 1
        if m == UNARY:
            bits = 0
            while bits < _EXPONENT_LIMIT and source.decode(contexts[PREFIX + bits]):
                bits += 1
            m += (1 << bits | source.decode_even(bits)) - 1
        if m > self._limit:
            raise DamagedFileError("a coded value is over the format's limit")
        return m
