"""What can be chosen when encoding and decoding, with its ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurocodec.errors import UsageError
from neurocodec.format.limits import CHUNK, FRAMES, MAX_QUANTIZATION, PIXELS, Limits
from neurocodec.threads import check as check_threads


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} must lie between {low:.10g} and {high:.10g}, not {value:.10g}")


PROFILES = ("default", "original")
AUDIO_MODES = ("opus", "copy", "none")
REGIONS = ("full", "face")
REFERENCE_CODECS = ("av1", "hevc", "jpeg")
LANDMARK_CODES = ("range", "golomb", "original")
DEFAULT_QUALITY = 50.0
SMOOTHING = 0.2
LANDMARKS = ("learned", "68")
FIRST_REFERENCES = ("first", "best")
REFRESHES = ("lookahead", "schedule")


def quantization_at(quality: float) -> int:
    """Q for a quality of 0 to 100: 60 to 140."""
    return round(60 + 0.8 * quality)


def reference_quality_at(quality: float) -> float:
    """Quality of AV1 and HEVC references for a quality of 0 to 100: 0 to 67 (AV1: CRF 63 to 25)."""
    return 0.44 * quality + 0.46 * max(quality - 50, 0)


def price_at(quality: float) -> float:
    """What a byte of reference costs, in units of one frame's loss of verdict, for a quality of 0 to 100."""
    return 0.145 * 10 ** (-0.02 * quality)


@dataclass(frozen=True)
class EncodeOptions:
    """Settings of an encode.

    ``None`` means the profile's choice, or that of ``quality`` (0 to 100), which sets quantization, reference
    quality and the price of references together; an explicit one wins.  ``quantization`` scales keypoint
    differences before rounding, ``smoothing`` is the strength of rate-distortion optimized rounding
    (:mod:`neurocodec.keypoints.smoothing`).  ``refresh`` is ``lookahead``
    (:mod:`neurocodec.encoding.lookahead`) or ``schedule`` (:mod:`neurocodec.encoding.schedule`); ``gap`` and
    ``alpha`` steer both, ``price`` is what a byte of reference costs in the former.  ``feedback`` is a
    feedback network's name or file (the original's profile takes the original's where it has been imported);
    ``audio_bitrate`` is in bit/s; ``reference_quality`` is 0 to 100; ``reference_period`` (seconds) bounds
    how far apart independent references lie, ``first_reference`` is the ``first`` frame or the ``best`` one
    of its block (:mod:`neurocodec.faces.frontal`). ``landmarks`` says what is coded of a frame: ``learned``
    keypoints, or ``68`` facial landmarks as a latent of ``landmark_model`` (default: face68).  Of the
    targets, ``target_kbps`` (kbit/s) and ``max_size`` (bytes) count the whole file, ``target_lpips`` is the
    mean distance of the renderings.  ``threads`` (None: every core) is what networks may use; codecs beside
    them get half as many.
    """

    profile: str = "default"
    quality: float | None = None
    quantization: int | None = None
    gap: int = 5
    alpha: float = 0.2
    model: str | None = None
    feedback: str | None = None
    audio: str = "opus"
    audio_bitrate: int = 12000
    reference_codec: str | None = None
    reference_quality: float | None = None
    reference_period: float = 30.0
    landmark_code: str | None = None
    refresh: str | None = None
    price: float | None = None
    smoothing: float | None = None
    first_reference: str = "first"
    landmarks: str = "learned"
    landmark_model: str | None = None
    target_kbps: float | None = None
    target_lpips: float | None = None
    max_size: int | None = None
    region: str = "full"
    device: str = "auto"
    threads: int | None = None

    def resolved(self) -> EncodeOptions:
        """Checked, with the profile's and the quality's choices filled in.

        Raises:
            UsageError: a value out of range, or options that exclude each other.
        """
        _choice("profile", self.profile, PROFILES)
        original = self.profile == "original"
        targets = [t for t in (self.target_kbps, self.target_lpips, self.max_size) if t is not None]
        if len(targets) > 1:
            raise UsageError("only one of target rate, target distance and largest size can be met")
        if targets and (original or self.quality is not None):
            raise UsageError("a target goes neither with --quality nor with the original's profile")
        if original and self.quality is not None:
            raise UsageError(
                "the original's profile has no quality; give --quantization, --reference-quality"
            )
        quality = DEFAULT_QUALITY if self.quality is None else self.quality
        _range("quality", quality, 0, 100)
        out = replace(
            self,
            quality=quality,
            quantization=self.quantization or (100 if original else quantization_at(quality)),
            model=self.model or ("vox256" if original else "talk256"),
            feedback=self.feedback or (None if original else "likeness"),
            reference_codec=self.reference_codec or ("jpeg" if original else "av1"),
            landmark_code=self.landmark_code or ("original" if original else "range"),
            refresh=self.refresh or ("schedule" if original else "lookahead"),
            price=price_at(quality) if self.price is None else self.price,
            smoothing=SMOOTHING if self.smoothing is None else self.smoothing,
        )
        if out.reference_quality is None:
            jpeg = out.reference_codec == "jpeg"
            out = replace(out, reference_quality=95 if jpeg else reference_quality_at(quality))
        assert out.reference_codec and out.landmark_code and out.refresh and out.quantization
        assert out.reference_quality is not None and out.price is not None and out.smoothing is not None
        if self.quantization is not None:
            _range("quantization", self.quantization, 1, MAX_QUANTIZATION)
        _range("gap", out.gap, 1, 1_000_000)
        _range("alpha", out.alpha, 0, 1)
        _range("audio bitrate", out.audio_bitrate, 6000, 510000)
        _range("reference quality", out.reference_quality, 0, 100)
        _range("reference period", out.reference_period, 5, 86400)
        _range("price", out.price, 0, 1000)
        _range("smoothing", out.smoothing, 0, 100)
        _range("target rate", 1 if self.target_kbps is None else self.target_kbps, 0.01, 1_000_000)
        _range("target distance", 0.1 if self.target_lpips is None else self.target_lpips, 0.001, 1)
        _range("largest size", 1000 if self.max_size is None else self.max_size, 1, 1 << 50)
        check_threads(out.threads)
        _choice("audio", out.audio, AUDIO_MODES)
        _choice("region", out.region, REGIONS)
        _choice("reference codec", out.reference_codec, REFERENCE_CODECS)
        _choice("landmark code", out.landmark_code, LANDMARK_CODES)
        _choice("refresh", out.refresh, REFRESHES)
        _choice("first reference", out.first_reference, FIRST_REFERENCES)
        if out.first_reference == "best" and out.refresh != "lookahead":
            raise UsageError("the best first reference can only be chosen with --refresh lookahead")
        if self.smoothing and out.refresh != "lookahead":
            raise UsageError("only --refresh lookahead smooths")
        _choice("landmarks", out.landmarks, LANDMARKS)
        if self.landmark_model is not None and out.landmarks != "68":
            raise UsageError("a landmark model goes with --landmarks 68")
        if original and out.landmarks != "learned":
            raise UsageError("the original's profile knows only learned keypoints")
        _choice("device", out.device, ("auto", "cpu", "cuda"))
        if out.landmark_code == "original" and out.refresh == "lookahead":
            raise UsageError("the original's landmark code goes with --refresh schedule")
        return out


@dataclass(frozen=True)
class DecodeOptions:
    """Settings of a decode.

    ``start`` and ``duration`` (seconds) choose a part; ``size`` is ``source`` or ``model``; ``crf`` is
    libx264's quality (16: visually lossless); ``model`` names a further model, or its file, to look at.
    ``strict`` refuses a damaged file instead of decoding what is left of it.  ``size_limit`` (pixels of a
    picture), ``frame_limit`` and ``chunk_limit`` (bytes) are those of
    :class:`neurocodec.format.limits.Limits`. ``threads`` as in :class:`EncodeOptions`.
    """

    start: float | None = None
    duration: float | None = None
    size: str = "source"
    crf: float = 16
    model: str | None = None
    device: str = "auto"
    threads: int | None = None
    strict: bool = False
    size_limit: int = PIXELS
    frame_limit: int = FRAMES
    chunk_limit: int = CHUNK

    @property
    def limits(self) -> Limits:
        """What the file may ask for."""
        return Limits(self.size_limit, self.frame_limit, self.chunk_limit)

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
        check_threads(self.threads)
        _range("size limit", self.size_limit, 1, 1 << 30)
        _range("frame limit", self.frame_limit, 1, 1 << 40)
        _range("chunk limit", self.chunk_limit, 1, CHUNK)
        _choice("size", self.size, ("source", "model"))
        _choice("device", self.device, ("auto", "cpu", "cuda"))
        return self
