"""The development environment is pinned with hashes, as in ``constraints.txt``; weights are what they say."""

from __future__ import annotations

import re

from places import ROOT

LOCK = (ROOT / "requirements-dev.lock").read_text()
PINNED = dict(re.findall(r"^([a-z0-9_.-]+)==(\S+) --hash=", LOCK, re.M))


def test_every_package_of_the_lock_has_a_hash() -> None:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(PINNED) > 40
    assert all(re.fullmatch(r"\S+==\S+( --hash=sha256:[0-9a-f]{64})+", line) for line in lines)


def test_the_lock_agrees_with_the_constraints() -> None:
    stated = dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    assert len(stated) > 15 and "torch" in stated
    both = {name: version for name, version in stated.items() if name in PINNED}
    assert both == {name: PINNED[name] for name in both}
    assert len(both) >= len(stated) - 2  # "python tools/lock.py" after a change
