"""Reference placement: how a block gets its references and symbols, looking ahead or on schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurocodec.encoding.block_builder import BlockBuilder, Segment
from neurocodec.encoding.framing import Frame
from neurocodec.encoding.lookahead import Lookahead
from neurocodec.encoding.reference_sender import ReferenceSender
from neurocodec.encoding.schedule import RefreshSchedule
from neurocodec.encoding.stretches import BlockFrames, Placed, Verdicts
from neurocodec.faces.first_reference import best_frame
from neurocodec.format.block import MAX_BLOCK_REFERENCES, RECENT
from neurocodec.keypoints.importance import importance
from neurocodec.keypoints.quantization import dequantize, quantize, scaled
from neurocodec.keypoints.smoothing import smooth
from neurocodec.models.feedback import FeedbackNetwork
from neurocodec.models.landmark_engine import LandmarkEngine, open_landmark_engine
from neurocodec.models.motion_engine import MotionEngine
from neurocodec.options import EncodeSettings
from neurocodec.types import Picture, Pictures

_STRICTNESS = 2.06
"""What the errors of verdicts are multiplied by when looking ahead: references then lie as densely as by the
network of 0.1.0, which made more of large errors."""


@dataclass(frozen=True)
class MeasuredFrames:
    """The frames of a block, and what is known of them before references are placed.

    ``values`` (frames, M/2, 2) are what is coded of them.  At the offsets ``forced`` there has to be a
    reference, at ``cuts`` another scene begins.
    """

    frames: list[Frame]
    values: NDArray[np.float32]
    forced: list[int]
    cuts: list[int]


class Placement(Protocol):
    """Places the references of one block after the other."""

    def place(self, builder: BlockBuilder, measured: MeasuredFrames) -> None:
        """Give a block its references and symbols."""


def open_placement(
    engine: MotionEngine, feedback: FeedbackNetwork, sender: ReferenceSender, settings: EncodeSettings
) -> Placement:
    """The way of placing references that was chosen."""
    if settings.refresh == "schedule":
        schedule = RefreshSchedule(settings.gap, settings.alpha)
        return ScheduledPlacement(engine, sender, feedback, schedule)
    verdicts = strict(feedback) if feedback.description.architecture == "perceptual" else feedback
    lookahead = Lookahead(engine, verdicts, settings.gap, settings.price, settings.alpha)
    best_first = settings.first_reference == "best"
    landmarks = open_landmark_engine(device=settings.device) if best_first else None
    return LookaheadPlacement(engine, sender, lookahead, settings.smoothing, landmarks)


def strict(feedback: FeedbackNetwork) -> Verdicts:
    """Verdicts that fall twice as fast, at which prices were chosen (docs/experiments.md)."""

    def verdicts(renderings: Pictures, originals: Sequence[Picture]) -> NDArray[np.float64]:
        return np.asarray(1 - _STRICTNESS * (1 - feedback(renderings, originals)))

    return verdicts


class ScheduledPlacement:
    """The original's way: frame by frame, a refresh when the last rendering has become bad."""

    def __init__(
        self,
        engine: MotionEngine,
        sender: ReferenceSender,
        feedback: FeedbackNetwork,
        schedule: RefreshSchedule,
    ) -> None:
        self._engine, self._sender = engine, sender
        self._feedback, self._schedule = feedback, schedule

    def place(self, builder: BlockBuilder, measured: MeasuredFrames) -> None:
        """As :meth:`Placement.place` has it; a scene that begins is a refresh."""
        refreshes = {*measured.forced, *measured.cuts}
        header, sender, schedule = builder.header, self._sender, self._schedule
        basis = self._engine.basis if header.transformed else None
        rows: list[NDArray[np.int32]] = []

        def end_segment() -> None:
            if rows:
                assert sender.current is not None
                builder.segments.append(Segment(sender.current.number, None, np.stack(rows)))
                rows.clear()

        for k, frame in enumerate(measured.frames):
            number = builder.first_frame + k
            wanted = k in refreshes or schedule.is_refresh(number)
            full = header.version > 1 and len(builder.references) >= MAX_BLOCK_REFERENCES
            if sender.current is None or (wanted and not full):
                end_segment()
                sender.current = sender.send(builder, frame, k)
                schedule.refreshed()
                continue
            if k == 0:
                builder.needed = (sender.current.number,)
            reference = sender.current.reference
            symbols = quantize(measured.values[k], reference.coded, header.quantization, basis)
            rows.append(symbols)
            if schedule.wants_verdict(number):
                decoded = dequantize(symbols, reference.coded, header.quantization, basis)
                rendering = self._engine.render([reference], self._engine.keypoints_from(decoded[None]))[0]
                schedule.rendered(float(self._feedback(rendering[None], [frame.square])[0]))
        end_segment()


class LookaheadPlacement:
    """References wherever they pay in a block that is seen whole (:mod:`neurocodec.encoding.lookahead`).

    ``landmarks`` finds the best first reference, if that is asked for.
    """

    def __init__(
        self,
        engine: MotionEngine,
        sender: ReferenceSender,
        lookahead: Lookahead,
        smoothing: float,
        landmarks: LandmarkEngine | None,
    ) -> None:
        self._engine, self._sender, self._lookahead = engine, sender, lookahead
        self._smoothing, self._landmark_engine = smoothing, landmarks

    def place(self, builder: BlockBuilder, measured: MeasuredFrames) -> None:
        """As :meth:`Placement.place` has it; where a scene begins, an earlier reference may serve again."""
        frames, values, cuts = measured.frames, measured.values, measured.cuts
        sender = self._sender
        newest = sender.newest_chain
        current = None if 0 in measured.forced else sender.current
        maker = _BlockReferences(sender, builder, frames)
        stretches = self._lookahead.place(
            BlockFrames(
                pictures=[f.square for f in frames],
                keypoints=self._engine.keypoints_from(values),
                forced=self._with_best_first(measured),
                cuts=cuts,
                current=current,
                oldest=sender.oldest_chain(builder),
                maker=maker,
                lowest=builder.first_reference - RECENT,
            )
        )
        used = [p for s in stretches for p in (s.before, s.after) if p is not None]
        starts = [p.chain for p in used if p.number < builder.first_reference]
        if builder.references and builder.references[0].dependent:
            starts.append(newest)
        if starts:
            builder.needed = tuple(range(min(starts), builder.first_reference))
            builder.current = current.number if current and current.number in builder.needed else None
        for s in stretches:
            symbols = self._trajectory(builder, values[s.start : s.stop], s.before)
            builder.segments.append(Segment(s.before.number, s.after.number if s.after else None, symbols))
        ends_open = bool(stretches) and stretches[-1].stop == len(frames)
        sender.current = stretches[-1].before if ends_open else max(maker.placed, key=lambda p: p.offset)

    def _with_best_first(self, measured: MeasuredFrames) -> list[int]:
        """The forced offsets, with the first scene's best frame for its first one where that is asked for."""
        forced = measured.forced
        if self._landmark_engine is None or 0 not in forced:
            return forced
        end = min((k for k in (*forced, *measured.cuts) if k), default=len(measured.frames))
        best = best_frame(self._landmark_engine, [f.square for f in measured.frames[:end]])
        return [best, *(k for k in forced if k)]

    def _trajectory(
        self, builder: BlockBuilder, values: NDArray[np.float32], before: Placed
    ) -> NDArray[np.int32]:
        header = builder.header
        basis = self._engine.basis if header.transformed else None
        exact = scaled(values, before.reference.coded, header.quantization, basis)
        return smooth(exact, self._smoothing, importance(basis, exact.shape[1]))


class _BlockReferences:
    """What :class:`Lookahead` needs of a block to make references in it."""

    def __init__(self, sender: ReferenceSender, builder: BlockBuilder, frames: list[Frame]) -> None:
        self._sender, self._builder, self._frames = sender, builder, frames
        self.placed: list[Placed] = []

    def code(self, offset: int, independent: bool) -> Placed:
        if independent:
            self._sender.coder.restart()
        self.placed.append(self._sender.send(self._builder, self._frames[offset], offset))
        return self.placed[-1]

    def preview(self, pictures: list[Picture], before: Picture | None) -> tuple[list[Picture], int]:
        return self._sender.coder.preview(pictures, before)
