"""The layer of a whole frame: one AV1 stream of a few of its pictures, at full, half or quarter size."""
