"""Golomb codes: the original's fixed one (M = 3) and an adaptive run-length/Golomb-Rice coder.

Integers in, bits out; the coder's state is made of integers, so every machine reads the same values.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurocodec.entropy.bits import BitReader, BitWriter, unzigzag, zigzag
from neurocodec.errors import DamagedFileError

MAGNITUDE_BITS = 24
MAX_MAGNITUDE = (1 << MAGNITUDE_BITS) - 1
"""Largest absolute value either code carries in landmark packets."""

_ORIGINAL_PREFIX = (2 * MAX_MAGNITUDE + 1) // 3 + 1
"""One zero more than any code word begins with."""


def write_original(out: BitWriter, value: int) -> None:
    """The original codec's Golomb code with M = 3 of one signed value.

    v > 0 becomes n = 2v, v <= 0 becomes n = 1 - 2v; n div 3 zeros, a one, then n mod 3 in truncated
    binary (0: ``0``, 1: ``10``, 2: ``11``).  Golomb 1966; the mapping is the original's, whose n = 0
    is never used, so that a zero costs three bits.
    """
    if abs(value) > MAX_MAGNITUDE:
        raise ValueError(f"{value} is over the format's limit of {MAX_MAGNITUDE}")
    n = 2 * value if value > 0 else 1 - 2 * value
    quotient, remainder = divmod(n, 3)
    out.write(1, quotient + 1)
    out.write((0, 2, 3)[remainder], (1, 2, 2)[remainder])


def read_original(source: BitReader) -> int:
    """Inverse of :func:`write_original`.

    Raises:
        DamagedFileError: for n = 0, which the code never produces, and for over-long code words.
    """
    n = 3 * source.unary(_ORIGINAL_PREFIX)
    if source.read(1):
        n += 1 + source.read(1)
    if n == 0 or n > 2 * MAX_MAGNITUDE + 1:
        raise DamagedFileError("a landmark code word is impossible")
    return n // 2 if n % 2 == 0 else (1 - n) // 2


class AdaptiveGolomb:
    """Adaptive run-length/Golomb-Rice state (after Malvar, "Adaptive Run-Length/Golomb-Rice Encoding of
    Quantized Generalized Gaussian Sources with Unknown Statistics", DCC 2006).

    Two parameters in eighths adapt after every code word: ``run`` (k: runs of 2**k zeros cost one bit)
    and ``rice`` (length of the Golomb-Rice suffix).  One state serves a whole block.

    Args:
        magnitude_bits: absolute values are below 2**magnitude_bits.
    """

    SCALE = 3
    CEILING = 15 << SCALE
    ESCAPE = 24

    def __init__(self, magnitude_bits: int = MAGNITUDE_BITS) -> None:
        self.limit = (1 << magnitude_bits) - 1
        self.escape_bits = magnitude_bits + 1
        self.run = 2 << self.SCALE
        self.rice = 1 << self.SCALE

    def _adapt_run(self, change: int) -> None:
        self.run = min(max(self.run + change, 0), self.CEILING)

    def _adapt_rice(self, quotient: int) -> None:
        if quotient == 0:
            self.rice = max(self.rice - 2, 0)
        elif quotient > 1:
            self.rice = min(self.rice + quotient, self.CEILING)

    def _write_rice(self, out: BitWriter, value: int) -> None:
        k = self.rice >> self.SCALE
        quotient = value >> k
        if quotient < self.ESCAPE:
            out.write(1, quotient + 1)
            out.write(value & ((1 << k) - 1), k)
        else:
            out.write(0, self.ESCAPE)
            out.write(value, self.escape_bits)
            quotient = self.ESCAPE
        self._adapt_rice(quotient)

    def _read_rice(self, source: BitReader) -> int:
        k = self.rice >> self.SCALE
        quotient = source.unary(self.ESCAPE)
        if quotient < self.ESCAPE:
            value = quotient << k | source.read(k)
        else:
            value = source.read(self.escape_bits)
        self._adapt_rice(quotient)
        return value

    def write(self, out: BitWriter, values: Sequence[int]) -> None:
        """Append signed ``values``; runs of zeros end with the sequence, so its length is known to both.

        Raises:
            ValueError: a value is over the limit.
        """
        if any(abs(value) > self.limit for value in values):
            raise ValueError(f"a value is over the format's limit of {self.limit}")
        i, end = 0, len(values)
        while i < end:
            k = self.run >> self.SCALE
            if k == 0:
                value = int(values[i])
                self._write_rice(out, zigzag(value))
                self._adapt_run(3 if value == 0 else -3)
                i += 1
                continue
            zeros = 0
            limit = min(1 << k, end - i)
            while zeros < limit and values[i + zeros] == 0:
                zeros += 1
            if zeros == limit:
                out.write(0, 1)
                self._adapt_run(4)
            else:
                value = int(values[i + zeros])
                out.write(1, 1)
                out.write(zeros, (limit - 1).bit_length())
                out.write(value < 0, 1)
                self._write_rice(out, abs(value) - 1)
                self._adapt_run(-6)
                zeros += 1
            i += zeros

    def read(self, source: BitReader, count: int) -> list[int]:
        """The next ``count`` values.

        Raises:
            DamagedFileError: when the bits run out or hold an impossible value.
        """
        values: list[int] = []
        while len(values) < count:
            k = self.run >> self.SCALE
            if k == 0:
                value = unzigzag(self._read_rice(source))
                self._adapt_run(3 if value == 0 else -3)
            else:
                limit = min(1 << k, count - len(values))
                if not source.read(1):
                    values.extend([0] * limit)
                    self._adapt_run(4)
                    continue
                zeros = source.read((limit - 1).bit_length())
                if zeros >= limit:
                    raise DamagedFileError("a run of zeros reaches past its packet")
                values.extend([0] * zeros)
                negative = source.read(1)
                value = self._read_rice(source) + 1
                value = -value if negative else value
                self._adapt_run(-6)
            if abs(value) > self.limit:
                raise DamagedFileError("a coded value is over the format's limit")
            values.append(value)
        return values
