"""Encodes to a target: a bit rate, a size, or a distance from the original, mean or of the worst second."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import IO, Any, BinaryIO, cast

from neurocodec.encoding.coded_distance import Seen, looked_at
from neurocodec.encoding.encoder import encode_stream, settled_region
from neurocodec.encoding.goal import WORST, Goal, Outcome, worst_words
from neurocodec.encoding.opening import open_source
from neurocodec.encoding.quality_search import HIGHEST, LOWEST, Trial, search
from neurocodec.encoding.report import EncodeReport
from neurocodec.encoding.rewinding import IN_MEMORY, rewindable
from neurocodec.encoding.sampled_search import search_by_samples
from neurocodec.encoding.samples import Samples, sample_starts, seconds_of
from neurocodec.errors import InputError, UsageError
from neurocodec.options import EncodeOptions
from neurocodec.types import Progress

Stage = Callable[[str], None]
"""Called with what is done next, in words, where an encode has several stages."""
_Made = tuple[IO[bytes], EncodeReport]


def encode_once_or_to_target(
    source: Any,
    file: BinaryIO,
    options: EncodeOptions,
    progress: Progress | None = None,
    stage: Stage | None = None,
) -> EncodeReport:
    """Encode ``source`` as the options say: once, or to the target among them.

    Raises:
        NeurocodecError: as :func:`encode_to_target` has it.
    """
    if options.has_target:
        return encode_to_target(source, file, options, progress, stage)
    return encode_stream(source, file, options, progress)


def encode_to_target(
    source: Any,
    file: BinaryIO,
    options: EncodeOptions,
    progress: Progress | None = None,
    stage: Stage | None = None,
) -> EncodeReport:
    """Encode ``source`` at the quality that meets the target in ``options``.

    The quality of a long source is looked for on samples of it.  When no quality meets the target, the
    nearest is written and the report's notes say so; but nothing is written over a largest size.  A rate or a
    size goes before a bound on the worst second: the best that it allows is written, and whether that is good
    enough is said.

    Raises:
        UsageError: even the lowest quality is over the largest size.
        NeurocodecError: as :func:`neurocodec.encoding.encoder.encode_stream` has it.
    """
    goal = Goal.of(options)
    plain = replace(options, target_kbps=None, target_lpips=None, worst_lpips=None, max_size=None)
    with ExitStack() as stack:
        again = rewindable(source, stack)
        plain = replace(plain, region=settled_region(again(), plain.settings()))
        trials = _Trials(again, plain, goal, stack, progress, stage)
        best = trials.best()
        out, report = best.result
        if goal.option == "max_size" and best.figure > goal.value:
            raise UsageError(
                f"{goal.value:.0f} bytes cannot be met: the lowest quality takes {best.figure:.0f}"
            )
        report.notes.append(f"quality {best.quality:g}: {goal.words(best.figure)}")
        missed = best.figure > goal.value if goal.is_ceiling else not goal.is_met(best.figure)
        if missed:
            how = "cannot be" if best.quality in (LOWEST, HIGHEST) else "was not"
            report.notes.append(f"the target of {goal.value:g} {how} met; this is the nearest")
        if options.worst_lpips is not None and goal.option != WORST:
            worst = trials.seen(out).worst
            report.notes.append(worst_words(worst))
            if worst > options.worst_lpips:
                report.notes.append(f"the worst second is over {options.worst_lpips:g}: that takes more bits")
        out.seek(0)
        shutil.copyfileobj(out, file)
    return report


class _Missing(Exception):
    """A sample is not where it should be."""


class _Trials:
    """Encodes of one source, of the whole and of samples, towards a goal."""

    def __init__(
        self,
        again: Callable[[], Any],
        options: EncodeOptions,
        goal: Goal,
        stack: ExitStack,
        progress: Progress | None,
        stage: Stage | None,
    ) -> None:
        self._again, self._options, self._goal = again, options, goal
        self._stack, self._progress, self._stage = stack, progress, stage

    def best(self) -> Trial[_Made]:
        """The encode of the whole that is written."""
        goal, settings = self._goal, self._options.settings()
        with open_source(self._again(), settings, sound=False) as reader:
            seconds = seconds_of(reader, self._progress)
        if starts := sample_starts(seconds):
            samples = Samples(self._again, settings, seconds, starts)
            try:
                return search_by_samples(goal, lambda q: self._forecast(samples, q), self._whole)
            except _Missing:
                pass  # the source is not as long as it says

        def run(quality: float) -> tuple[float, _Made]:
            outcome, made = self._whole(quality)
            return goal.figure(outcome), made

        return search(run, goal.value, rising=not goal.is_distance, ceiling=goal.is_ceiling)

    def _forecast(self, samples: Samples, quality: float) -> Outcome:
        self._say(f"looking for the quality on samples, {quality:g}")
        settings = replace(self._options, quality=quality).settings()
        try:
            return samples.outcome(settings, self._goal, self._progress)
        except InputError as error:
            raise _Missing from error

    def _whole(self, quality: float) -> tuple[Outcome, _Made]:
        self._say(f"quality {quality:g}")
        out: IO[bytes] = self._stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
        options = replace(self._options, quality=quality)
        report = encode_stream(self._again(), cast(BinaryIO, out), options, self._progress)
        seen = self.seen(out) if self._goal.is_distance else Seen()
        return Outcome.of(report, self._goal.distance(seen)), (out, report)

    def seen(self, coded: IO[bytes]) -> Seen:
        """Distances of an encode of the whole."""
        coded.seek(0)
        settings = self._options.settings()
        with open_source(self._again(), settings, sound=False) as reader:
            return looked_at(reader, coded, settings)

    def _say(self, what: str) -> None:
        if self._stage:
            self._stage(what)
