"""The engine for a pair of models, or for what a file says of the models it was made with."""

from __future__ import annotations

from neurocodec.errors import DamagedFileError, UsageError
from neurocodec.format.header import Header
from neurocodec.models.latent_engine import LatentEngine
from neurocodec.models.model_files import ModelDescription, find_by_hash
from neurocodec.models.motion_engine import MotionEngine


def open_engine(
    motion: ModelDescription,
    landmarks: ModelDescription | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> MotionEngine:
    """A motion model ready to run, by itself or driven by the latents of a landmark model.

    Raises:
        UsageError: the landmark model has no mapping to keypoints of this motion model.
    """
    if landmarks is None:
        return MotionEngine(motion, device, threads)
    return LatentEngine(motion, landmarks, device, threads)


def engine_for(
    header: Header, extra: str | None = None, device: str = "auto", threads: int | None = None
) -> MotionEngine:
    """The engine that a file asks for; ``extra`` names a further motion model to look at.

    Raises:
        UnsupportedError: a model that it names is not here.
        DamagedFileError: the header contradicts the models that it names.
    """
    motion = find_by_hash(header.model, header.model_hash, extra)
    if (motion.size, motion.keypoints) != (header.model_size, header.keypoints):
        raise DamagedFileError("the header's geometry is not that of the model it names")
    if header.latent is None:
        return open_engine(motion, device=device, threads=threads)
    landmarks = find_by_hash(header.latent.name, header.latent.hash, kind="landmarks")
    try:
        engine = LatentEngine(motion, landmarks, device, threads)
    except UsageError as error:
        raise DamagedFileError(str(error)) from None
    if engine.latent_model.values != header.latent.values:
        raise DamagedFileError("the header's number of values is not that of the landmark model it names")
    return engine
