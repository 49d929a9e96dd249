"""The table of pairs that were looked at says what docs/experiments.md says of it."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from places import ROOT

PAIRS = [
    r for r in csv.DictReader((ROOT / "docs" / "judged_pairs.csv").open()) if r["preferred"] != "neither"
]
TEXT = (ROOT / "docs" / "experiments.md").read_text()


@pytest.mark.parametrize(
    ("row", "measure"),
    [
        ("LPIPS (AlexNet)", "lpips"), ("VMAF", "vmaf"), ("SSIM", "ssim"), ("`perceptual`, mean", "mean"),
        ("`perceptual`, worst twentieth of 256 places weighted by .2", "judge"),
    ],
)  # fmt: skip
def test_agreement(row: str, measure: str) -> None:
    """The share of choices a measure agrees with, and the area under its curve."""
    chosen = np.array([r["preferred"] == "ours" for r in PAIRS])
    ours, theirs = (np.array([float(r[f"{measure}_{k}"]) for r in PAIRS]) for k in ("ours", "av1"))
    better = ours - theirs if measure in ("vmaf", "ssim") else np.log(theirs / ours)
    right = float(((better > 0) == chosen).mean())
    area = float((better[chosen][:, None] > better[~chosen][None]).mean())
    found = re.search(rf"^\| {re.escape(row)} \| (\S+) \| (\S+) \|$", TEXT, re.MULTILINE)
    assert found, row
    assert [float(x) for x in found.groups()] == pytest.approx([right, area], abs=0.006)
