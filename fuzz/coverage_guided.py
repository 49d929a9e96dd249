"""Coverage-guided fuzzing with atheris: ``python fuzz/coverage_guided.py TARGET [libFuzzer's options]``.

Needs ``pip install 'neurocodec[fuzz]'``.  Inputs that reach new code are kept in
``fuzz/found/corpus-TARGET``, which begins as that of :mod:`seeds`; :mod:`mutate` makes half of the inputs.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

import mutate
from seeds import corpus_of

with atheris.instrument_imports(include=["neurocodec"]):
    from targets import TARGETS


def main() -> None:
    target, options = sys.argv[1], sys.argv[2:]
    folder = Path(__file__).parent / "found" / f"corpus-{target}"
    corpus_of(target, folder)

    def custom(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return mutate.changed(target, data, rng)[:most]

    atheris.Setup([sys.argv[0], *options, str(folder)], TARGETS[target], custom_mutator=custom)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
