"""Published image sets: which rows are used, and how people are split."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from landmark_faces import face, image_set

from neurocodec.datasets import labelled_faces as faces
from neurocodec.errors import InputError


def test_broken_rows_are_reported_and_left_out(tmp_path: Path) -> None:
    good = face().ravel().tolist()
    cv2.imwrite(str(tmp_path / "A_B_01.jpg"), np.full((200, 220, 3), 90, np.uint8))
    (tmp_path / "A_B_02.jpg").write_bytes(b"no image")
    rows: list[tuple[str, list[object]]] = [
        ("A_B_01.jpg", good), ("A_B_02.jpg", good), ("gone_01.jpg", good), ("A_B_03.jpg", good[:-1]),
        ("A_B_04.jpg", [*good[:-1], "x"]), ("A_B_05.jpg", [*good[:-1], "nan"]), ("../A_B_01.jpg", good),
        ("A_B_01.jpg", good), ("A_B_01.png", [v + 900 for v in good]),
    ]  # fmt: skip
    cv2.imwrite(str(tmp_path / "A_B_01.png"), np.full((200, 220, 3), 90, np.uint8))
    images, points, people, skipped = faces.read_images(image_set(tmp_path, rows), tmp_path, 64)
    assert people == ["A_B"]
    assert len(skipped) == 8
    text = "\n".join(skipped)
    for reason in ("does not open", "135 coordinates", "not all", "not finite", "no image name", "before"):
        assert reason in text
    assert "lie outside" in text
    assert images.shape == (1, 64, 64, 3)
    side = 220  # the longer one; the picture is centred in the square
    np.testing.assert_allclose(points[0], (face() + np.array([0, 10])) / side, atol=1e-3)


def test_tables_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no landmark table"):
        faces.read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="134 coordinate columns"):
        faces.read_table(image_set(tmp_path, [], 134))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        faces.read_table(tmp_path / "b.csv")
    with pytest.raises(InputError, match="no usable row"):
        faces.read_images(image_set(tmp_path, []), tmp_path, 64)


def test_people_never_cross_the_split() -> None:
    rows = [faces.LabelledImage(f"Some_Name_{p}_{k:02}.jpg", face()) for p in range(200) for k in (1, 20)]
    people = {r.person for r in rows}
    assert len(people) == 200
    held = {p for p in people if faces.is_validation(p)}
    assert 15 <= len(held) <= 45
    assert len({faces.is_validation("x") for _ in range(3)}) == 1
