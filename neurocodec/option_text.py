"""What a user writes in options: ``NAME=VALUE`` pairs, sizes, lists of names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from neurocodec.errors import UsageError
from neurocodec.options import DecodeOptions, EncodeOptions

_POWERS = {"k": 10**3, "M": 10**6, "G": 10**9}
T = TypeVar("T")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def scaled(text: str) -> int:
    """A number, with k, M or G for powers of 1000, without what it has after the point.

    Raises:
        ValueError, OverflowError: it is none, or infinite.
    """
    factor = _POWERS.get(text[-1:], 1)
    return int(float(text[:-1] if factor > 1 else text) * factor)


def _whole(text: str) -> int:
    return scaled(text) if text[-1:] in _POWERS else int(text)


def encode_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Keyword arguments of :class:`EncodeOptions`.

    Raises:
        UsageError: an unknown name, or a value of another type.
    """
    return _parsed(pairs, EncodeOptions)


def decode_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Keyword arguments of :class:`DecodeOptions`; raises as :func:`encode_settings`."""
    return _parsed(pairs, DecodeOptions)


def _parsed(pairs: Iterable[str], options: type[EncodeOptions | DecodeOptions]) -> dict[str, Any]:
    kinds = {f.name: str(f.type) for f in dataclasses.fields(options)}
    out: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if name not in kinds:
            raise UsageError(f"unknown option {name!r} in {pair!r}; known: {', '.join(kinds)}")
        if not equals:
            raise UsageError(f"{pair!r} has no value; write {name}=VALUE")
        kind = kinds[name]
        if kind == "bool":
            if value.lower() not in _TRUTH:
                raise UsageError(f"{name} is true or false, not {value!r}")
            out[name] = _TRUTH[value.lower()]
            continue
        try:
            out[name] = _whole(value) if "int" in kind else float(value) if "float" in kind else value
        except (ValueError, OverflowError):
            raise UsageError(f"{name} is a number, not {value!r}") from None
    return out


def named(text: str, known: Mapping[str, T], kind: str) -> list[T]:
    """What the names of a comma-separated list stand for, in its order, once each.

    Raises:
        UsageError: a name is not known, or there is none; lists those that are.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {kind} {name!r}; known: {', '.join(known)}")
    if not names:
        raise UsageError(f"no {kind} named; known: {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]
