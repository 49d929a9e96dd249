"""What a training does, as a TOML file says it: one table for each dataclass here, one key for each field.

    [data]
    size = 256
    [optimizer]
    rate = 3e-4

Command-line options override a file (``--set optimizer.rate=1e-4`` any value).
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from neurocodec.errors import InputError, UsageError

T = TypeVar("T")


@dataclass
class Data:
    """Which frames are learned from.

    ``size``: side of the pictures in training; ``region``: ``full``, or ``face`` for the square around the
    face of a clip's first frame; ``stride``: of every so many frames two neighbours are kept; ``extremes``:
    frames of closed eyes and of open mouths that are kept besides (so many each, by the landmarks);
    ``min_face``: pixels, where a table says how large faces were in the source; ``references``: frames of
    each clip that are sent through the reference coder, at a CRF drawn between ``crf_from`` and ``crf_to``;
    ``held_out``: people kept apart for watching.
    """

    size: int = 256
    region: str = "full"
    stride: int = 6
    extremes: int = 0
    min_face: int = 0
    references: int = 24
    crf_from: int = 38
    crf_to: int = 61
    held_out: int = 4


@dataclass
class Optimizer:
    """AdamW with a warm-up and a cosine decay.

    ``steps``: length of the training, and of the decay; ``minutes``: stop, and have decayed, by then (0: no
    limit; the result then depends on the machine's speed); ``batch``: samples a step and process; ``rate``:
    highest learning rate; ``warmup``: steps; ``floor``: share of the rate at the end; ``clip``: largest norm
    of the gradient (0: any); ``average``: decay of the moving average that is exported.
    """

    steps: int = 20_000
    minutes: float = 0.0
    batch: int = 12
    rate: float = 5e-4
    warmup: int = 300
    floor: float = 0.02
    beta: float = 0.99
    weight_decay: float = 1e-4
    clip: float = 1.0
    average: float = 0.999
    seed: int = 1


@dataclass
class Machine:
    """Where it runs.

    ``accelerator``: ``auto``, ``cpu`` or ``cuda``; ``devices``: processes (GPUs) on this machine and
    ``nodes`` machines (under torchrun, its own numbers hold); ``precision``: ``bf16-mixed`` or
    ``32-true``; ``threads``: CPU threads of a process, 0 for PyTorch's choice; ``compile``: torch.compile.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "bf16-mixed"
    threads: int = 0
    compile: bool = False


@dataclass
class Watch:
    """How often something is written, in steps (0: never; the state, also at the end and when interrupted).

    ``people``: of how many people's clips the exported landmark basis is learned.
    """

    log: int = 50
    save: int = 200
    sheet: int = 500
    validate: int = 0
    validate_seconds: float = 4.0
    people: int = 60


@dataclass
class Augment:
    """What samples go through.

    ``affine``: similarities of all frames, in shares of the picture; ``tilt``: degrees that some frames are
    turned by; ``compressed``: share of references that have been through the reference coder; ``pairs``:
    share of steps with two references; ``coarsest``, ``finest``: range of Q whose quantization noise
    keypoints carry.
    """

    affine: float = 0.1
    tilt: float = 0.0
    compressed: float = 0.85
    pairs: float = 0.75
    coarsest: float = 25.0
    finest: float = 200.0
    painted: float = 0.3
    smaller: float = 0.2


@dataclass
class Loss:
    """Factors of the losses; ``attention`` is how much more the eyes and the mouth weigh.

    ``squeeze`` and ``vgg`` need their networks' files; without the former, ``perceptual`` and ``gradients``
    (which need none) take its place.
    """

    squeeze: float = 3.0
    vgg: float = 0.25
    perceptual: float = 3.0
    gradients: float = 2.0
    pixel: float = 3.0
    painted: float = 1.0
    deformed: float = 1.5
    ties: float = 4.0
    equivariance: float = 2.0
    rate: float = 0.04
    attention: float = 5.0
    closeups: float = 1.0
    cleaned: float = 1.0
    flow: float = 0.0


@dataclass
class LandmarkSamples:
    """What a step of the landmark network sees: images, pairs of frames, crops without a face."""

    images: int = 20
    pairs: int = 8
    nothing: int = 3


@dataclass
class Training:
    """What every training has."""

    name: str = "mymodel"
    data: Data = field(default_factory=Data)
    optimizer: Optimizer = field(default_factory=Optimizer)
    machine: Machine = field(default_factory=Machine)
    watch: Watch = field(default_factory=Watch)


@dataclass
class MotionConfig(Training):
    """Training of a motion model; ``model``: fields of :class:`neurocodec.networks.talk.TalkConfig`."""

    model: dict[str, Any] = field(default_factory=dict)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)


@dataclass
class StudentConfig(Training):
    """Training of a light motion model; ``model``: fields of :class:`neurocodec.networks.swift.SwiftConfig`.

    ``teacher``: the model whose keypoints it has; ``references``: chances of one, two and three references;
    ``targets``: frames that are rendered from the same ones.
    """

    name: str = "myswift"
    teacher: str = "talk256"
    references: list[float] = field(default_factory=lambda: [0.3, 0.45, 0.25])
    targets: int = 3
    model: dict[str, Any] = field(default_factory=dict)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)


@dataclass
class RestorationConfig(Training):
    """Training of the network that cleans references, of ``width`` (:mod:`neurocodec.networks.restore`).

    ``piece``: side of the pieces that are learned from; ``clean``: share of pieces that were not coded.
    """

    width: int = 32
    piece: int = 128
    clean: float = 0.1
    data: Data = field(default_factory=lambda: Data(held_out=12, crf_from=44, crf_to=63))
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(
        steps=2500, batch=16, rate=1e-3, warmup=100, average=0.995,
    ))  # fmt: skip
    machine: Machine = field(default_factory=lambda: Machine(precision="32-true"))
    watch: Watch = field(default_factory=lambda: Watch(validate=500))
    loss: Loss = field(default_factory=Loss)


@dataclass
class ClassicConfig(Training):
    """Training of the original's feedback network, whose one linear layer wants small steps."""

    name: str = "myclassic"
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(
        steps=2000, batch=16, rate=1e-4, warmup=10, weight_decay=1e-2, beta=0.999, average=0.99,
    ))  # fmt: skip
    machine: Machine = field(default_factory=lambda: Machine(precision="32-true"))
    watch: Watch = field(default_factory=lambda: Watch(sheet=0, save=250))


@dataclass
class PerceptualConfig(Training):
    """Training of the perceptual distance; ``model``: arguments of
    :class:`neurocodec.networks.perceptual.Perceptual`.

    ``passes``: how often every clip goes through each codec; ``renderings``: pictures of the motion model;
    ``spoilt``: share of samples that are spoilt while learning; ``alone``: share of steps whose pictures are
    all of one codec; ``tested_models``: whose renderings it is
    tested with.
    """

    name: str = "myperceptual"
    model: dict[str, Any] = field(default_factory=dict)
    passes: int = 2
    renderings: int = 3000
    spoilt: float = 0.25
    alone: float = 0.5
    tested_models: list[str] = field(default_factory=lambda: ["talk256"])
    data: Data = field(default_factory=lambda: Data(held_out=0))
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(
        steps=4000, batch=24, rate=1e-3, warmup=100, floor=0.01, weight_decay=1e-4, average=0.995,
    ))  # fmt: skip
    watch: Watch = field(default_factory=lambda: Watch(sheet=0, save=250))


@dataclass
class HeadFinderConfig(Training):
    """Training of the head finder; ``model``: arguments of
    :class:`neurocodec.networks.head_finder.HeadFinder`.

    ``pictures``: of each clip; ``sides``: of scenes, a batch has all its scenes of one.
    """

    name: str = "myheads"
    model: dict[str, Any] = field(default_factory=dict)
    pictures: int = 12
    sides: list[int] = field(default_factory=lambda: [128, 160, 192, 256, 320])
    data: Data = field(default_factory=lambda: Data(held_out=20))
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(
        steps=6000, batch=24, rate=1.5e-3, warmup=100, floor=0.01, clip=10.0, average=0.995,
    ))  # fmt: skip
    machine: Machine = field(default_factory=lambda: Machine(precision="32-true"))
    watch: Watch = field(default_factory=lambda: Watch(sheet=0, save=250))


@dataclass
class LandmarkConfig(Training):
    """Training of the landmark network; ``model``: arguments of :class:`neurocodec.networks.face68.Face68`.

    ``bandwidth``: loss of one bit of the latent's change from a frame to the next.
    """

    model: dict[str, Any] = field(default_factory=lambda: dict(width=0.5, latent=32))
    samples: LandmarkSamples = field(default_factory=LandmarkSamples)
    bandwidth: float = 0.02
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(
        steps=1_000_000, minutes=60.0, rate=2e-3, warmup=200, floor=0.01, weight_decay=1e-3, clip=20.0,
        average=0.998,
    ))  # fmt: skip
    machine: Machine = field(default_factory=lambda: Machine(
        accelerator="cpu", precision="32-true", threads=1,
    ))  # fmt: skip
    watch: Watch = field(default_factory=lambda: Watch(sheet=0, save=100, validate=200))


def read(kind: type[T], file: Path | None, overrides: Iterable[tuple[str, Any]] = ()) -> T:
    """A configuration: defaults, then ``file``, then ``overrides`` (``table.key`` or ``key``, value).

    Raises:
        InputError: the file cannot be read.
        UsageError: an unknown key, or a value of another type.
    """
    config = kind()
    for key, value in (*(_settings(file) if file else ()), *overrides):
        _set(config, key, value)
    return config


def _settings(file: Path) -> list[tuple[str, Any]]:
    """The settings of a TOML file, as ``table.key`` or ``key`` and value."""
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}") from None
    tables = {k: v for k, v in content.items() if isinstance(v, dict)}
    inner = [(f"{table}.{key}", value) for table, keys in tables.items() for key, value in keys.items()]
    return [*((k, v) for k, v in content.items() if k not in tables), *inner]


def parse(text: str) -> tuple[str, Any]:
    """``table.key=VALUE`` -> key and value, a number or true/false where it looks like one.

    Raises:
        UsageError: no equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} has no value; write TABLE.KEY=VALUE")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value


def _set(config: Any, key: str, value: Any) -> None:
    table, _, name = key.rpartition(".")
    target = getattr(config, table, None) if table else config
    if isinstance(target, dict):
        target[name] = value
        return
    names = [f.name for f in dataclasses.fields(target)] if dataclasses.is_dataclass(target) else []
    if name not in names:
        known = f"; there are {', '.join(names)}" if names else ""
        raise UsageError(f"unknown setting {key!r}{known}")
    now = getattr(target, name)
    if dataclasses.is_dataclass(now) or isinstance(now, dict):
        raise UsageError(f"{key!r} is a table")
    if isinstance(now, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(now):
        raise UsageError(f"{key} is {_KINDS[type(now)]}, not {value!r}")
    if isinstance(value, int | float) and value < 0:
        raise UsageError(f"{key} must not be negative")
    setattr(target, name, value)


_KINDS = {list: "a list", bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
