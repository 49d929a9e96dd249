"""Codecs as a comparison sees them: ours, and the others it is held against."""
