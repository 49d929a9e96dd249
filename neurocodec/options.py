"""What can be chosen when encoding and decoding: options with their defaults, and the settings they become.

Every default stands here.  The command line takes its own, and the numbers in its help, from here.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from neurocodec.errors import UsageError
from neurocodec.format.limits import CHUNK, FRAMES, MAX_QUANTIZATION, PIXELS, Limits
from neurocodec.threads import check_threads

PROFILES = ("default", "original")
AUDIO_MODES = ("opus", "copy", "none")
REGIONS = ("auto", "frames", "full", "face")
EFFORTS = ("fast", "default", "slow")
REFERENCE_CODECS = ("av1", "hevc", "jpeg")
LANDMARK_CODES = ("range", "golomb", "original")
LANDMARKS = ("learned", "68")
FIRST_REFERENCES = ("first", "best")
REFRESHES = ("lookahead", "schedule")
METADATA = ("keep", "all", "none")
DEVICES = ("auto", "cpu", "cuda")
SIZES = ("source", "model")
FORMATS = ("mp4", "mkv", "y4m", "png")

DEFAULT_MOTION, ORIGINAL_MOTION = "swift256", "vox256"
DEFAULT_FEEDBACK, ORIGINAL_FEEDBACK = "perceptual", "classic-feedback"
DEFAULT_LANDMARKS = "face68"
DEFAULT_HEADS = "heads320"
DEFAULT_QUALITY = 50.0
LATENT_SMOOTHING = 0.2
"""How far rounding of the latent of 68 landmarks may deviate, in squared steps a bit."""
ORIGINAL_QUANTIZATION = 100
JPEG_QUALITY = 95
TARGETS = ("target_kbps", "max_size", "target_lpips", "worst_lpips")


def quantization_at(quality: float) -> int:
    """Q for a quality of 0 to 100: 60 to 140."""
    return round(60 + 0.8 * quality)


def reference_quality_at(quality: float) -> float:
    """Quality of AV1 and HEVC references for a quality of 0 to 100: 0 to 67 (AV1: CRF 63 to 25)."""
    return 0.44 * quality + 0.46 * max(quality - 50, 0)


def price_at(quality: float) -> float:
    """What a byte of reference costs, in units of one frame's loss of verdict, for a quality of 0 to 100."""
    return 0.145 * 10 ** (-0.02 * quality)


def smoothing_at(quality: float, quantization: int) -> float:
    """How far rounding may deviate, in squared steps a bit, for a quality of 0 to 100 and Q.

    1 at a quality of 50 and Q = 100.  It follows the price of references, down to a tenth, and the square of
    a step, by which an error is seen.
    """
    return float(max(10 ** (-0.02 * (quality - 50)), 0.1) * (quantization / 100) ** 2)


@dataclass(frozen=True)
class About:
    """What is to be known of an option.

    ``help`` is a sentence of the command's help.  A value is one of ``choices``, or lies from ``low`` to
    ``high``.  ``usual`` says what ``None`` stands for.  ``short`` options take k, M and G for powers of 1000.
    ``words`` name the option in messages.
    """

    help: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    metavar: str | None = None
    usual: str | None = None
    short: bool = False
    words: str | None = None


def _option(default: Any, help: str = "", **more: Any) -> Any:
    """A field of an options' class: its default, and what :class:`About` says of it."""
    return field(default=default, metadata={"about": About(help, **more)})


def about(option: Field[Any]) -> About:
    """What is to be known of a field of :class:`EncodeOptions` or :class:`DecodeOptions`."""
    found: About = option.metadata["about"]
    return found


def _check(options: Any, *names: str) -> None:
    """Check these options, or else all; one that may be left open (None, or empty) may be so.

    Raises:
        UsageError: a value that is none of the choices, or out of range.
    """
    check_threads(options.threads)
    for option in fields(options):
        if names and option.name not in names:
            continue
        value, known = getattr(options, option.name), about(option)
        if option.default is None and value in (None, ""):
            continue
        words = known.words or option.name.replace("_", " ")
        if known.choices and value not in known.choices:
            raise UsageError(f"{words} must be one of {', '.join(known.choices)}, not {value!r}")
        if known.low is not None and known.high is not None and not known.low <= value <= known.high:
            limits = f"{known.low:.10g} and {known.high:.10g}"
            raise UsageError(f"{words} must lie between {limits}, not {value:.10g}")


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
    audio_track: int | None
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
    effort: str
    start: float | None
    duration: float | None
    metadata: str
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
    has been imported.  ``audio_bitrate`` is in bit/s, ``audio_track`` a number
    from 1 on.  ``reference_quality`` is 0 to 100,
    ``reference_period`` (seconds) bounds how far apart independent references lie, ``first_reference`` is the
    ``first`` frame or the ``best`` one of its block.  ``landmarks`` says what is coded of a frame:
    ``learned`` keypoints, or ``68`` facial landmarks as a latent of ``landmark_model``.  Of the targets,
    ``target_kbps`` (kbit/s) and ``max_size`` (bytes) count the whole file, ``target_lpips`` is the mean
    distance of the renderings, ``worst_lpips`` that of the worst second.  ``start`` and ``duration``
    (seconds) choose a part of the source, counted
    from its first picture.  ``region`` is ``auto``, ``frames``, ``full`` or ``face``; with references or
    networks that only the full picture has, ``auto`` is ``full``.  ``effort`` is that of the search for a
    layer of whole frames.  ``metadata`` says whether what the source says of itself is kept
    (:class:`neurocodec.format.description.Description`).  ``threads`` (None: every core) is what networks may
    use; codecs beside them get half as many.
    """

    profile: str = _option(
        "default",
        "'original' imitates the codec that this one descends from: its schedule, Golomb code, JPEG "
        "references and networks.  Needs the published motion model (neurocodec models import), or --model.",
        choices=PROFILES,
    )
    quality: float | None = _option(
        None,
        "Sets keypoint precision, reference quality and the price of references together.",
        low=0,
        high=100,
        metavar="0-100",
        usual=f"{DEFAULT_QUALITY:g}",
    )
    quantization: int | None = _option(
        None,
        "Steps per unit of a keypoint coordinate in [-1,1]; more is finer.",
        low=1,
        high=MAX_QUANTIZATION,
        usual=f"by quality, {quantization_at(DEFAULT_QUALITY)} at {DEFAULT_QUALITY:g}; "
        f"original: {ORIGINAL_QUANTIZATION}",
    )
    gap: int = _option(
        5,
        "Frames between verdicts; on schedule, also between refresh decisions.",
        low=1,
        high=1_000_000,
    )
    alpha: float = _option(
        0.2,
        "Verdict (1 = perfect) at or below which a rendering is bad.  On schedule it triggers a reference; "
        "looking ahead, a reference there need only be worth a fifth of its bytes.",
        low=0,
        high=1,
    )
    model: str | None = _option(
        None,
        "Motion model.",
        metavar="NAME|FILE",
        usual=f"{DEFAULT_MOTION}; original: {ORIGINAL_MOTION}",
    )
    feedback: str | None = _option(
        None,
        "Feedback network: its verdict says how good a rendering is.",
        metavar="NAME|FILE",
        usual=f"{DEFAULT_FEEDBACK}; original: {ORIGINAL_FEEDBACK}, where imported",
    )
    audio: str = _option(
        "opus", "Code the sound with Opus, copy it as it is, or leave it out.", choices=AUDIO_MODES
    )
    audio_bitrate: int = _option(10000, "Bit rate of Opus, in bit/s.", low=6000, high=510000)
    audio_track: int | None = _option(
        None,
        "Sound track of the source, counted from 1.",
        metavar="N",
        low=1,
        high=10_000,
        usual="the source's default one",
    )
    reference_codec: str | None = _option(
        None,
        "Codec of references; only AV1 ones are predicted from each other.",
        choices=REFERENCE_CODECS,
        usual="av1; original: jpeg",
    )
    reference_quality: float | None = _option(
        None,
        "Quality of references.",
        low=0,
        high=100,
        metavar="0-100",
        usual=f"by quality, {reference_quality_at(DEFAULT_QUALITY):g} at {DEFAULT_QUALITY:g}; "
        f"jpeg: {JPEG_QUALITY:g}",
    )
    reference_period: float = _option(
        180.0,
        "At least this often everything begins afresh; bounds how far back random access must read.",
        low=5,
        high=86400,
        metavar="SECONDS",
    )
    landmark_code: str | None = _option(
        None,
        "Code of the landmark packets; range falls back to golomb where that is smaller.",
        choices=LANDMARK_CODES,
        usual="range; original: original",
    )
    refresh: str | None = _option(
        None,
        "Place references by looking ahead, or by the original codec's schedule.",
        choices=REFRESHES,
        usual="lookahead; original: schedule",
    )
    price: float | None = _option(None, low=0, high=1000)
    smoothing: float | None = _option(
        None,
        "How far rounding may deviate to save bits (only with lookahead); 0 only rounds.",
        low=0,
        high=100,
        usual="by quality and quantization",
    )
    first_reference: str = _option(
        "first",
        "Where a block needs a reference of its own: its first frame, or its best view of the face "
        "(frontal, eyes open, mouth closed).",
        choices=FIRST_REFERENCES,
    )
    landmarks: str = _option(
        "learned",
        "Code the model's own keypoints, or 68 facial landmarks that drive it.",
        choices=LANDMARKS,
    )
    landmark_model: str | None = _option(
        None, "Landmark model for --landmarks 68.", metavar="NAME|FILE", usual=DEFAULT_LANDMARKS
    )
    target_kbps: float | None = _option(
        None,
        "Find the quality that gives this rate in kbit/s, sound included.",
        low=0.01,
        high=1_000_000,
        metavar="RATE",
        words="target rate",
    )
    target_lpips: float | None = _option(
        None,
        "Find the quality that gives this mean distance (neurocodec's own estimate of LPIPS).",
        low=0.001,
        high=1,
        metavar="DISTANCE",
        words="target distance",
    )
    worst_lpips: float | None = _option(
        None,
        "Find the lowest quality at which no second has a larger mean distance.  With a rate or a size: say "
        "whether what that allows is good enough.",
        low=0.001,
        high=1,
        metavar="DISTANCE",
        words="bound on the worst second",
    )
    max_size: int | None = _option(
        None,
        "Find the best quality that fits in this many bytes (k, M).",
        low=1,
        high=1 << 50,
        short=True,
        words="largest size",
    )
    region: str = _option(
        "auto",
        "Code whole frames (a layer of AV1, with heads rendered between its pictures), render the full "
        "picture by the model, or a square around the face.  auto: the better of the first two.",
        choices=REGIONS,
    )
    effort: str = _option(
        "default", "How long to search for the best layer of whole frames.", choices=EFFORTS
    )
    start: float | None = _option(
        None, "Begin here (seconds after the first picture).", low=0, high=1e9, metavar="SECONDS"
    )
    duration: float | None = _option(None, "Encode this much.", low=0.001, high=1e9, metavar="SECONDS")
    metadata: str = _option(
        "keep",
        "Keep the source's title, artist, copyright, date and chapters, and the language and title of its "
        "sound; all: its comment too.  Anything else, as places and devices, is never kept.",
        choices=METADATA,
    )
    device: str = _option("auto", choices=DEVICES)
    threads: int | None = _option(None)

    @property
    def has_target(self) -> bool:
        """Whether a rate, a distance or a size is to be met."""
        return any(getattr(self, name) is not None for name in TARGETS)

    def resolved(self) -> EncodeOptions:
        """Checked, with the profile's and the quality's choices filled in.

        Raises:
            UsageError: as :meth:`settings` has it.
        """
        chosen = dict(vars(self.settings()))
        chosen |= {"threads": self.threads, "landmark_model": self.landmark_model}
        usual = None if self.profile == "original" else DEFAULT_FEEDBACK
        return replace(self, **(chosen | {"feedback": self.feedback or usual}))

    def settings(self) -> EncodeSettings:
        """The settings: checked, with the profile's and the quality's choices filled in.

        Raises:
            UsageError: a value out of range, or options that exclude each other.
        """
        _check(self, "profile")
        original = self.profile == "original"
        self._check_quality_and_targets(original)
        _check(self)
        quality = DEFAULT_QUALITY if self.quality is None else self.quality
        codec = self.reference_codec or ("jpeg" if original else "av1")
        by_quality = JPEG_QUALITY if codec == "jpeg" else reference_quality_at(quality)
        usual_feedback = (ORIGINAL_FEEDBACK, DEFAULT_FEEDBACK) if original else (DEFAULT_FEEDBACK,)
        usual_quantization = ORIGINAL_QUANTIZATION if original else quantization_at(quality)
        quantization = self.quantization or usual_quantization
        learned = self.landmarks == "learned"
        usual_smoothing = smoothing_at(quality, quantization) if learned else LATENT_SMOOTHING
        settings = EncodeSettings(
            profile=self.profile,
            quality=quality,
            quantization=quantization,
            gap=self.gap,
            alpha=self.alpha,
            model=self.model or (ORIGINAL_MOTION if original else DEFAULT_MOTION),
            feedback=(self.feedback,) if self.feedback else usual_feedback,
            audio=self.audio,
            audio_bitrate=self.audio_bitrate,
            audio_track=self.audio_track,
            reference_codec=codec,
            reference_quality=by_quality if self.reference_quality is None else self.reference_quality,
            reference_period=self.reference_period,
            landmark_code=self.landmark_code or ("original" if original else "range"),
            refresh=self.refresh or ("schedule" if original else "lookahead"),
            price=price_at(quality) if self.price is None else self.price,
            smoothing=usual_smoothing if self.smoothing is None else self.smoothing,
            first_reference=self.first_reference,
            landmarks=self.landmarks,
            landmark_model=self.landmark_model or DEFAULT_LANDMARKS,
            region=self._region(original),
            effort=self.effort,
            start=self.start,
            duration=self.duration,
            metadata=self.metadata,
            device=self.device,
            threads=self.threads or 0,
        )
        self._check_together(settings)
        return settings

    def _region(self, original: bool) -> str:
        """The region: what only the model's own references have leaves auto the full picture.

        Raises:
            UsageError: whole frames are asked for with such options.
        """
        own = (self.reference_codec, self.reference_quality, self.landmark_code, self.refresh, self.price)
        best, other = self.first_reference == "best", self.landmarks == "68" or self.feedback is not None
        only_full = original or best or other or any(v is not None for v in own)
        if only_full and self.region == "frames":
            raise UsageError(
                "whole frames go neither with other profiles, landmarks and verdicts nor with "
                "options of references"
            )
        return "full" if only_full and self.region == "auto" else self.region

    def _check_quality_and_targets(self, original: bool) -> None:
        given = [name for name in TARGETS if getattr(self, name) is not None]
        if len(given) > 1 and given not in (["target_kbps", "worst_lpips"], ["max_size", "worst_lpips"]):
            raise UsageError(
                "only one of target rate, target distance and largest size can be met; "
                "a bound on the worst second goes with a rate or a size"
            )
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
        if self.audio_track is not None and settings.audio == "none":
            raise UsageError("a sound track goes with sound (--audio opus or copy)")
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

    ``start`` and ``duration`` (seconds) choose a part; ``size`` is ``source`` or ``model``;
    ``format`` is ``mp4``, ``mkv`` (lossless), ``y4m`` or ``png`` (a folder), None: by the output's name;
    ``crf`` is libx264's quality (16: visually lossless); ``model`` names a further model, or its file, to
    look at.  ``strict`` refuses a damaged file instead of decoding what is left of it.  ``size_limit``
    (pixels of a picture), ``frame_limit`` and ``chunk_limit`` (bytes) are those of
    :class:`neurocodec.format.limits.Limits`.  ``threads`` as in :class:`EncodeOptions`.
    """

    start: float | None = _option(
        None, "Begin here (seconds after the first frame).", low=0, high=1e9, metavar="SECONDS"
    )
    duration: float | None = _option(None, "Decode this much.", low=0.001, high=1e9, metavar="SECONDS")
    size: str = _option("source", "Give back the source's size, or the model's.", choices=SIZES)
    format: str | None = _option(
        None,
        "Write an MP4, a lossless Matroska file, or, without sound, a Y4M stream or a folder of PNG.",
        choices=FORMATS,
        usual="by the name of OUT (.mkv, .y4m, a / at its end), else mp4",
    )
    crf: float = _option(16, "Quality of the H.264 in an MP4; 16 is visually lossless.", low=0, high=51)
    model: str | None = _option(
        None, "A further model to look at, when it is not installed.", metavar="NAME|FILE"
    )
    device: str = _option("auto", choices=DEVICES)
    threads: int | None = _option(None)
    strict: bool = _option(False, "Refuse a damaged file instead of decoding what is left.")
    size_limit: int = _option(
        PIXELS,
        "Refuse a file that asks for pictures of more pixels (k, M).",
        low=1,
        high=1 << 30,
        metavar="PIXELS",
        short=True,
    )
    frame_limit: int = _option(FRAMES, "Refuse a file of more frames.", low=1, high=1 << 40)
    chunk_limit: int = _option(
        CHUNK,
        "Largest part of a file (five seconds) in bytes (k, M); about four times this is allocated.",
        low=1,
        high=CHUNK,
        short=True,
    )

    @property
    def limits(self) -> Limits:
        """What the file may ask for."""
        return Limits(self.size_limit, self.frame_limit, self.chunk_limit)

    def resolved(self) -> DecodeOptions:
        """Checked.

        Raises:
            UsageError: a value out of range.
        """
        _check(self)
        return self
