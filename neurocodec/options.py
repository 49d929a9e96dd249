"""What can be chosen when encoding and decoding, with its ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurocodec.errors import UsageError
from neurocodec.landmarks import MAX_QUANTIZATION


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} must lie between {low:.10g} and {high:.10g}, not {value:.10g}")


PROFILES = ("default", "original")
FEEDBACKS = ("measured", "network")
AUDIO_MODES = ("opus", "copy", "none")
REGIONS = ("full", "face")
REFERENCE_CODECS = ("av1", "hevc", "jpeg")
LANDMARK_CODES = ("range", "golomb", "original")
REFRESHES = ("lookahead", "schedule")


@dataclass(frozen=True)
class EncodeOptions:
    """Settings of an encode.

    ``None`` means the profile's choice.  ``quantization`` scales keypoint differences before rounding;
    ``gap`` and ``alpha`` steer refreshes (:mod:`neurocodec.schedule`); ``feedback`` is ``measured``,
    ``network`` or a feedback model's name or file; ``audio_bitrate`` is in bit/s; ``reference_quality``
    is 0 to 100; ``reference_period`` (seconds) bounds how far back a block's reference may lie.
    """

    profile: str = "default"
    quantization: int = 100
    gap: int = 5
    alpha: float = 0.2
    model: str | None = None
    feedback: str | None = None
    audio: str = "opus"
    audio_bitrate: int = 12000
    reference_codec: str | None = None
    reference_quality: int | None = None
    reference_period: float = 30.0
    landmark_code: str | None = None
    refresh: str | None = None
    price: float | None = None
    smoothing: float | None = None
    region: str = "full"
    device: str = "auto"
    threads: int = 0

    def resolved(self) -> EncodeOptions:
        """Checked, with the profile's choices filled in.

        Raises:
            UsageError: a value out of range.
        """
        _choice("profile", self.profile, PROFILES)
        original = self.profile == "original"
        out = replace(
            self,
            model=self.model or ("vox256" if original else "talk256"),
            feedback=self.feedback or ("network" if original else "measured"),
            reference_codec=self.reference_codec or ("jpeg" if original else "av1"),
            landmark_code=self.landmark_code or ("original" if original else "range"),
            refresh=self.refresh or ("schedule" if original else "lookahead"),
            price=0.05 if self.price is None else self.price,
            smoothing=0.15 if self.smoothing is None else self.smoothing,
        )
        if out.reference_quality is None:
            out = replace(out, reference_quality=95 if out.reference_codec == "jpeg" else 20)
        assert out.reference_codec and out.landmark_code and out.reference_quality is not None
        _range("quantization", out.quantization, 1, MAX_QUANTIZATION)
        _range("gap", out.gap, 1, 1_000_000)
        _range("alpha", out.alpha, 0, 1)
        _range("audio bitrate", out.audio_bitrate, 6000, 510000)
        _range("reference quality", out.reference_quality, 0, 100)
        _range("reference period", out.reference_period, 5, 86400)
        _range("threads", out.threads, 0, 256)
        _choice("audio", out.audio, AUDIO_MODES)
        _choice("region", out.region, REGIONS)
        _choice("reference codec", out.reference_codec, REFERENCE_CODECS)
        _choice("landmark code", out.landmark_code, LANDMARK_CODES)
        _choice("device", out.device, ("auto", "cpu", "cuda"))
        return out


@dataclass(frozen=True)
class DecodeOptions:
    """Settings of a decode.

    ``start`` and ``duration`` (seconds) choose a part; ``size`` is ``source`` or ``model``; ``crf`` is
    libx264's quality (16: visually lossless); ``model`` names a further model, or its file, to look at.
    """

    start: float | None = None
    duration: float | None = None
    size: str = "source"
    crf: float = 16
    model: str | None = None
    device: str = "auto"
    threads: int = 0

    def resolved(self) -> DecodeOptions:
        """Checked.

        Raises:
            UsageError: a value out of range.
        """
        if self.start is not None:
            _range("start", self.start, 0, 1e9)
        if self.duration is not None:
            _range("duration", self.duration, 0.001, 1e9)
        _range("crf", self.crf, 0, 51)
        _range("threads", self.threads, 0, 256)
        _choice("size", self.size, ("source", "model"))
        _choice("device", self.device, ("auto", "cpu", "cuda"))
        return self
