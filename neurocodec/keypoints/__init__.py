"""Keypoints as packets: quantization, transform, smoothing, and the code of landmark packets."""
