"""What every training begins with: the files it is given, and its cache of decoded clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neurocodec.datasets.clips import Clip, find_clips
from neurocodec.errors import InputError, UsageError
from neurocodec.models.model_files import ModelDescription
from neurocodec.training import machine
from neurocodec.training.config import Training
from neurocodec.training.frame_cache import build_cache, split_people

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CACHE = "cache"


@dataclass
class Files:
    """What a training is given beside its settings.

    ``data``: folder of clips; ``clips``: a table in place of its own clips.csv; ``cache``: clips already
    decoded (None: ``out``/cache is made from ``data``); ``landmarks``: npz, see
    :func:`neurocodec.datasets.labelled_faces.read_landmarks`; ``init``: weights to start from; ``model``: the
    motion model that is rendered with, or gets a restorer; ``squeeze``, ``vgg``: networks of losses;
    ``lpips``: AlexNet LPIPS; ``validate``: folder of clips to encode and decode.
    """

    out: Path
    data: Path | None = None
    clips: Path | None = None
    cache: Path | None = None
    landmarks: Path | None = None
    init: Path | None = None
    model: str | None = None
    squeeze: Path | None = None
    vgg: Path | None = None
    lpips: Path | None = None
    validate: Path | None = None


def check(config: Training, files: Files, clips: bool = True) -> None:
    """Refuse what no training can start with; ``clips``: whether it needs some.

    Raises:
        UsageError, InputError: there are no clips, no samples in a step, or no weights where they should be.
    """
    if clips and files.data is None and files.cache is None:
        raise UsageError("give --data DIR (clips) or --cache DIR (decoded ones)")
    if config.optimizer.batch < 1:
        raise UsageError("batch must be at least 1")
    if files.init is not None and not files.init.exists():
        raise InputError(f"no weights {files.init}")


def training_clips(config: Training, files: Files) -> list[Clip]:
    """The clips of ``--data``; none without it."""
    if files.data is None:
        return []
    return find_clips(files.data, config.data.min_face, table=files.clips)


def cached_clips(
    config: Training, files: Files, fabric: Fabric, first: int = 0
) -> tuple[Path, set[str], set[str]]:
    """The cache of decoded clips, made where none is given; people to learn from, and people held out.

    The latter are evenly spread from the ``first`` on.

    Raises:
        InputError, OutputError: clips or cache cannot be read or written, or nobody would be left.
    """
    cache = files.cache or files.out / CACHE
    if files.cache is None:
        clips = training_clips(config, files)
        machine.in_turns(fabric, lambda: build_cache(clips, cache, config.data, files.landmarks))
    return cache, *split_people(cache, config.data.held_out, first)


def written(model: ModelDescription) -> str:
    """A line that says which model file there is now."""
    return f"{model.name} ({model.hash[:16]}) -> {model.path}"
