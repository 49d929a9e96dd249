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


@pytest.mark.parametrize("region", ["frames", "full", "auto"])
def test_every_region_has_the_same_model(region: str) -> None:
    assert EncodeOptions(region=region).resolved().model == "swift256"
    assert EncodeOptions(region=region, model="other").resolved().model == "other"
