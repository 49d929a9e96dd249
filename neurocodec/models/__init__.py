"""Model files, and what runs them: numpy pictures in, keypoints, renderings and distances out."""
