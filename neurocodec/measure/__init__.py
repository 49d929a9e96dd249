"""Distances between videos: clips in memory, metrics of pictures, faces and time."""
