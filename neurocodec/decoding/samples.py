"""Some of the pictures of a file that was just written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from neurocodec.decoding.block_decoder import BlockDecoder
from neurocodec.decoding.layered_decoder import LayeredDecoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.damage import Loss
from neurocodec.format.reader import NfcReader
from neurocodec.options import DecodeOptions
from neurocodec.types import Picture


def every_nth(reader: NfcReader, options: DecodeOptions, step: int) -> Iterator[tuple[int, Picture]]:
    """Number and picture of every ``step``-th frame of a file, from the middle of the first ``step`` on.

    Pictures are the model's (S,S,3), in a layered file whole frames; the others are not rendered.

    Raises:
        UnsupportedError: the model is not installed.
        DamagedFileError: the file is damaged.
    """
    kind = LayeredDecoder if reader.header.layered else BlockDecoder
    decoder = kind(reader.header, options)
    begins = 0
    for item in reader:
        if isinstance(item, Loss):
            raise DamagedFileError(f"{reader.name} is damaged at byte {item.offset}: {item.reason}")
        count = len(item[0].pts)
        wanted = [k for k in range(count) if (begins + k) % step == step // 2]
        numbers = (begins + k for k in wanted)
        yield from zip(numbers, (picture for _, picture in decoder.pictures(item[0], wanted)), strict=True)
        begins += count


def beside(
    originals: Iterable[Picture], sampled: Iterable[tuple[int, Picture]]
) -> Iterator[tuple[Picture, Picture]]:
    """Originals, of all frames, with those pictures that there are of them."""
    coming, seen = iter(originals), 0
    for number, picture in sampled:
        yield next(islice(coming, number - seen, None)), picture
        seen = number + 1
