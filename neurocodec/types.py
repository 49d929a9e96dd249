"""Types that all rooms share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""One picture (H,W,3), RGB."""
Pictures = NDArray[np.uint8]
"""Several pictures of one size (B,H,W,3), RGB."""
Progress = Callable[[int, int | None], None]
"""Called with how much is done, and with how much there is in all where that is known."""
Told = Callable[[int, int | None, str], None]
"""As :data:`Progress`, and what was done last."""
