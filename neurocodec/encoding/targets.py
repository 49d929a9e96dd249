"""Encodes to a target: a bit rate, a size, or a distance from the original."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from typing import IO, Any, BinaryIO, cast

import numpy as np

from neurocodec.decoding.report import DecodeReport
from neurocodec.decoding.span_decoder import decode_pictures
from neurocodec.encoding.encoder import encode_stream, fitted_pictures, settled_region
from neurocodec.encoding.quality_search import TOLERANCE, search
from neurocodec.encoding.report import EncodeReport
from neurocodec.encoding.rewinding import IN_MEMORY, rewindable
from neurocodec.encoding.whole_distance import Original, WholeDistance
from neurocodec.errors import UsageError
from neurocodec.format.block import SoundPacket
from neurocodec.format.reader import NfcReader
from neurocodec.models.distance import DistanceEngine
from neurocodec.models.model_files import find
from neurocodec.options import DEFAULT_FEEDBACK, DecodeOptions, EncodeOptions
from neurocodec.types import Progress


def encode_once_or_to_target(
    source: Any, file: BinaryIO, options: EncodeOptions, progress: Progress | None = None
) -> EncodeReport:
    """Encode ``source`` as the options say: once, or to the target among them.

    Raises:
        NeurocodecError: as :func:`encode_to_target` has it.
    """
    run = encode_to_target if options.has_target else encode_stream
    return run(source, file, options, progress)


def encode_to_target(
    source: Any, file: BinaryIO, options: EncodeOptions, progress: Progress | None = None
) -> EncodeReport:
    """Encode ``source`` at the quality that meets the target in ``options``.

    When no quality does, the nearest is written and the report's notes say so; but nothing is written over
    a largest size.

    Raises:
        UsageError: even the lowest quality is over the largest size.
        NeurocodecError: as :func:`neurocodec.encoding.encoder.encode_stream` has it.
    """
    plain = replace(options, target_kbps=None, target_lpips=None, max_size=None)
    with ExitStack() as stack:
        again = rewindable(source, stack)
        plain = replace(plain, region=settled_region(again(), plain.settings()))

        def run(quality: float) -> tuple[float, tuple[IO[bytes], EncodeReport]]:
            out = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
            report = encode_stream(again(), cast(BinaryIO, out), replace(plain, quality=quality), progress)
            if options.target_lpips is not None:
                out.seek(0)
                return mean_distance(again(), out, plain), (out, report)
            figure = report.kbps["total"] if options.target_kbps is not None else report.bytes["total"]
            return float(figure), (out, report)

        target = options.target_kbps or options.target_lpips or options.max_size
        assert target is not None
        rising, ceiling = options.target_lpips is None, options.max_size is not None
        best = search(run, float(target), rising=rising, ceiling=ceiling)
        out, report = best.result
        if ceiling and best.figure > target:
            raise UsageError(f"{target} bytes cannot be met: the lowest quality takes {best.figure:.0f}")
        report.notes.append(f"quality {best.quality:g}: {_say(options, best.figure)}")
        if not ceiling and abs(best.figure / target - 1) > TOLERANCE:
            report.notes.append(f"the target of {target:g} cannot be met; this is the nearest")
        out.seek(0)
        shutil.copyfileobj(out, file)
    return report


def _say(options: EncodeOptions, figure: float) -> str:
    if options.target_lpips is not None:
        return f"mean distance {figure:.4f} (neurocodec's own estimate of LPIPS)"
    return f"{figure:.2f} kbit/s" if options.target_kbps is not None else f"{figure:.0f} bytes"


def mean_distance(source: Any, coded: IO[bytes], options: EncodeOptions) -> float:
    """Mean perceptual distance between the source's pictures, as they are coded, and what a file decodes to.

    Every ``gap``-th frame is looked at.
    """
    engine = DistanceEngine(find(DEFAULT_FEEDBACK, "feedback"), options.device)
    reader = NfcReader(cast(BinaryIO, coded))
    whole = WholeDistance(engine) if reader.header.layered else None
    originals = fitted_pictures(source, options)
    decoding = DecodeOptions(model=options.model, device=options.device)
    items = decode_pictures(reader, decoding, DecodeReport())
    renderings = (item for item in items if not isinstance(item, SoundPacket))
    distances: list[float] = []
    for k, (original, (_, rendering)) in enumerate(zip(originals, renderings, strict=True)):
        if k % options.gap == options.gap // 2:
            looked = whole(rendering, Original(original)) if whole else engine(rendering[None], [original])[0]
            distances.append(float(looked))
    return float(np.mean(distances)) if distances else 0.0
