"""Turning published checkpoints into model files."""

from __future__ import annotations

from pathlib import Path

from neurocodec.errors import UsageError
from neurocodec.files.atomic import refuse_existing
from neurocodec.models.model_files import (
    MODELS_VARIABLE,
    ModelDescription,
    describe,
    load,
    save,
    user_folder,
)


def import_checkpoint(source: Path, name: str | None = None, *, force: bool = False) -> ModelDescription:
    """Turn a published checkpoint (motion model or the original's feedback network) into a model file.

    A safetensors model of this package is copied.

    Raises:
        InputError, UnsupportedError: as :mod:`neurocodec.models.published` has it.
        OutputError: a model of that name is there already and ``force`` is not set.
    """
    if source.suffix == ".safetensors":
        from safetensors.torch import load_file

        model = describe(source)
        load(model)
        tensors, architecture = load_file(source), model.architecture
        size, keypoints, config = model.size, model.keypoints, model.config
        name = name or model.name
    else:
        from neurocodec.models.published import read_published

        architecture, tensors = read_published(source)
        size, keypoints, config = 256, 50 if architecture == "vox256" else 0, {}
        name = name or architecture
    folder = user_folder()
    if folder is None:
        raise UsageError(f"there is no home folder to put models in; name one in {MODELS_VARIABLE}")
    target = folder / f"{name}.safetensors"
    refuse_existing([target], force)
    return save(
        target, tensors, name=name, architecture=architecture, size=size, keypoints=keypoints,
        config=config, half=False,
    )  # fmt: skip
