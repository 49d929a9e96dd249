"""Numbers with units, as the options of a link have them."""

from __future__ import annotations

import pytest

from neurocodec.call.quantities import quantity


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("bandwidth", "40kbps", 40_000), ("loss", "2%", 0.02), ("loss", "0.5", 0.5), ("delay", "80ms", 0.08),
     ("jitter", "1s", 1), ("bandwidth", "1.5Mbps", 1.5e6)],
)  # fmt: skip
def test_quantities(kind: str, text: str, value: float) -> None:
    assert quantity(kind, text) == pytest.approx(value)
