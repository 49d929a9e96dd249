"""Measuring videos: clips in memory, metrics of pictures, faces and time, the landmarks of a whole video."""
