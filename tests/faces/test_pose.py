"""What is made of a face's landmarks: poses, a choice of frame, drawings, tables, errors."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from landmark_faces import face

from neurocodec.faces.face import Face, error_of
from neurocodec.faces.first_reference import best_frame, frontal_cost
from neurocodec.faces.pose import Pose
from neurocodec.faces.views import drawn, table
from neurocodec.models.landmark_engine import LandmarkEngine, open_landmark_engine


@pytest.fixture(scope="module")
def engine() -> LandmarkEngine:
    return open_landmark_engine(device="cpu")


def test_pose_and_choice(engine: LandmarkEngine) -> None:
    ahead = face()
    assert abs(Pose.of(ahead).turn) < 0.02
    turned = ahead.copy()
    turned[27:36, 0] += 25
    blinking = ahead.copy()
    blinking[[37, 38, 43, 44]] = blinking[[41, 40, 47, 46]]
    assert frontal_cost(turned) > frontal_cost(ahead) + 0.1
    assert frontal_cost(blinking) > frontal_cost(ahead) + 0.5
    grey = [np.full((64, 64, 3), 128, np.uint8)] * 4
    assert best_frame(engine, grey) == 0


def test_drawing_and_table() -> None:
    some = Face(face(), 0.9)
    picture = np.zeros((200, 200, 3), np.uint8)
    assert drawn(picture, some).any() and not picture.any()
    assert not drawn(picture, None).any()
    rows = list(csv.reader(io.StringIO(table([(0.0, some), (0.04, None)]))))
    assert len(rows[0]) == 140 and rows[0][4:6] == ["x0", "y0"]
    assert float(rows[1][4]) == pytest.approx(some.points[0, 0], abs=0.01)
    assert rows[2][2:4] == ["", "0"] and set(rows[2][4:]) == {""}
    assert error_of(Face(face(shift=3), 1.0), some) == pytest.approx(300 / some.eye_distance, rel=1e-3)
    assert error_of(None, some) is None
