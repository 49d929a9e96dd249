"""What a sender of references knows of their chains."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from neurocodec.encoding.reference_sender import ReferenceSender
from neurocodec.format.block import MAX_BLOCK_REFERENCES, MAX_CHAIN, RECENT
from neurocodec.options import EncodeOptions


def sender(**options: Any) -> Any:
    engine: Any = SimpleNamespace(size=256)
    return ReferenceSender(engine, EncodeOptions(**options).settings())


def block(first_reference: int, seconds: float) -> Any:
    header = SimpleNamespace(time_base=Fraction(1, 25))
    return SimpleNamespace(first_reference=first_reference, pts=[round(25 * seconds)], header=header)


@pytest.mark.parametrize(("chain", "anew"), [(0, True), (1, False)])
def test_the_reference_period_is_that_of_the_chain_in_use(chain: int, anew: bool) -> None:
    """A cut back to an older scene goes on with its chain, not with the newest."""
    some = sender(reference_period=60.0)
    some._chains = deque([(0, 0), (1, 59 * 25)])
    some.current = SimpleNamespace(number=chain, chain=chain)
    assert some.begins_anew(block(2, 60)) is anew


def test_a_block_begins_anew_where_no_reference_is_at_hand() -> None:
    some = sender()
    assert some.begins_anew(block(0, 0))
    some._chains = deque([(0, 0)])
    for sent, anew in ((RECENT, False), (RECENT + 1, True)):
        some.current = SimpleNamespace(number=0, chain=0)
        assert some.begins_anew(block(sent, 1)) is anew


def test_a_block_goes_back_as_far_as_the_period_and_the_number_of_references_allow() -> None:
    some = sender(reference_period=10.0)
    some._chains = deque([(0, 0), (3, 100), (5, 250)])
    assert some.oldest_chain(block(6, 10)) == 0
    assert some.oldest_chain(block(6, 11)) == 3
    most = MAX_CHAIN - MAX_BLOCK_REFERENCES
    assert some.oldest_chain(block(3 + most + 1, 11)) == 5
    assert some.oldest_chain(block(2000, 11)) == 2000
