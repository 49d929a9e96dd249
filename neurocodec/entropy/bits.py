"""Bit strings, most significant bit first, and the byte-aligned variable-length integers of the container."""

from __future__ import annotations

from neurocodec.errors import DamagedFileError

VARINT_BYTES = 9


class BitWriter:
    """Appends bits to a byte string; the last byte is filled with zeros."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._value = 0
        self._count = 0

    def __len__(self) -> int:
        """Number of bits written."""
        return 8 * len(self._done) + self._count

    def write(self, value: int, bits: int) -> None:
        """Append the ``bits`` low bits of ``value`` (0 <= value < 2**bits), most significant first."""
        if bits < 0 or value < 0 or value >> bits:
            raise ValueError(f"{value} does not fit in {bits} bits")
        self._value = (self._value << bits) | value
        self._count += bits
        while self._count >= 8:
            self._count -= 8
            self._done.append(self._value >> self._count)
            self._value &= (1 << self._count) - 1

    def getvalue(self) -> bytes:
        """All bits so far, padded with zeros to whole bytes."""
        if not self._count:
            return bytes(self._done)
        return bytes(self._done) + bytes([self._value << (8 - self._count)])


class BitReader:
    """Reads what :class:`BitWriter` wrote; running past the end raises :class:`DamagedFileError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = 8 * len(data)

    @property
    def position(self) -> int:
        """Number of bits consumed."""
        return self._position

    @property
    def remaining(self) -> int:
        """Number of bits left, padding included."""
        return self._end - self._position

    def read(self, bits: int) -> int:
        """The next ``bits`` bits as an unsigned integer."""
        start, stop = self._position, self._position + bits
        if stop > self._end:
            raise DamagedFileError("a bit string ends too early")
        last = (stop + 7) // 8
        self._position = stop
        window = int.from_bytes(self._data[start // 8 : last], "big")
        return (window >> (8 * last - stop)) & ((1 << bits) - 1)

    def finish(self, what: str) -> None:
        """Check that only zero padding of less than a byte is left.

        Raises:
            DamagedFileError: when it is not so; ``what`` names the bit string.
        """
        if self.remaining > 7 or self.read(self.remaining):
            raise DamagedFileError(f"{what} are followed by bits that belong to nothing")

    def unary(self, limit: int) -> int:
        """Count zero bits up to the next one, which is consumed too; after ``limit`` zeros none is needed."""
        count, most = 0, 32
        while count < limit:
            width = min(most, limit - count, self._end - self._position)
            most = min(2 * most, 1 << 16)
            window = self.read(width or 1)
            if window:
                zeros = width - window.bit_length()
                self._position -= width - zeros - 1
                return count + zeros
            count += width
        return count


def zigzag(value: int) -> int:
    """Signed to unsigned: 0, -1, 1, -2, 2 -> 0, 1, 2, 3, 4."""
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzag(code: int) -> int:
    """Inverse of :func:`zigzag`."""
    return code >> 1 if not code & 1 else -((code + 1) >> 1)


def varint(value: int) -> bytes:
    """Unsigned LEB128: seven bits a byte, least significant first, high bit set on all but the last."""
    if value < 0 or value >> (7 * VARINT_BYTES):
        raise ValueError(f"{value} cannot be a varint")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def svarint(value: int) -> bytes:
    """Signed LEB128 by way of :func:`zigzag`."""
    return varint(zigzag(value))


class ByteReader:
    """Cursor over the payload of one chunk; every read is bounded by the payload's end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def remaining(self) -> int:
        """Bytes left."""
        return len(self._data) - self.position

    def since(self, start: int) -> bytes:
        """The bytes from the place ``start`` to here."""
        return self._data[start : self.position]

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > self.remaining:
            raise DamagedFileError("a field reaches past the end of its chunk")
        out = self._data[self.position : self.position + count]
        self.position += count
        return out

    def byte(self) -> int:
        """The next byte."""
        if self.position >= len(self._data):
            raise DamagedFileError("a field reaches past the end of its chunk")
        self.position += 1
        return self._data[self.position - 1]

    def varint(self, limit: int = (1 << 63) - 1) -> int:
        """The next unsigned integer; larger than ``limit`` is an error."""
        value = 0
        for shift in range(0, 7 * VARINT_BYTES, 7):
            b = self.byte()
            value |= (b & 0x7F) << shift
            if value > limit:
                raise DamagedFileError(f"a value is over the limit of {limit}")
            if b < 0x80:
                return value
        raise DamagedFileError("a variable-length integer is too long")

    def svarint(self, limit: int = (1 << 62) - 1) -> int:
        """The next signed integer; a magnitude over ``limit`` is an error."""
        value = unzigzag(self.varint())
        if abs(value) > limit:
            raise DamagedFileError(f"a value of {value} is over the limit of {limit}")
        return value
