"""Feedback networks, ready to judge."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from neurocodec.models.feedback import CountedFeedback
from neurocodec.models.model_files import find


def test_verdicts_are_counted() -> None:
    class Told:
        description = find("perceptual", "feedback")

        def __call__(self, renderings: Any, originals: Any) -> Any:
            time.sleep(0.01)
            return np.full(len(renderings), 0.5)

    counted = CountedFeedback(Told())
    picture = np.zeros((16, 16, 3), np.uint8)
    for count in (1, 4, 2):
        assert counted(np.stack([picture] * count), [picture] * count).tolist() == [0.5] * count
    assert counted.verdicts == 7
    assert counted.seconds >= 0.03
    assert counted.description.name == "perceptual"
