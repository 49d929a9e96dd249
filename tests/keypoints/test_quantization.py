"""Quantization of keypoints."""

import numpy as np

from neurocodec.keypoints.quantization import dequantize, quantize


def test_quantization_is_round_half_even() -> None:
    reference = np.zeros((2, 2))
    u = quantize(np.array([[0.005, 0.015], [0.025, -0.005]]), reference, 100)
    assert u.tolist() == [0, 2, 2, 0]
    back = dequantize(u, reference, 100)
    assert back.shape == (2, 2)
    assert np.allclose(back, [[0, 0.02], [0.02, 0]])
