"""Encoding decoded sound to Opus or AAC, on an unbroken time line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from neurocodec.media.downmix import Downmix
from neurocodec.media.silence import SilenceGate
from neurocodec.media.sound import LAYOUTS, layout_name, opus_pre_skip
from neurocodec.media.types import AudioInfo, AudioPacket

_TOLERANCE = Fraction(15, 1000)
"""Seconds that a source may be off its own time line before samples are dropped or inserted."""
_LONGEST_GAP = 3600
"""Seconds from which on a gap is taken for a broken timestamp, and closed instead of filled."""
_OPUS_RATE = 48000
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


class SoundEncoder:
    """Decoded frames in, packets of one continuous stream out.

    Frames are resampled, mixed down at their loudness, and laid on a time line of ``1/rate`` seconds by
    their own timestamps: the first frame sets the start, gaps become silence, overlaps are cut, and
    deviations below 15 ms (coarse container clocks) are ignored until they add up. ``info`` describes the
    encoder's output; the pts of the first packet lies ``initial_padding`` samples before the start.  A
    ``gate`` hears all samples and decides which packets come out.
    """

    def __init__(
        self,
        codec: str,
        *,
        rate: int,
        channels: int,
        bit_rate: int,
        sample_format: str,
        options: dict[str, str] | None = None,
        gate: SilenceGate | None = None,
    ) -> None:
        """Open encoder ``codec`` (``libopus``, ``aac``); raises av errors and ValueError.

        ``sample_format`` is ``flt`` or ``fltp``; with a ``gate``, ``flt``.
        """
        self._gate = gate
        self._span: tuple[int | None, int | None] = None, None
        self._after = 0  # where the samples end that have come so far, in the span or not
        context: Any = av.CodecContext.create(codec, "w")
        context.sample_rate = rate
        context.layout = LAYOUTS[channels]
        context.format = sample_format
        context.bit_rate = bit_rate
        context.time_base = Fraction(1, rate)
        context.options = dict(options or {})
        context.open()
        self._context = context
        self._rate = rate
        self._channels = channels
        self._format = sample_format
        self._chunk = int(context.frame_size) or 1024
        self._resampler: av.AudioResampler | None = None
        self._source: tuple[str, str, int] | None = None
        self._downmix: Downmix | None = None
        self._pending = av.AudioFifo()
        self._position: int | None = None  # where the first pending sample lies
        extradata = bytes(context.extradata or b"")
        name = {"libopus": "opus"}.get(codec, codec)
        self.info = AudioInfo(
            codec=name,
            sample_rate=rate,
            channels=channels,
            layout=LAYOUTS[channels],
            time_base=Fraction(1, rate),
            extradata=extradata,
            bit_rate=bit_rate,
            initial_padding=opus_pre_skip(extradata) if name == "opus" else int(context.frame_size),
        )

    def keep(self, start: Fraction | None, end: Fraction | None) -> None:
        """Leave out what lies before ``start`` and from ``end`` on (seconds)."""
        self._span = (
            None if start is None else round(start * self._rate),
            None if end is None else round(end * self._rate),
        )

    def push(self, frame: av.AudioFrame, start: Fraction | None) -> Iterator[AudioPacket]:
        """Add a decoded frame that begins at ``start`` seconds (None: right after the previous one)."""
        rate = frame.sample_rate
        if frame.samples <= 0 or rate <= 0:
            return
        frame = _with_known_layout(frame)
        source = (frame.format.name, frame.layout.name, rate)
        if source != self._source:
            yield from self._flush_resampler()
            self._source = source
            form, layout, self._downmix = self._format, LAYOUTS[self._channels], None
            if frame.layout.nb_channels > self._channels:
                # packed: PyAV counts the planes of eight channels wrongly
                form, layout = "flt", frame.layout.name
                self._downmix = Downmix(layout, self._channels, self._rate)
            self._resampler = av.AudioResampler(form, layout, self._rate)
        if start is None:
            frame.pts = None
        else:
            frame.time_base = Fraction(1, rate)
            frame.pts = round(start * rate)
        assert self._resampler is not None
        for out in self._resampler.resample(frame):
            yield from self._place(out, start is not None)

    def finish(self) -> Iterator[AudioPacket]:
        """Encode what is left; the last packet's duration tells where the sound ends."""
        yield from self._flush_resampler()
        if (rest := self._pending.read()) is not None:
            yield from self._encode(rest)
        if self._position is not None:
            yield from self._packets(self._context.encode(None))
        if self._gate is not None:
            yield from self._gate.finish()

    def _flush_resampler(self) -> Iterator[AudioPacket]:
        if self._resampler is not None:
            for out in self._resampler.resample(None):
                yield from self._place(out, False)
            self._resampler = None

    def _place(self, frame: av.AudioFrame, timed: bool) -> Iterator[AudioPacket]:
        samples = frame.to_ndarray().astype(np.float32, copy=False)
        samples = samples.reshape(-1, frame.layout.nb_channels) if frame.format.is_packed else samples.T
        if self._downmix is not None:
            samples = self._downmix(samples)
        start: int | None = None
        if timed and frame.pts is not None and frame.time_base:
            start = round(frame.pts * frame.time_base * self._rate)
        samples, start = self._within_span(samples, start)
        if not len(samples):
            return
        if self._position is None:
            self._position = start or 0
        elif start is not None:
            shift = start - (self._position + self._pending.samples)
            if abs(shift) > _LONGEST_GAP * self._rate:
                shift = 0
            if shift > _TOLERANCE * self._rate:
                while shift > 0:
                    count = min(shift, 10 * self._chunk)
                    yield from self._append(np.zeros((count, self._channels), np.float32))
                    shift -= count
            elif shift < -_TOLERANCE * self._rate:
                samples = samples[-shift:]
        yield from self._append(samples)

    def _within_span(
        self, samples: npt.NDArray[np.float32], start: int | None
    ) -> tuple[npt.NDArray[np.float32], int | None]:
        """Which of the samples are kept, and where they lie."""
        low, high = self._span
        at = self._after if start is None else start
        self._after = at + len(samples)
        skipped = 0 if low is None else max(0, low - at)
        kept = len(samples) if high is None else max(0, min(len(samples), high - at))
        if not skipped and kept == len(samples):
            return samples, start
        return samples[skipped:kept], at + skipped

    def _append(self, samples: npt.NDArray[np.float32]) -> Iterator[AudioPacket]:
        if len(samples):
            array = np.ascontiguousarray(samples.reshape(1, -1) if self._format == "flt" else samples.T)
            frame = av.AudioFrame.from_ndarray(array, format=self._format, layout=LAYOUTS[self._channels])
            frame.sample_rate = self._rate
            self._pending.write(frame)
        for frame in self._pending.read_many(self._chunk):
            yield from self._encode(frame)

    def _encode(self, frame: av.AudioFrame) -> Iterator[AudioPacket]:
        assert self._position is not None
        if self._gate is not None:
            samples = frame.to_ndarray().astype(np.float32, copy=False)
            self._gate.hear(samples.reshape(-1, self._channels), self._position)
        frame.time_base, frame.pts = Fraction(1, self._rate), self._position
        self._position += frame.samples
        yield from self._packets(self._context.encode(frame))

    def _packets(self, packets: list[Any]) -> Iterator[AudioPacket]:
        for packet in packets:
            out = AudioPacket(bytes(packet), int(packet.pts), int(packet.duration or self._chunk), True)
            yield from (out,) if self._gate is None else self._gate.sift(out)


def opus_encoder(
    channels: int, bit_rate: int, *, options: Mapping[str, str] | None = None, gated: bool = True
) -> SoundEncoder:
    """An Opus encoder at 48 kHz for a source with ``channels`` channels, as measured in ``docs/sound.md``.

    ``bit_rate`` (bit/s) is held to what Opus can do (6000 up to 256000 per channel). Below 32 kbit/s the
    sound is mono and comes in packets of 60 ms; otherwise it keeps at most two channels and uses 20 ms. Below
    24 kbit/s the encoder is set up for speech, and keeps to 8 kHz. ``options`` (FFmpeg's) come before these.
    If ``gated``, packets of silence are left out (:class:`neurocodec.media.silence.SilenceGate`).
    """
    low, speech = bit_rate < 32000, bit_rate < 24000
    count = 1 if low or channels == 1 else 2
    usual = {
        "application": "voip" if speech else "audio",
        "frame_duration": "60" if low else "20",
        "vbr": "on",
        "cutoff": "8000" if speech else "0",
    }
    return SoundEncoder(
        "libopus",
        rate=_OPUS_RATE,
        channels=count,
        bit_rate=max(6000, min(bit_rate, 256000 * count)),
        sample_format="flt",
        options={**usual, **(options or {})},
        gate=SilenceGate(_OPUS_RATE) if gated else None,
    )


def aac_encoder(source: AudioInfo, bit_rate: int = 128000) -> SoundEncoder:
    """An AAC encoder for a decoded ``source``: its rate where AAC has it, else 48 kHz; at most stereo."""
    return SoundEncoder(
        "aac",
        rate=source.sample_rate if source.sample_rate in _AAC_RATES else 48000,
        channels=1 if source.channels == 1 else 2,
        bit_rate=bit_rate,
        sample_format="fltp",
    )


def _with_known_layout(frame: av.AudioFrame) -> av.AudioFrame:
    """Give frames without a speaker layout (some PCM files) the usual one for their channel count."""
    name = layout_name(frame.layout.name, frame.layout.nb_channels)
    if name == frame.layout.name:
        return frame
    out = av.AudioFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name, layout=name)
    out.sample_rate = frame.sample_rate
    return out
