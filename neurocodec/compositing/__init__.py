"""Whole frames from a layer's pictures: interpolated between them, with rendered heads blended in."""
