"""Clips of people and labelled faces, as they lie on a disk."""
