"""Options: those that do not go together, and what is taken where nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import SAMPLES

import neurocodec
from neurocodec.errors import UsageError
from neurocodec.options import EncodeOptions

SAMPLE = SAMPLES / "astronaut.mp4"


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="landmarks must be"):
        neurocodec.encode(SAMPLE, tmp_path / "o.nfc", landmarks="5")
    with pytest.raises(UsageError, match="original"):
        neurocodec.encode(SAMPLE, tmp_path / "o.nfc", landmarks="68", profile="original")
    with pytest.raises(UsageError, match="lookahead"):
        neurocodec.encode(SAMPLE, tmp_path / "o.nfc", first_reference="best", refresh="schedule")


def test_whole_frames_have_a_model_of_their_own_unless_one_is_named() -> None:
    usual = EncodeOptions().settings()
    assert (usual.model, usual.whole_model) == ("talk256", "swift256")
    named = EncodeOptions(model="other").settings()
    assert named.model == named.whole_model == "other"


@pytest.mark.parametrize(("region", "model"), [("frames", "swift256"), ("full", "talk256"), ("auto", None)])
def test_resolved_options_name_the_model_where_the_region_is_known(region: str, model: str | None) -> None:
    assert EncodeOptions(region=region).resolved().model == model
