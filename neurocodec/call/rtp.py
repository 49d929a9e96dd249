"""RTP packets (RFC 3550): twelve bytes of header in front of every payload."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from neurocodec.errors import DamagedFileError

HEADER = struct.Struct("!BBHII")
CLOCK = 90_000
"""Units of a timestamp per second."""
LANDMARKS, REFERENCE, REPORT = 96, 97, 98
"""Dynamic payload types."""
UDP_IP = 28
"""Bytes that UDP and IPv4 put in front of every packet."""
LARGEST_PAYLOAD = 1150


@dataclass(frozen=True)
class RtpPacket:
    """Payload type, sequence number (16 bits), timestamp (32 bits, units of 1/90000 s), source, payload."""

    kind: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes

    def pack(self) -> bytes:
        """As it goes over the network."""
        numbers = self.kind & 0x7F, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.source
        return HEADER.pack(0x80, *numbers) + self.payload

    @staticmethod
    def unpack(data: bytes) -> RtpPacket:
        """Inverse of :meth:`pack`.

        Raises:
            DamagedFileError: it is no RTP packet of the plain form.
        """
        if len(data) < HEADER.size:
            raise DamagedFileError("a packet is shorter than its header")
        first, kind, sequence, timestamp, source = HEADER.unpack_from(data)
        if first != 0x80 or kind & 0x80:
            raise DamagedFileError("a packet is no RTP packet of the plain form")
        return RtpPacket(kind, sequence, timestamp, source, data[HEADER.size :])


class PacketCounter:
    """Turns 16-bit sequence numbers into ones that do not wrap around, and knows how many there must be."""

    def __init__(self) -> None:
        self._lowest = self._highest = -1

    def extended(self, sequence: int) -> int:
        """The number of a packet, counted on from the first one's."""
        if self._highest < 0:
            self._lowest = self._highest = sequence
        number = self._highest + (sequence - self._highest + 0x8000) % 0x10000 - 0x8000
        self._lowest, self._highest = min(self._lowest, number), max(self._highest, number)
        return number

    @property
    def expected(self) -> int:
        """Packets from the lowest to the highest number seen."""
        return self._highest - self._lowest + 1 if self._highest >= 0 else 0
