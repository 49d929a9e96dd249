"""Faces in pictures: detection, tracking, 68 facial landmarks, the square around a face."""
