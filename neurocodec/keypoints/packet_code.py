"""Landmark packets: prediction from decoded integers, and the code that writes them.

What is coded is ``u = round_half_even(Q * (kp - kp_ref))`` for every keypoint coordinate, x before y, or for
every coefficient of such differences in the model's basis (:mod:`neurocodec.keypoints.transform`).
Prediction and contexts use earlier ``u`` only; ``kp_ref`` and the basis enter after parsing, as floats.
"""

from __future__ import annotations

import numpy as np

from neurocodec.entropy.bits import BitReader, BitWriter
from neurocodec.entropy.contexts import RangeCode
from neurocodec.entropy.golomb import MAX_MAGNITUDE, AdaptiveGolomb, read_original, write_original
from neurocodec.entropy.range_coder import RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.header import LandmarkCode
from neurocodec.keypoints.quantization import Symbols


class PacketEncoder:
    """Writes the packets of one block; starts afresh with each block."""

    def __init__(self, code: LandmarkCode, coordinates: int) -> None:
        self.code = code
        self._out = BitWriter()
        self._coder = AdaptiveGolomb()
        self._range, self._contexts = RangeEncoder(), RangeCode(coordinates, MAX_MAGNITUDE)
        self._previous = np.zeros(coordinates, np.int32)

    @property
    def bits(self) -> int:
        """Bits written since the block began (about, for the range coder)."""
        return len(self._range) if self.code is LandmarkCode.RANGE else len(self._out)

    def refresh(self) -> None:
        """A new reference: the next packet is predicted from u = 0."""
        self._previous = np.zeros_like(self._previous)

    def write(self, symbols: Symbols) -> None:
        """Append the packet of one frame, symbols (2N,)."""
        if symbols.shape != self._previous.shape or np.abs(symbols).max(initial=0) > MAX_MAGNITUDE // 2:
            raise ValueError("symbols of the wrong number or out of range")
        if self.code is LandmarkCode.ORIGINAL:
            for value in symbols.tolist():
                write_original(self._out, value)
            return
        changes = (symbols - self._previous).tolist()
        if self.code is LandmarkCode.RANGE:
            self._contexts.write(self._range, changes)
        else:
            self._coder.write(self._out, changes)
        self._previous = symbols.copy()

    def getvalue(self) -> bytes:
        """The block's packets as bytes."""
        return self._range.getvalue() if self.code is LandmarkCode.RANGE else self._out.getvalue()


class PacketDecoder:
    """Reads what :class:`PacketEncoder` wrote."""

    def __init__(self, code: LandmarkCode, coordinates: int, data: bytes) -> None:
        self.code = code
        self._source = BitReader(data)
        self._coder = AdaptiveGolomb()
        self._range, self._contexts = RangeDecoder(data), RangeCode(coordinates, MAX_MAGNITUDE)
        self._previous = np.zeros(coordinates, np.int32)

    def refresh(self) -> None:
        """A new reference: the next packet is predicted from u = 0."""
        self._previous = np.zeros_like(self._previous)

    def read(self) -> Symbols:
        """The next frame's symbols (2N,).

        Raises:
            DamagedFileError: when the bits run out or a value is impossible.
        """
        count = len(self._previous)
        if self.code is LandmarkCode.ORIGINAL:
            values = np.array([read_original(self._source) for _ in range(count)], np.int32)
        elif self.code is LandmarkCode.RANGE:
            values = self._previous + np.array(self._contexts.read(self._range), np.int32)
        else:
            values = self._previous + np.array(self._coder.read(self._source, count), np.int32)
        if np.abs(values).max(initial=0) > MAX_MAGNITUDE // 2:
            raise DamagedFileError("a landmark lies outside what the format allows")
        self._previous = values
        return values

    def finish(self) -> None:
        """Check that nothing is left but zero padding of less than a byte.

        Raises:
            DamagedFileError: when it is not so.
        """
        source = self._range if self.code is LandmarkCode.RANGE else self._source
        source.finish("landmark packets")
