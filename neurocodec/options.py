"""What can be chosen when encoding and decoding: options with their defaults, and the settings they become.

Every default stands here.  The command line takes its own, and the numbers in its help, from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurocodec.errors import UsageError
from neurocodec.format.limits import CHUNK, FRAMES, MAX_QUANTIZATION, PIXELS, Limits
from neurocodec.threads import check_threads

PROFILES = ("default", "original")
AUDIO_MODES = ("opus", "copy", "none")
REGIONS = ("full", "face")
REFERENCE_CODECS = ("av1", "hevc", "jpeg")
LANDMARK_CODES = ("range", "golomb", "original")
LANDMARKS = ("learned", "68")
FIRST_REFERENCES = ("first", "best")
REFRESHES = ("lookahead", "schedule")
DEVICES = ("auto", "cpu", "cuda")
SIZES = ("model", "source")

DEFAULT_MOTION, ORIGINAL_MOTION = "talk256", "vox256"
DEFAULT_FEEDBACK, ORIGINAL_FEEDBACK = "likeness", "classic-feedback"
DEFAULT_LANDMARKS = "face68"
DEFAULT_QUALITY = 50.0
DEFAULT_SMOOTHING = 0.2
ORIGINAL_QUANTIZATION = 100
JPEG_QUALITY = 95.0
TARGETS = ("target_kbps", "target_lpips", "max_size")

_ENCODE_CHOICES = {
    "audio": AUDIO_MODES,
    "region": REGIONS,
    "reference_codec": REFERENCE_CODECS,
    "landmark_code": LANDMARK_CODES,
    "refresh": REFRESHES,
    "first_reference": FIRST_REFERENCES,
    "landmarks": LANDMARKS,
    "device": DEVICES,
}
_ENCODE_RANGES = {
    "quantization": (1, MAX_QUANTIZATION),
    "gap": (1, 1_000_000),
    "alpha": (0, 1),
    "audio_bitrate": (6000, 510000),
    "reference_quality": (0, 100),
    "reference_period": (5, 86400),
    "price": (0, 1000),
    "smoothing": (0, 100),
    "target_kbps": (0.01, 1_000_000),
    "target_lpips": (0.001, 1),
    "max_size": (1, 1 << 50),
}
_DECODE_CHOICES = {"size": SIZES, "device": DEVICES}
_DECODE_RANGES = {
    "start": (0, 1e9),
    "duration": (0.001, 1e9),
    "crf": (0, 51),
    "size_limit": (1, 1 << 30),
    "frame_limit": (1, 1 << 40),
    "chunk_limit": (1, CHUNK),
}
_WORDS = {"target_kbps": "target rate", "target_lpips": "target distance", "max_size": "largest size"}


def quantization_at(quality: float) -> int:
    """Q for a quality of 0 to 100: 60 to 140."""
    return round(60 + 0.8 * quality)


def reference_quality_at(quality: float) -> float:
    """Quality of AV1 and HEVC references for a quality of 0 to 100: 0 to 67 (AV1: CRF 63 to 25)."""
    return 0.44 * quality + 0.46 * max(quality - 50, 0)


def price_at(quality: float) -> float:
    """What a byte of reference costs, in units of one frame's loss of verdict, for a quality of 0 to 100."""
    return 0.145 * 10 ** (-0.02 * quality)


def _words(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{_words(name)} must be one of {', '.join(allowed)}, not {value!r}")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{_words(name)} must lie between {low:.10g} and {high:.10g}, not {value:.10g}")


def _check(
    options: Any,
    choices: Mapping[str, tuple[str, ...]],
    ranges: Mapping[str, tuple[float, float]],
) -> None:
    """Check every option that is given (is not None)."""
    check_threads(options.threads)
    for name, allowed in choices.items():
        value = getattr(options, name)
        if value is not None:
            _check_choice(name, value, allowed)
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if value is not None:
            _check_range(name, value, low, high)


@dataclass(frozen=True)
class EncodeSettings:
    """What an encode does, option by option, with nothing left open.

    ``feedback`` are names of feedback networks, of which the first that is installed gives the verdicts.
    ``threads`` is 0 where PyTorch's own number holds.
    """

    profile: str
    quality: float
    quantization: int
    gap: int
    alpha: float
    model: str
    feedback: tuple[str, ...]
    audio: str
    audio_bitrate: int
    reference_codec: str
    reference_quality: float
    reference_period: float
    landmark_code: str
    refresh: str
    price: float
    smoothing: float
    first_reference: str
    landmarks: str
    landmark_model: str
    region: str
    device: str
    threads: int


@dataclass(frozen=True)
class EncodeOptions:
    """Options of an encode.

    ``None`` means the profile's choice, or that of ``quality`` (0 to 100), which sets quantization, reference
    quality and the price of references together; an explicit one wins.

    ``quantization`` scales keypoint differences before rounding, ``smoothing`` is the strength of
    rate-distortion optimized rounding (:mod:`neurocodec.keypoints.smoothing`).  ``refresh`` is ``lookahead``
    (:mod:`neurocodec.encoding.lookahead`) or ``schedule`` (:mod:`neurocodec.encoding.schedule`); ``gap``
    (frames) and ``alpha`` (a verdict) steer both, ``price`` is what a byte of reference costs in the former.
    ``feedback`` is a feedback network's name or file; the original's profile takes the original's where it
    has been imported.  ``audio_bitrate`` is in bit/s.  ``reference_quality`` is 0 to 100,
    ``reference_period`` (seconds) bounds how far apart independent references lie, ``first_reference`` is the
    ``first`` frame or the ``best`` one of its block.  ``landmarks`` says what is coded of a frame:
    ``learned`` keypoints, or ``68`` facial landmarks as a latent of ``landmark_model``.  Of the targets,
    ``target_kbps`` (kbit/s) and ``max_size`` (bytes) count the whole file, ``target_lpips`` is the mean
    distance of the renderings.  ``threads`` (None: every core) is what networks may use; codecs beside them
    get half as many.
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

    @property
    def has_target(self) -> bool:
        """Whether a rate, a distance or a size is to be met."""
        return any(getattr(self, name) is not None for name in TARGETS)

    def resolved(self) -> EncodeSettings:
        """The settings: checked, with the profile's and the quality's choices filled in.

        Raises:
            UsageError: a value out of range, or options that exclude each other.
        """
        _check_choice("profile", self.profile, PROFILES)
        original = self.profile == "original"
        self._check_quality_and_targets(original)
        quality = DEFAULT_QUALITY if self.quality is None else self.quality
        _check_range("quality", quality, 0, 100)
        _check(self, _ENCODE_CHOICES, _ENCODE_RANGES)
        codec = self.reference_codec or ("jpeg" if original else "av1")
        by_quality = JPEG_QUALITY if codec == "jpeg" else reference_quality_at(quality)
        usual_feedback = (ORIGINAL_FEEDBACK, DEFAULT_FEEDBACK) if original else (DEFAULT_FEEDBACK,)
        usual_quantization = ORIGINAL_QUANTIZATION if original else quantization_at(quality)
        settings = EncodeSettings(
            profile=self.profile,
            quality=quality,
            quantization=self.quantization or usual_quantization,
            gap=self.gap,
            alpha=self.alpha,
            model=self.model or (ORIGINAL_MOTION if original else DEFAULT_MOTION),
            feedback=(self.feedback,) if self.feedback else usual_feedback,
            audio=self.audio,
            audio_bitrate=self.audio_bitrate,
            reference_codec=codec,
            reference_quality=by_quality if self.reference_quality is None else self.reference_quality,
            reference_period=self.reference_period,
            landmark_code=self.landmark_code or ("original" if original else "range"),
            refresh=self.refresh or ("schedule" if original else "lookahead"),
            price=price_at(quality) if self.price is None else self.price,
            smoothing=DEFAULT_SMOOTHING if self.smoothing is None else self.smoothing,
            first_reference=self.first_reference,
            landmarks=self.landmarks,
            landmark_model=self.landmark_model or DEFAULT_LANDMARKS,
            region=self.region,
            device=self.device,
            threads=self.threads or 0,
        )
        self._check_together(settings)
        return settings

    def _check_quality_and_targets(self, original: bool) -> None:
        if sum(getattr(self, name) is not None for name in TARGETS) > 1:
            raise UsageError("only one of target rate, target distance and largest size can be met")
        if self.has_target and (original or self.quality is not None):
            raise UsageError("a target goes neither with --quality nor with the original's profile")
        if original and self.quality is not None:
            raise UsageError(
                "the original's profile has no quality; give --quantization, --reference-quality"
            )

    def _check_together(self, settings: EncodeSettings) -> None:
        looks_ahead = settings.refresh == "lookahead"
        if settings.first_reference == "best" and not looks_ahead:
            raise UsageError("the best first reference can only be chosen with --refresh lookahead")
        if self.smoothing and not looks_ahead:
            raise UsageError("only --refresh lookahead smooths")
        if self.landmark_model is not None and settings.landmarks != "68":
            raise UsageError("a landmark model goes with --landmarks 68")
        if settings.profile == "original" and settings.landmarks != "learned":
            raise UsageError("the original's profile knows only learned keypoints")
        if settings.landmark_code == "original" and looks_ahead:
            raise UsageError("the original's landmark code goes with --refresh schedule")


@dataclass(frozen=True)
class DecodeOptions:
    """Options of a decode.

    ``start`` and ``duration`` (seconds) choose a part; ``size`` is ``source`` or ``model``; ``crf`` is
    libx264's quality (16: visually lossless); ``model`` names a further model, or its file, to look at.
    ``strict`` refuses a damaged file instead of decoding what is left of it.  ``size_limit`` (pixels of a
    picture), ``frame_limit`` and ``chunk_limit`` (bytes) are those of
    :class:`neurocodec.format.limits.Limits`.  ``threads`` as in :class:`EncodeOptions`.
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
        _check(self, _DECODE_CHOICES, _DECODE_RANGES)
        return self
