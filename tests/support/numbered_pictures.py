"""An engine and verdicts made of numbers: pictures of one level, keypoints that are that level."""

import numpy as np

from neurocodec.models.motion_engine import Reference


def picture(value: float) -> np.ndarray:
    return np.full((8, 8, 3), round(value), np.uint8)


class FakeEngine:
    """A frame is its value; a rendering shows the nearest of the values of its references."""

    def prepare(self, shown: np.ndarray, keypoints: np.ndarray) -> Reference:
        return self.reference(shown)

    def reference(self, shown: np.ndarray) -> Reference:
        return Reference(shown, np.zeros((1, 2), np.float32), float(shown[0, 0, 0]))

    def render(self, references: list[Reference], keypoints: np.ndarray) -> np.ndarray:
        assert 1 <= len(references) <= 2
        values = [min((r.features for r in references), key=lambda f: abs(f - v)) for v in keypoints[:, 0, 0]]
        return np.stack([picture(v) for v in values])


def verdicts(renderings: np.ndarray, originals: list[np.ndarray]) -> np.ndarray:
    difference = np.abs(renderings.astype(float) - np.stack(originals)).mean((1, 2, 3))
    return 1 - np.minimum(difference / 100, 1)
