"""The references that a decoder has to remember."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from neurocodec.errors import DamagedFileError
from neurocodec.format.block import (
    MAX_BLOCK_REFERENCES,
    MAX_CHAIN,
    MAX_FRAMES,
    MAX_KEPT_BYTES,
    RECENT,
    ReferenceFrame,
    StillCodec,
)
from neurocodec.references.chain import ChainDecoder
from neurocodec.references.picture_count import is_one_picture
from neurocodec.references.still import decode_still
from neurocodec.types import Picture

_READY = 24
"""References kept ready to render with."""


Ready = TypeVar("Ready")


class ReferenceStore(Generic[Ready]):
    """The references a decoder has to remember: coded ones, decoded ones, and those ready to render with.

    ``size`` is the side of the pictures, ``prepare`` makes them ready.
    """

    def __init__(self, size: int, prepare: Callable[[Picture], Ready] | None = None) -> None:
        self._size, self._prepare = size, prepare
        self._coded: OrderedDict[int, ReferenceFrame] = OrderedDict()
        self._bytes = 0
        self._ready: OrderedDict[int, Ready] = OrderedDict()
        self._chain: ChainDecoder | None = None
        self._chain_at = -1
        self._pictures: dict[int, Picture] = {}

    def add(self, number: int, reference: ReferenceFrame) -> None:
        """Remember the coded reference with this number; what no block can need any more is dropped."""
        self._drop(number)
        self._coded[number] = reference
        self._bytes += len(reference.data)
        while len(self._coded) > MAX_FRAMES + MAX_CHAIN or self._bytes > MAX_KEPT_BYTES:
            self._drop(next(iter(self._coded)))

    def _drop(self, number: int) -> None:
        old = self._coded.pop(number, None)
        self._bytes -= len(old.data) if old else 0

    def has(self, numbers: tuple[int, ...]) -> bool:
        """Whether all of these, which a block needs, are at hand and can be decoded by themselves."""
        return all(n in self._coded for n in numbers) and not (numbers and self._coded[numbers[0]].dependent)

    def get(self, number: int) -> Ready:
        """A reference ready to render with.

        Raises:
            DamagedFileError: it cannot be decoded.
        """
        if number in self._ready:
            self._ready.move_to_end(number)
            return self._ready[number]
        assert self._prepare
        reference = self._prepare(self.picture(number))
        self._ready[number] = reference
        if len(self._ready) > _READY:
            self._ready.popitem(last=False)
        return reference

    def picture(self, number: int) -> Picture:
        """A decoded reference (S,S,3).

        Raises:
            DamagedFileError: it cannot be decoded.
        """
        if number not in self._pictures:
            self._decode(number)
        picture = self._pictures[number]
        for old in [n for n in self._pictures if n < self._oldest_in_use]:
            del self._pictures[old]
        return picture

    @property
    def _oldest_in_use(self) -> int:
        return max(self._coded) - MAX_BLOCK_REFERENCES - RECENT

    def _decode(self, number: int) -> None:
        coded = self._coded.get(number)
        if coded is None:
            raise DamagedFileError("a reference is missing")
        if coded.codec is not StillCodec.AV1:
            self._pictures[number] = decode_still(coded.data, coded.codec, self._size)
            return
        start = number
        while self._coded[start].dependent:
            start -= 1
            if start not in self._coded or self._coded[start].codec is not StillCodec.AV1:
                raise DamagedFileError("a reference is missing that another one depends on")
        if self._chain is None or not start <= self._chain_at < number:
            self._chain, self._chain_at = ChainDecoder(self._size), start - 1
        n = self._chain_at + 1
        # to the end of what is known of the chain, so that going to and fro between two costs nothing
        while n in self._coded and (n == start or self._coded[n].dependent):
            try:
                if not is_one_picture(self._coded[n].data, StillCodec.AV1):
                    raise DamagedFileError("a reference frame cannot be decoded")
                picture = self._chain.decode(self._coded[n].data)
            except DamagedFileError:
                self._chain = None
                if n <= number:
                    raise
                return
            if n == number or n >= self._oldest_in_use:
                self._pictures[n] = picture
            self._chain_at = n
            n += 1
