"""Quantities as a user writes them: ``40kbps``, ``2%``, ``80ms``, and several of them to try."""

from __future__ import annotations

import re

from neurocodec.errors import UsageError

_TIME = {"": 1.0, "s": 1.0, "ms": 1e-3}
UNITS = {
    "bandwidth": {"": 1.0, "bps": 1.0, "kbps": 1e3, "mbps": 1e6, "kbit/s": 1e3, "mbit/s": 1e6},
    "loss": {"": 1.0, "%": 0.01},
    "delay": _TIME,
    "jitter": _TIME,
}


def quantity(kind: str, text: str) -> float:
    """``40kbps``, ``2%``, ``80ms`` as bit/s, a share, seconds.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z%/]*)\s*", text)
    units = UNITS[kind]
    if not found or found[2].lower() not in units:
        known = ", ".join(u for u in units if u)
        raise UsageError(f"{text!r} is no {kind}; write a number and one of {known}")
    return float(found[1]) * units[found[2].lower()]


def sweep_values(text: str) -> tuple[str, list[str]]:
    """``loss=0,1,2%`` as the option's name and its values; a unit at the end holds for all.

    Raises:
        UsageError: another option, or no value.
    """
    name, equals, rest = text.partition("=")
    name = name.strip()
    if name not in UNITS or not equals or not rest.strip():
        raise UsageError(f"{text!r} cannot be swept; write one of {', '.join(UNITS)} and values: loss=0,1,2%")
    unit = re.sub(r"[0-9.,\s]", "", rest.rsplit(",", 1)[-1])
    values = [v.strip() for v in rest.split(",")]
    values = [v if re.search(r"[a-zA-Z%]", v) else v + unit for v in values]
    for value in values:
        quantity(name, value)
    return name, values
