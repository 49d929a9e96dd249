"""A distance that remembers measures the same."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from neurocodec.errors import UnsupportedError
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find, load, save
from neurocodec.networks.classic_feedback import ClassicFeedback


def test_distances_do_not_depend_on_company() -> None:
    """One or many in a call, originals new or known, the network as it is trained: the same."""
    description = find("perceptual", "feedback")
    rng = np.random.default_rng(3)
    base = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    pictures = np.stack([cv2.GaussianBlur(base, (0, 0), 0.5 + k) for k in range(10)])
    others = [base, *(p.copy() for p in pictures[:9])]
    meter = DistanceEngine(description, "cpu")
    alone = np.concatenate([meter(p[None], [o.copy()]) for p, o in zip(pictures, others, strict=True)])
    meter(pictures[:2], others[2:4])
    np.testing.assert_allclose(meter(pictures, others), alone, atol=1e-4)
    np.testing.assert_allclose(meter(pictures, [base] * 10)[:1], alone[:1], atol=1e-4)
    network = load(description)
    a, b = (torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2) / 255 for x in (pictures, others))
    with torch.inference_mode():
        np.testing.assert_allclose(alone, network(a, b).numpy(), rtol=0.02, atol=1e-3)
    assert (meter(pictures, [p.copy() for p in pictures]) < 1e-4).all()
    assert alone.max() > 0.02


@pytest.mark.slow
def test_what_is_remembered_is_bounded() -> None:
    """However originals come: many new ones in a call, or one by one among known ones."""
    rng = np.random.default_rng(4)
    base = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    others = [cv2.GaussianBlur(base, (0, 0), 0.5 + k / 20) for k in range(100)]
    meter = DistanceEngine(find("perceptual", "feedback"), "cpu")
    wanted = meter(np.stack([base] * 100), others)
    assert len(meter._rows) == 64
    held = meter._remembered.nbytes
    known = others[70]
    for k in rng.permutation(100):
        got = meter(np.stack([base] * 2), [known, others[k]])
        np.testing.assert_allclose(got, wanted[[70, k]], rtol=0.01, atol=1e-4)
    assert len(meter._rows) == 64 and meter._remembered.nbytes == held
    assert len({row for _, row in meter._rows.values()}) == 64


def test_pictures_of_another_size_are_measured_too() -> None:
    rng = np.random.default_rng(5)
    base = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3), np.uint8), (0, 0), 3)
    soft = cv2.GaussianBlur(base, (0, 0), 2)
    meter = DistanceEngine(find("perceptual", "feedback"), "cpu")
    first = meter(soft[None], [base])
    for height, width in ((128, 192), (72, 100)):
        small = base[:height, :width]
        assert meter(small[None], [small]) < 1e-4 < meter(soft[None, :height, :width], [small])
    np.testing.assert_allclose(meter(soft[None], [base]), first, atol=1e-5)


def test_a_network_that_measures_no_distance_is_refused(tmp_path: Path) -> None:
    tensors = {k: v for k, v in ClassicFeedback().state_dict().items() if not k.endswith("tracked")}
    model = save(
        tmp_path / "classic.safetensors", tensors, name="classic", architecture="classic-feedback",
        size=256, keypoints=0, config={}, half=False,
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="measures no distance"):
        DistanceEngine(model, "cpu")
