"""Places of a layer that are not interpolated: they switch from one picture to the next.

A caption that changes, or a cut that falls between two pictures, is no motion.  Between two pictures of the
layer, the whole picture or some places of a grid may stay as they are in the first one up to a certain frame
and be as in the second one from there on.  Normative text: ``docs/format.md``, section 4.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurocodec.entropy.range_coder import Context, RangeDecoder, RangeEncoder
from neurocodec.errors import DamagedFileError
from neurocodec.format.header import Header
from neurocodec.format.layer import LayerPart

ALONG = 24
"""Places along the longer side of a picture."""
MOST_PLACES, PLACES_A_BYTE = 1 << 20, 1024
"""Places of a block's part of a layer that may be decided, in all and for each byte and four more."""
INITIAL = (
    (36000, 2), (48000, 4), (3000, 6),
    (600, 14), (2500, 10), (20000, 10), (30000, 6), (29000, 8), (38000, 5), (53000, 8), (60000, 6),
)  # fmt: skip
"""Probability of a one (in 1/65536) of each context, and how often it counts as seen."""
_WHOLE, _PLACE = 2, 3


@dataclass(frozen=True)
class Switch:
    """What is not interpolated in a stretch of frames between two pictures.

    ``kept`` of its frames, the first ones, show the picture before; the rest the one after.  ``places`` says
    where, (rows,columns) bool; None: everywhere.
    """

    kept: int
    places: NDArray[np.bool_] | None = None


def grid_of(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the places of a picture: 24 along its longer side, the others about as large."""
    longer = max(width, height)
    return (
        max(1, (2 * ALONG * height + longer) // (2 * longer)),
        max(1, (2 * ALONG * width + longer) // (2 * longer)),
    )


def stretches(offsets: Sequence[int]) -> list[range]:
    """For each picture of a block the frames in front of it that show none, from the picture before on."""
    return [range(a + 1, b) for a, b in zip([-1, *offsets], offsets, strict=False)]


class _SwitchCode:
    """The state that writing and reading share: contexts, and the places of the last switch that had some."""

    def __init__(self, grid: tuple[int, int]) -> None:
        self.contexts = [Context(p, seen) for p, seen in INITIAL]
        self.before = np.zeros(grid, np.bool_)
        self.switched = False

    def place(self, places: NDArray[np.bool_], row: int, column: int) -> Context:
        """Of a place: how many of those to the left, above, and above to the right are switched."""
        near = 0
        if column:
            near += int(places[row, column - 1])
        if row:
            near += int(places[row - 1, column])
            if column + 1 < places.shape[1]:
                near += int(places[row - 1, column + 1])
        return self.contexts[_PLACE + 2 * near + int(self.before[row, column])]


def write_switches(
    switches: Sequence[Switch | None], frames: Sequence[int], grid: tuple[int, int]
) -> bytes | None:
    """The switches of stretches of so many ``frames``; None if there are none, or far too many.

    Raises:
        ValueError: a stretch without frames has one, or keeps more frames than it has.
    """
    if not any(switches):
        return None
    code, out = _SwitchCode(grid), RangeEncoder()
    for switch, count in zip(switches, frames, strict=True):
        if switch and not (count and 0 <= switch.kept <= count):
            raise ValueError("a switch is not in its stretch")
        if not count:
            continue
        out.encode(code.contexts[code.switched], switch is not None)
        code.switched = switch is not None
        if switch is None:
            continue
        out.encode(code.contexts[_WHOLE], switch.places is None)
        out.encode_even(switch.kept, count.bit_length())
        if switch.places is not None:
            for (row, column), bit in np.ndenumerate(switch.places):
                out.encode(code.place(switch.places, row, column), int(bit))
            code.before = switch.places
    data = out.getvalue()
    decided = sum(s.places.size for s in switches if s and s.places is not None)
    return data if decided <= _most_places(data) else None


def _most_places(data: bytes) -> int:
    return min(MOST_PLACES, PLACES_A_BYTE * (len(data) + 4))


def read_switches(data: bytes | None, frames: Sequence[int], grid: tuple[int, int]) -> list[Switch | None]:
    """Inverse of :func:`write_switches`.

    Raises:
        DamagedFileError: they are none, or too many.
    """
    if data is None:
        return [None] * len(frames)
    code, source = _SwitchCode(grid), RangeDecoder(data)
    found: list[Switch | None] = []
    room = _most_places(data)
    for count in frames:
        if not count:
            found.append(None)
            continue
        code.switched = bool(source.decode(code.contexts[code.switched]))
        if not code.switched:
            found.append(None)
            continue
        whole = bool(source.decode(code.contexts[_WHOLE]))
        kept = source.decode_even(count.bit_length())
        if kept > count:
            raise DamagedFileError("a layer switches outside a stretch")
        if whole:
            found.append(Switch(kept))
            continue
        room -= grid[0] * grid[1]
        if room < 0:
            raise DamagedFileError("a layer switches in too many places")
        places = np.zeros(grid, np.bool_)
        for row, column in np.ndindex(grid):
            places[row, column] = source.decode(code.place(places, row, column))
        code.before = places
        found.append(Switch(kept, places))
    source.finish("the switches of a layer")
    return found


def block_switches(layer: LayerPart, header: Header) -> list[Switch | None]:
    """What a block's part of a layer switches in front of each of its pictures.

    Raises:
        DamagedFileError: it cannot be read.
    """
    frames = [len(s) for s in stretches([picture.offset for picture in layer.pictures])]
    return read_switches(layer.switches, frames, grid_of(header.width, header.height))
