"""A context-adaptive binary range coder in integer arithmetic.

The arithmetic is that of a carry-propagating 32-bit range coder (G. N. N. Martin 1979, in the byte-wise
form of LZMA); probabilities are 16-bit integers that move towards what was seen by a step that shrinks
with the number of observations (the estimator of Krichevsky and Trofimov with a floor).  Normative text:
``docs/format.md``, section 5.3.
"""

from __future__ import annotations

from neurocodec.errors import DamagedFileError

ONE = 1 << 16
SLOWEST = 40
"""Observations after which the adaptation step stays the same."""
STEPS = tuple(2 * ONE // (2 * n + 3) for n in range(SLOWEST + 1))
_LEAST = 64
_TOP = 1 << 24
_MASK = (1 << 32) - 1


class Context:
    """Probability of a one bit, in 1/65536, and how often it has been observed."""

    __slots__ = ("p", "seen")

    def __init__(self, p: int = ONE // 2, seen: int = 0) -> None:
        self.p, self.seen = p, seen

    def update(self, bit: int) -> None:
        """Move towards ``bit``."""
        seen = self.seen
        if bit:
            self.p += ((ONE - _LEAST - self.p) * STEPS[seen]) >> 16
        else:
            self.p -= ((self.p - _LEAST) * STEPS[seen]) >> 16
        if seen < SLOWEST:
            self.seen = seen + 1


class RangeEncoder:
    """Writes bits, each with the probability of a context or with an even one."""

    def __init__(self) -> None:
        self._low, self._range = 0, _MASK
        self._cache, self._pending = 0, 0
        self._begun = False
        self._out = bytearray()

    def __len__(self) -> int:
        """About how many bits have been written."""
        written = len(self._out) + self._pending + self._begun
        return 8 * written + 32 - self._range.bit_length()

    def encode(self, context: Context, bit: int) -> None:
        """Append ``bit`` and adapt the context."""
        bound = (self._range >> 16) * context.p
        if bit:
            self._range = bound
        else:
            self._low += bound
            self._range -= bound
        context.update(bit)
        while self._range < _TOP:
            self._range = self._range << 8 & _MASK
            self._shift()

    def encode_even(self, value: int, bits: int) -> None:
        """Append ``bits`` bits of ``value``, most significant first, each as likely 0 as 1."""
        for k in range(bits - 1, -1, -1):
            self._range >>= 1
            if not value >> k & 1:
                self._low += self._range
            while self._range < _TOP:
                self._range = self._range << 8 & _MASK
                self._shift()

    def _shift(self) -> None:
        low = self._low
        if low < 0xFF000000 or low > _MASK:
            carry = low >> 32
            if self._begun:
                self._out.append(self._cache + carry & 0xFF)
            self._out += bytes([0xFF + carry & 0xFF]) * self._pending
            self._pending = 0
            self._cache, self._begun = low >> 24 & 0xFF, True
        else:
            self._pending += 1
        self._low = (low & 0x00FFFFFF) << 8

    def getvalue(self) -> bytes:
        """All bytes; zero bytes at the end are left out, since a decoder reads them past the end anyway."""
        copy = RangeEncoder()
        copy._low, copy._range, copy._cache = self._low, self._range, self._cache
        copy._pending, copy._begun, copy._out = self._pending, self._begun, bytearray(self._out)
        # of all numbers in [low, low + range) the one with the most zero bits at its end
        for bits in range(32, -1, -1):
            value = (copy._low + (1 << bits) - 1) >> bits << bits
            if value < copy._low + copy._range:
                copy._low = value
                break
        for _ in range(5):
            copy._shift()
        return bytes(copy._out).rstrip(b"\0")


class RangeDecoder:
    """Reads what :class:`RangeEncoder` wrote; past the end of ``data`` it reads zero bytes."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0
        self._range, self._code = _MASK, 0
        for _ in range(4):
            self._code = self._code << 8 | self._next()

    def _next(self) -> int:
        position = self._position
        self._position = position + 1
        return self._data[position] if position < len(self._data) else 0

    def decode(self, context: Context) -> int:
        """The next bit; adapts the context."""
        bound = (self._range >> 16) * context.p
        if self._code < bound:
            self._range = bound
            bit = 1
        else:
            self._code -= bound
            self._range -= bound
            bit = 0
        context.update(bit)
        while self._range < _TOP:
            self._range = self._range << 8 & _MASK
            self._code = (self._code << 8 | self._next()) & _MASK
        return bit

    def decode_even(self, bits: int) -> int:
        """The next ``bits`` even bits as a number."""
        value = 0
        for _ in range(bits):
            self._range >>= 1
            if self._code < self._range:
                value = value << 1 | 1
            else:
                self._code -= self._range
                value <<= 1
            while self._range < _TOP:
                self._range = self._range << 8 & _MASK
                self._code = (self._code << 8 | self._next()) & _MASK
        return value

    def finish(self, what: str) -> None:
        """Check that the data hold no more than has been read, and that no zero byte ends them.

        Raises:
            DamagedFileError: it is not so.
        """
        if len(self._data) > self._position or self._data.endswith(b"\0"):
            raise DamagedFileError(f"{what} do not end where they should")
