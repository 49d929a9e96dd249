"""Bringing pictures to the model's square and back."""

from __future__ import annotations

import cv2
import numpy as np

from neurocodec.format.block import Region
from neurocodec.format.header import Rectangle
from neurocodec.types import Picture


def pad(content: Picture, place: Rectangle, side: int) -> Picture:
    """Put ``content`` at ``place`` of a square of ``side`` pixels; its edges are repeated outwards."""
    if place.width == side and place.height == side:
        return content
    right, bottom = side - place.x - place.width, side - place.y - place.height
    return cv2.copyMakeBorder(content, place.y, bottom, place.x, right, cv2.BORDER_REPLICATE)


def crop(square: Picture, place: Rectangle) -> Picture:
    """What :func:`pad` put there."""
    return square[place.y : place.y + place.height, place.x : place.x + place.width]


def cut(picture: Picture, region: Region, side: int) -> Picture:
    """A square region of a picture, scaled to ``side`` pixels; what lies outside repeats the edge."""
    height, width = picture.shape[:2]
    top, left = min(region.y, height - 1), min(region.x, width - 1)
    part = picture[top : region.y + region.side, left : region.x + region.side]
    missing_bottom, missing_right = region.side - part.shape[0], region.side - part.shape[1]
    if missing_bottom > 0 or missing_right > 0:
        part = cv2.copyMakeBorder(
            part, 0, max(missing_bottom, 0), 0, max(missing_right, 0), cv2.BORDER_REPLICATE
        )
    return resize(part, side, side)


def resize(picture: Picture, width: int, height: int) -> Picture:
    """Area averaging when shrinking, bicubic when growing."""
    if picture.shape[:2] == (height, width):
        return np.ascontiguousarray(picture)
    shrinks = width * height < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, (width, height), interpolation=method)
