"""Writing Matroska with lossless pictures (H.264 in RGB, which FFmpeg and what is built on it play)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from neurocodec.media.types import AudioInfo
from neurocodec.media.writer import MediaWriter


class LosslessWriter(MediaWriter):
    """As :class:`MediaWriter`, but a Matroska file whose pictures come back as they were, in RGB.

    Times are rounded to milliseconds, as Matroska has them; ``crf`` means nothing. Any size is kept. (Not
    FFV1, since PyAV has no way to tell Matroska its pixel aspect; H.264 carries that itself.)
    """

    def _opened_container(self, metadata: dict[str, str], audio: AudioInfo | None) -> Any:
        self._encoder_time_base = Fraction(1, 1000)
        # Matroska knows what a decoder of Opus leaves out at the start; moved as well, all would begin later
        options = {"avoid_negative_ts": "disabled"} if audio and audio.codec == "opus" else {}
        return av.open(self._guard, "w", format="matroska", container_options=options, buffer_size=1 << 16)

    def _add_video(self, fps: Fraction, sar: Fraction, crf: float, preset: str, threads: int) -> None:
        height, width = self._size
        stream: Any = self._container.add_stream("libx264rgb", rate=fps.limit_denominator(1_000_000))
        self._video_stream = stream
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "rgb24"
        context.time_base = stream.time_base = self._encoder_time_base
        context.sample_aspect_ratio = sar.limit_denominator(65535) if sar > 0 else Fraction(1)
        context.color_primaries = self._color.primaries
        context.color_trc = self._color.transfer
        context.thread_count = max(0, threads)
        context.gop_size = min(250, max(1, round(5 * fps)))
        context.options = {"qp": "0", "preset": preset}
        context.open()

    def _frame_of(self, rgb: npt.NDArray[np.uint8]) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.color_primaries = self._color.primaries
        frame.color_trc = self._color.transfer
        return frame
