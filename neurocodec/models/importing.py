"""Turning published checkpoints into model files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neurocodec.errors import OutputError
from neurocodec.models.files import ModelDescription, describe, load, save, user_folder

if TYPE_CHECKING:
    pass


def import_checkpoint(source: Path, name: str | None = None, *, force: bool = False) -> ModelDescription:
    """Turn a published checkpoint (motion model or the original's feedback network) into a model file.

    A safetensors model of this package is copied.

    Raises:
        InputError, UnsupportedError: as :mod:`neurocodec.models.checkpoints` has it.
        OutputError: a model of that name is there already and ``force`` is not set.
    """
    if source.suffix == ".safetensors":
        from safetensors.torch import load_file

        model = describe(source)
        load(model)
        tensors, architecture = load_file(source), model.architecture
        size, keypoints, config, half = model.size, model.keypoints, model.config, False
        name = name or model.name
    else:
        from neurocodec.models.checkpoints import (
            convert_feedback_checkpoint,
            convert_motion_checkpoint,
            detect_checkpoint,
        )

        architecture = detect_checkpoint(source)
        motion = architecture == "vox256"
        tensors = convert_motion_checkpoint(source) if motion else convert_feedback_checkpoint(source)
        size, keypoints, config, half = 256, 50 if motion else 0, {}, False
        name = name or architecture
    target = user_folder() / f"{name}.safetensors"
    if target.exists() and not force:
        raise OutputError(f"{target} exists; use -f to replace it")
    return save(
        target, tensors, name=name, architecture=architecture, size=size, keypoints=keypoints,
        config=config, half=half,
    )  # fmt: skip
