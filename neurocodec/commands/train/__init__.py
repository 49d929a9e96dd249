"""``neurocodec train``: its commands."""
