"""Seed inputs: the conformance files, and what they are made of, taken apart for each target."""

from __future__ import annotations

from pathlib import Path

from mutate import chunks_of

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(__file__).parent / "corpus"

_CHOICES = {0xE0: (254,), 0xF1: (255,), 0xF4: (241, 244), 0xF5: (242, 245)}
"""First bytes of the target ``parser``, by types of chunks."""


def seeds(target: str) -> list[bytes]:
    """Inputs of a target: derived from ``tests/conformance`` and stored in ``corpus/TARGET``."""
    files = [p.read_bytes() for p in sorted((ROOT / "tests" / "conformance").glob("*.nfc"))]
    out = [p.read_bytes() for p in sorted((CORPUS / target).glob("*"))]
    if target in ("container", "frames"):
        return files + out
    if target == "parser":
        for data in files:
            for kind, payload in chunks_of(data):
                choices = _CHOICES.get(kind, (25, 91, 49, 97, 150, 214, 240))
                out += [bytes([choice]) + payload for choice in choices]
    return out


def corpus_of(target: str, folder: Path) -> None:
    """Write a target's seeds as files, for a coverage-guided fuzzer."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, data in enumerate(seeds(target)):
        (folder / f"seed{k:03}").write_bytes(data)
