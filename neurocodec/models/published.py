"""Reading other projects' checkpoints, which may come from anywhere, without trusting them.

Two kinds are understood: the published Thin-Plate-Spline Motion Model for 256x256 talking heads (a
dictionary of networks), and the original codec's feedback network (a flat state dict). Files are read
with PyTorch's restricted unpickler only, so nothing stored in a file is ever run, and every tensor is
checked against the network it is meant for. All failures are one-line
:class:`~neurocodec.errors.InputError` (the file is missing, damaged or no checkpoint) or
:class:`~neurocodec.errors.UnsupportedError` (it is a checkpoint, but not one that can be used).
"""

from __future__ import annotations

import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neurocodec.errors import InputError, NeurocodecError, UnsupportedError
from neurocodec.models.pickle_guard import check_pickles
from neurocodec.networks.classic_feedback import ClassicFeedback
from neurocodec.networks.vox256 import Vox256

_MOTION_NETWORKS = ("kp_detector", "dense_motion_network", "inpainting_network")
_FEEDBACK_KEYS = ("conv1.weight", "bn1.weight", "fc.weight")
_PARALLEL_PREFIX = "module."  # what torch.nn.DataParallel puts before every key
_REFUSED = ("unsupported global", "unsupported class", "unsupported type", "not an allowed")
_ZIP_ALLOWANCE = 1 << 20  # bytes an archive's contents may exceed the archive by


def read_torch_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint written by ``torch.save``, as tensors and plain containers on the CPU.

    Nothing but data is accepted: a file that names any other Python object is refused, not run. Raises
    InputError if the file is missing, not a file, damaged or no checkpoint, UnsupportedError if it is
    refused, is a legacy ``.tar``, TorchScript or compressed archive, or holds no dictionary with text keys.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: not a file")
        _refuse_compressed(path)
        check_pickles(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except NeurocodecError:
        raise
    except pickle.UnpicklingError as error:
        if any(phrase in str(error).lower() for phrase in _REFUSED):
            raise UnsupportedError(
                f"{path}: refused, because it holds more than tensors (Python objects that would run code)"
            ) from None
        raise InputError(f"{path}: not a PyTorch checkpoint") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or 'input error'})") from None
    except MemoryError:
        raise InputError(f"{path}: too large for this machine's memory") from None
    except Exception as error:  # torch raises nearly anything on files that are not checkpoints
        if "weights_only=True" in str(error) and _is_archive(path):
            raise UnsupportedError(
                f"{path}: legacy .tar and TorchScript checkpoints cannot be read safely"
            ) from None
        raise InputError(f"{path}: a damaged or truncated checkpoint, or none at all") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UnsupportedError(f"{path}: the checkpoint holds no dictionary of named entries")
    return content


def read_published(path: str | Path) -> tuple[str, dict[str, Tensor]]:
    """The architecture that a published checkpoint is of, going by its entries' names, and its state dict.

    ``vox256``: for :class:`~neurocodec.networks.vox256.Vox256`, with keys ``kp_detector.*``,
    ``dense_motion_network.*`` and ``inpainting_network.*``; entries for training (optimizers, background
    predictor and the like) are left out. ``classic-feedback``: for
    :class:`~neurocodec.networks.classic_feedback.ClassicFeedback`. Floating-point tensors are float32 copies.

    Raises UnsupportedError for a checkpoint of neither kind, and naming the first tensor that is missing,
    unknown, of another shape or type, or not finite; otherwise as :func:`read_torch_checkpoint`.
    """
    content = read_torch_checkpoint(path)
    if all(isinstance(content.get(name), Mapping) for name in _MOTION_NETWORKS):
        found = {
            f"{name}.{key}": value
            for name in _MOTION_NETWORKS
            for key, value in _without_parallel_prefix(content[name]).items()
        }
        return "vox256", _checked_state(path, found, Vox256)
    found = _without_parallel_prefix(content)
    if all(key in found for key in _FEEDBACK_KEYS):
        return "classic-feedback", _checked_state(path, found, ClassicFeedback)
    raise UnsupportedError(
        f"{path}: neither a vox-256 motion model nor a feedback network of the original codec"
    )


def _refuse_compressed(path: Path) -> None:
    """Refuse archives that unpack to more than they are (torch stores without compression)."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > path.stat().st_size + _ZIP_ALLOWANCE:
        raise UnsupportedError(f"{path}: compressed checkpoint archives are not read")


def _is_archive(path: Path) -> bool:
    """Whether a file is a zip or a non-empty tar archive (a file of zeros passes for an empty one)."""
    if zipfile.is_zipfile(path):
        return True
    try:
        with tarfile.open(path, "r:") as archive:
            return archive.next() is not None
    except (tarfile.TarError, OSError):
        return False


def _without_parallel_prefix(state: Mapping[Any, Any]) -> dict[str, Any]:
    """The entries under text keys, without the prefix a data-parallel wrapper leaves on all of them."""
    keys = [str(key) for key in state]
    if keys and all(key.startswith(_PARALLEL_PREFIX) for key in keys):
        keys = [key.removeprefix(_PARALLEL_PREFIX) for key in keys]
    return dict(zip(keys, state.values(), strict=True))


def _checked_state(path: str | Path, found: Mapping[str, Any], network: type[nn.Module]) -> dict[str, Tensor]:
    """Copy the tensors a network needs, after checking that they are all there, fitting and finite."""
    with torch.device("meta"):
        expected = network().state_dict()
    state = {}
    for key, model in expected.items():
        if key not in found:
            raise UnsupportedError(f"{path}: not the expected network: {key} is missing")
        tensor = found[key]
        if not isinstance(tensor, Tensor) or tensor.is_meta or tensor.layout is not torch.strided:
            raise UnsupportedError(f"{path}: {key} is not a plain tensor")
        if tensor.shape != model.shape:
            raise UnsupportedError(
                f"{path}: {key} has shape {_shape(tensor)}, the network needs {_shape(model)}"
            )
        if tensor.is_quantized or tensor.is_complex() or tensor.dtype is torch.bool:
            raise UnsupportedError(f"{path}: {key} has the unusable type {tensor.dtype}")
        if tensor.is_floating_point() != model.is_floating_point():
            raise UnsupportedError(f"{path}: {key} has type {tensor.dtype}, not {model.dtype}")
        copy = torch.empty(model.shape, dtype=model.dtype).copy_(tensor.detach())
        if not bool(copy.isfinite().all()):
            raise UnsupportedError(f"{path}: {key} holds values that are not finite")
        state[key] = copy
    for key in found:
        if key not in expected:
            raise UnsupportedError(f"{path}: not the expected network: unknown entry {key[:80]!r}")
    return state


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "scalar"
