"""The simulated link."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from neurocodec.call.link import Link, LinkOptions, Trace
from neurocodec.errors import InputError


def test_a_packet_takes_its_bits_and_the_delay() -> None:
    link = Link(LinkOptions(bandwidth=8000, delay=0.1), 1)
    assert link.send(0.0, 100) == pytest.approx(0.2)
    assert link.send(0.0, 100) == pytest.approx(0.3)  # behind the first
    assert link.send(5.0, 100) == pytest.approx(5.2)


def test_the_queue_drops_what_does_not_fit() -> None:
    link = Link(LinkOptions(bandwidth=8000, queue=0.25), 1)
    arrivals = [link.send(0.0, 100) for _ in range(6)]
    assert [a is None for a in arrivals] == [False] * 3 + [True] * 3
    assert link.counts.dropped == 3


def test_loss_and_jitter_follow_the_seed() -> None:
    def fates(seed: int) -> list[float | None]:
        link = Link(LinkOptions(loss=0.3, delay=0.05, jitter=0.02), seed)
        return [link.send(k * 0.04, 50) for k in range(2000)]

    first = fates(3)
    assert first == fates(3)
    assert first != fates(4)
    lost = sum(a is None for a in first) / len(first)
    assert 0.26 < lost < 0.34
    came = [a for a in first if a is not None]
    assert any(b < a for a, b in pairwise(came))  # some overtake


def test_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("seconds,kbps\n0,8\n1,0\n2,16\n")
    trace = Trace.read(file)
    assert trace.at(0.5) == (8000, 1.0)
    assert trace.at(3.5) == (8000, 4.0)  # starts over
    link = Link(LinkOptions(trace=trace, queue=9), 1)
    assert link.send(0.9, 200) == pytest.approx(2.05)  # 800 bits, a second of nothing, 800 bits
    for text, message in (
        ("1,5\n", "begin with 0"), ("0,5\n0,6\n", "increase"), ("0,-1\n", "negative"),
        ("0,a\n", "two numbers"), ("0,1,2\n", "two numbers"), ("", "begin with 0"), ("0,0\n", "zero"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            Trace.read(file)
    with pytest.raises(InputError, match="cannot read"):
        Trace.read(tmp_path / "none.csv")
