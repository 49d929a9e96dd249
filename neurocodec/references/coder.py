"""Coding of reference frames: an AV1 chain, or independent stills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurocodec.format.block import StillCodec
from neurocodec.references.chain import ChainDecoder, ChainEncoder
from neurocodec.references.still import av1_crf, decode_still, encode_still
from neurocodec.types import Picture

_PREVIEW_PRESET = 8
"""SVT-AV1 preset of trials: a key frame takes an eighth of the time, with a few per cent more bytes."""


@dataclass(frozen=True)
class CodedReference:
    """A coded reference, whether it depends on the one before, and the picture (S,S,3) it decodes to."""

    data: bytes
    dependent: bool
    picture: Picture


class ReferenceCoder:
    """Codes one reference after the other.

    Args:
        codec: of the references.
        quality: 0 to 100, see :func:`neurocodec.references.still.encode_still`.
        size: side of the pictures.
        chain: predict each from the ones before (AV1 only).
    """

    def __init__(self, codec: StillCodec, quality: float, size: int, chain: bool) -> None:
        self.codec, self._quality, self._size = codec, quality, size
        self._chained = chain and codec is StillCodec.AV1
        self._encoder: ChainEncoder | None = None
        self._decoder = ChainDecoder(size)

    @property
    def chained(self) -> bool:
        """Whether there is a chain that the next reference will go on with."""
        return self._encoder is not None

    def restart(self) -> None:
        """Make the next reference an independent one."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None

    def preview(self, pictures: Sequence[Picture], before: Picture | None) -> tuple[list[Picture], int]:
        """About what pictures (S,S,3) would decode to as the next references, and their bytes in all.

        For a chain, as those that follow in a short one that begins with ``before``, a decoded reference,
        coded with less care than the real ones; without ``before``, as an independent one and those that
        follow it.  Nothing is changed by it.
        """
        if not self.chained:
            stills = [encode_still(p, self.codec, self._quality) for p in pictures]
            decoded = [decode_still(data, self.codec, self._size) for data in stills]
            return decoded, sum(map(len, stills))
        encoder = ChainEncoder(self._size, av1_crf(self._quality), preset=_PREVIEW_PRESET)
        decoder = ChainDecoder(self._size)
        if before is not None:
            decoder.decode(encoder.encode(before))
        coded = [encoder.encode(picture) for picture in pictures]
        encoder.close()
        return [decoder.decode(data) for data in coded], sum(map(len, coded))

    def code(self, picture: Picture) -> CodedReference:
        """Code the next reference (S,S,3)."""
        if not self._chained:
            data = encode_still(picture, self.codec, self._quality)
            return CodedReference(data, False, decode_still(data, self.codec, self._size))
        dependent = self._encoder is not None
        if self._encoder is None:
            self._encoder = ChainEncoder(self._size, av1_crf(self._quality))
            self._decoder = ChainDecoder(self._size)
        data = self._encoder.encode(picture)
        return CodedReference(data, dependent, self._decoder.decode(data))
