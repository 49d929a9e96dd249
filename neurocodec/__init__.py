"""neurocodec: a neural video codec for talking heads."""
