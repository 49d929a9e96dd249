"""Integers to bits and back: varints, Golomb codes, the adaptive range coder and its contexts."""
