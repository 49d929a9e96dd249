"""The basis that a file's keypoints are coded in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurocodec.errors import DamagedFileError
from neurocodec.format.header import Header
from neurocodec.models.motion_engine import MotionEngine


def basis_of(header: Header, engine: MotionEngine) -> NDArray[np.int16] | None:
    """The basis that keypoints of this file are coded in: the model's, or None.

    Raises:
        DamagedFileError: the file asks for one that the model lacks.
    """
    if header.transformed and engine.basis is None:
        raise DamagedFileError("the landmarks are in a basis that the model does not have")
    return engine.basis if header.transformed else None
